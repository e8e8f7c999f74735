// SPDX-License-Identifier: Apache-2.0
#include "sym/kernel.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include "base/cleanup.h"
#include "elf/sort.h"

#define READ_SIZE     (1U << 20) /* longer lines are skipped */
#define FUNCTION_MAX  (1U << 20) /* what is farther from a symbol is not its code */
#define KERNEL_START  0xffffffff80000000ULL /* x86: __START_KERNEL_map */
#define KERNEL	      "[kernel]"
#define RANK_LOCAL    0x10000U

/* -- parsing ---------------------------------------------------------------------------------- */

static bool parse_address(const char **p, const char *end, uint64_t *ret)
{
	const char *s = *p;
	uint64_t v = 0;

	for (; s < end && *s != ' '; s++) {
		int digit = *s >= '0' && *s <= '9'   ? *s - '0'
			    : *s >= 'a' && *s <= 'f' ? *s - 'a' + 10
						     : -1;

		if (digit < 0 || v >> 60)
			return false;
		v = v << 4 | (uint64_t)digit;
	}
	if (s == *p || s == end)
		return false;
	*p = s + 1;
	*ret = v;
	return true;
}

static int add_name(struct kallsyms *k, const char *s, size_t n, uint32_t *ret)
{
	*ret = (uint32_t)k->names.n;
	strbuf_add(&k->names, s, n);
	strbuf_add(&k->names, "", 1);
	return k->names.oom ? -ENOMEM : 0;
}

/* The module's number. Those of one module stand together. */
static int find_module(struct kallsyms *k, const char *s, size_t n, uint64_t start, uint32_t *ret)
{
	struct kallsyms_module m = { .start = start };
	int r = 0;

	if (!k->modules.n) {
		struct kallsyms_module kernel = { 0 };

		r = add_name(k, KERNEL, strlen(KERNEL), &kernel.name);
		if (!r)
			r = vec_push(&k->modules, kernel);
	}
	*ret = n && k->modules.n ? (uint32_t)k->modules.n - 1 : 0;
	if (r || !n)
		return r;
	if (*ret) {
		struct kallsyms_module *last = &k->modules.items[*ret];
		const char *name = k->names.s + last->name;

		if (strlen(name) == n && !memcmp(name, s, n)) {
			last->start = start < last->start ? start : last->start;
			return 0;
		}
	}
	r = add_name(k, s, n, &m.name);
	*ret = (uint32_t)k->modules.n;
	return r ? r : vec_push(&k->modules, m);
}

/* What the kernel's own sources call a function is global and has no underscores before it. */
static uint32_t rank_of(char type, const char *name, size_t n)
{
	uint32_t rank = type == 'T' ? 0 : RANK_LOCAL;

	for (size_t i = 0; i < n && name[i] == '_'; i++)
		rank++;
	return rank;
}

/* "ffffffff81000000 T name\t[module]", the last only of what is in one. */
static int parse_line(struct kallsyms *k, const char *s, const char *end)
{
	struct kallsyms_entry e = { 0 };
	const char *module;
	size_t n;
	char type;
	int r;

	if (memchr(s, '\0', (size_t)(end - s)) || !parse_address(&s, end, &e.start) || end - s < 3 ||
	    !strchr("tTwW", s[0]) || s[1] != ' ')
		return 0;
	type = s[0];
	s += 2;
	if (!e.start) {
		k->hidden++;
		return 0;
	}
	module = memchr(s, '\t', (size_t)(end - s));
	n = (size_t)((module ? module : end) - s);
	if (!n)
		return 0;
	if (!module && n == strlen("_text") && !memcmp(s, "_text", n))
		k->text = e.start;
	module = module ? module + 1 : end;
	e.rank = rank_of(type, s, n);
	r = find_module(k, module, (size_t)(end - module), e.start, &e.module);
	if (!r)
		r = add_name(k, s, n, &e.name);
	return r ? r : vec_push(k, e);
}

ssize_t kallsyms_parse(struct kallsyms *k, const char *text, size_t n)
{
	const char *p = text, *newline;

	while ((newline = memchr(p, '\n', n - (size_t)(p - text)))) {
		int r = parse_line(k, p, newline);

		if (r)
			return r;
		p = newline + 1;
	}
	return p - text;
}

int kallsyms_settle(struct kallsyms *k)
{
	size_t n = 0;
	int r = sort_by_address(k->items, k->n, sizeof(*k->items));

	for (size_t i = 0; i < k->n && !r; i++) {
		const struct kallsyms_entry *e = &k->items[i];

		if (!n || k->items[n - 1].start != e->start)
			k->items[n++] = *e;
		else if (e->rank < k->items[n - 1].rank)
			k->items[n - 1] = *e;
	}
	if (!r)
		k->n = n;
	return r;
}

/* -- reading ---------------------------------------------------------------------------------- */

static int read_all(struct kallsyms *k, int fd, char *buf)
{
	size_t held = 0, total = 0;
	ssize_t n, used;

	while (total < KALLSYMS_TEXT_MAX && (n = read(fd, buf + held, READ_SIZE - held)) > 0) {
		held += (size_t)n;
		total += (size_t)n;
		used = kallsyms_parse(k, buf, held);
		if (used < 0)
			return (int)used;
		held = held == READ_SIZE && !used ? 0 : held - (size_t)used;
		memmove(buf, buf + used, held);
	}
	return 0;
}

int kallsyms_load(struct kallsyms *k)
{
	_cleanup_free_ char *buf = k->loaded ? NULL : malloc(READ_SIZE);
	_cleanup_close_ int fd = -1;
	int r;

	if (k->loaded)
		return 0;
	if (!buf)
		return -ENOMEM;
	fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	r = fd < 0 ? 0 : read_all(k, fd, buf);
	if (!r)
		r = kallsyms_settle(k);
	k->loaded = !r;
	return r;
}

bool kallsyms_readable(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/kallsyms", "re");
	unsigned long long address = 0;

	while (f && !address && fscanf(f, "%llx%*[^\n]", &address) == 1)
		;
	return address != 0;
}

/* -- finding ---------------------------------------------------------------------------------- */

/* The last that begins at or before the address. */
static const struct kallsyms_entry *find(const struct kallsyms *k, uint64_t address)
{
	size_t lo = 0, hi = k->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (k->items[mid].start <= address)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? &k->items[lo - 1] : NULL;
}

struct kernel_place kallsyms_at(const struct kallsyms *k, uint64_t address)
{
	const struct kallsyms_entry *e = find(k, address - 1);
	struct kernel_place place = { NULL, KERNEL, address };
	uint64_t start = k->text ? k->text : KERNEL_START;

	if (e && address - e->start <= FUNCTION_MAX) {
		place.function = k->names.s + e->name;
		place.module = k->names.s + k->modules.items[e->module].name;
		if (e->module)
			start = k->modules.items[e->module].start;
	}
	if (address >= start)
		place.offset = address - start;
	return place;
}

void kallsyms_deinit(struct kallsyms *k)
{
	vec_free(k);
	vec_free(&k->modules);
	strbuf_deinit(&k->names);
	*k = (struct kallsyms){ 0 };
}
