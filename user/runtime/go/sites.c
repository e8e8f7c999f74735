// SPDX-License-Identifier: Apache-2.0
#include "runtime/go/sites.h"
#include <errno.h>
#include <string.h>
#include "probe/site.h"

#define CODE_MAX   (1U << 20)
#define PROBES_MAX 32
#define PUSH_RBP   0x55

/* How functions compare the stack pointer with what the goroutine's stack reaches down to:
 * cmp 0x10(%r14),%rsp; those with larger frames lea -n(%rsp),%r12; cmp 0x10(%r14),%r12. */
static size_t check_length(const uint8_t *code, size_t size)
{
	static const struct {
		uint8_t bytes[12], mask[12]; /* mask: 0 where any byte may stand */
		size_t n;
	} checks[] = {
		{ { 0x49, 0x3b, 0x66, 0x10 }, { 255, 255, 255, 255 }, 4 },
		{ { 0x4c, 0x8d, 0x64, 0x24, 0, 0x4d, 0x3b, 0x66, 0x10 },
		  { 255, 255, 255, 255, 0, 255, 255, 255, 255 },
		  9 },
		{ { 0x4c, 0x8d, 0xa4, 0x24, 0, 0, 0, 0, 0x4d, 0x3b, 0x66, 0x10 },
		  { 255, 255, 255, 255, 0, 0, 0, 0, 255, 255, 255, 255 },
		  12 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		size_t same = 0;

		if (size < checks[i].n)
			continue;
		while (same < checks[i].n &&
		       (code[same] & checks[i].mask[same]) == checks[i].bytes[same])
			same++;
		if (same == checks[i].n)
			return same;
	}
	return 0;
}

/* The length of a jbe at the beginning of the code; 0: there is something else. */
static size_t jbe_length(const uint8_t *code, size_t size)
{
	if (size >= 2 && code[0] == 0x76)
		return 2;
	return size >= 6 && code[0] == 0x0f && code[1] == 0x86 ? 6 : 0;
}

/* Behind the check when the function goes on with push %rbp, as it does from Go 1.21 on; else at the
 * check's own jump. Functions without a check, and all others, are left to probe_site_choose(). */
struct probe_site go_site_choose(const uint8_t *code, size_t size, bool *ret_checking)
{
	size_t check = check_length(code, size), jump = jbe_length(code + check, size - check);
	struct probe_site site = { .offset = (uint32_t)(check + jump), .emulated = true };

	*ret_checking = false;
	if (!check || !jump) {
		site = (struct probe_site){ .emulated = size && code[0] == PUSH_RBP };
	} else if (site.offset >= size || code[site.offset] != PUSH_RBP) {
		site.offset = (uint32_t)check;
		*ret_checking = true;
	}
	return site;
}

/* -- planning --------------------------------------------------------------------------------- */

/* The functions that are wanted, and those that they call. */
struct found {
	struct go_function function, callee;
	bool has_function, has_callee;
};

static void find_functions(const struct gopclntab *table, const struct go_probe *probes, size_t n,
			   struct found *found)
{
	struct go_function f;

	for (uint32_t i = 0; i < table->n; i++) {
		if (!gopclntab_function(table, i, &f))
			continue;
		for (size_t p = 0; p < n; p++) {
			if (!found[p].has_function && gopclntab_is_named(&f, probes[p].function)) {
				found[p].function = f;
				found[p].has_function = true;
			}
			if (probes[p].callee && !found[p].has_callee &&
			    gopclntab_is_named(&f, probes[p].callee)) {
				found[p].callee = f;
				found[p].has_callee = true;
			}
		}
	}
}

/* The site in a function that was found; false: it has none. */
static bool find_site(const struct elf_image *img, const struct go_probe *probe, const struct found *found,
		      struct attach_point *ret)
{
	const struct go_function *f = &found->function;
	uint64_t size = f->end - f->entry;
	struct attach_point p = { .cookie = { .via = probe->id } };
	struct probe_site site;
	const uint8_t *code;
	bool checking = false;

	if (size > CODE_MAX)
		size = CODE_MAX;
	code = elf_image_at(img, f->entry, size);
	if (!code || (probe->callee && !found->has_callee))
		return false;
	if (!probe->callee)
		site = go_site_choose(code, size, &checking);
	else if (!probe_site_of_call(code, size, f->entry, found->callee.entry, probe->at_call, &site))
		return false;
	if (elf_vaddr_to_offset(img, f->entry + site.offset, &p.offset))
		return false;
	p.cookie.stepped = !site.emulated;
	p.cookie.checking = checking;
	*ret = p;
	return true;
}

static bool is_planned(const struct plan_points *points, uint64_t offset)
{
	vec_foreach(p, points)
		if (p->offset == offset)
			return true;
	return false;
}

int go_sites_plan(const struct elf_image *img, const struct gopclntab *table, const struct go_probe *probes,
		  size_t n, struct plan_points *ret, struct err *e)
{
	struct found found[PROBES_MAX] = { 0 };

	if (n > PROBES_MAX)
		return -E2BIG;
	find_functions(table, probes, n, found);
	for (size_t i = 0; i < n; i++) {
		struct attach_point p;
		int r;

		if (!found[i].has_function || !find_site(img, &probes[i], &found[i], &p)) {
			if (probes[i].optional)
				continue;
			return err_set(e, -ENOENT, found[i].has_function
					? "no place for a probe in %s, as this program has it"
					: "the program has no function %s", probes[i].function);
		}
		r = is_planned(ret, p.offset) ? 0 : vec_push(ret, p);
		if (r)
			return r;
	}
	return 0;
}

int go_sites_attach(const struct attach_kind *kind, struct bpf_program *program, pid_t pid, int fd,
		    const struct plan_points *points, struct attachments *ret)
{
	const struct attach_programs programs = { program, program, program };
	struct attach_request rq = { .pid = pid, .fd = fd, .points = points->items, .n = points->n };

	return points->n ? kind->attach(&programs, &rq, ret) : 0;
}
