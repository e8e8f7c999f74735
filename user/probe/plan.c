// SPDX-License-Identifier: Apache-2.0
#include "probe/plan.h"
#include <elf.h>
#include <errno.h>
#include <string.h>
#include "elf/symtab.h"
#include "kind/pthread.h"
#include "probe/site.h"
#include "proc/foreign.h"
#include "proc/taskdir.h"

#define SITE_BYTES_MAX 4096

/* The dynamic loader calls this empty function when it has changed its list of modules; debuggers
 * break on it (glibc: elf/dl-debug.c). */
#define LOADER_HOOK "_dl_debug_state"

int via_index(struct via_names *vias, const char *name, uint8_t *ret)
{
	if (!vias->n)
		vias->names[vias->n++] = "?";
	for (unsigned int i = 1; i < vias->n; i++) {
		if (!strcmp(vias->names[i], name)) {
			*ret = (uint8_t)i;
			return 0;
		}
	}
	if (vias->n == PLAN_VIA_MAX)
		return -ENOSPC;
	vias->names[vias->n] = name;
	*ret = (uint8_t)vias->n++;
	return 0;
}

/* The arguments that a function's row reads, as bits. */
static unsigned int function_args(const struct alloc_function *fn)
{
	const __u8 args[] = { fn->size, fn->count, fn->id, fn->out, fn->flags };
	unsigned int bits = 0;

	for (size_t i = 0; i < ARRAY_SIZE(args); i++)
		if (args[i] != LT_ARG_NONE)
			bits |= 1u << args[i];
	return bits;
}

static struct probe_site function_site(const struct elf_image *img, const struct elf_symbol *sym,
				       const struct alloc_function *fn)
{
	uint64_t size = elf_image_left(img, sym->addr);
	struct probe_site site, entry = { 0 };

	if (sym->size && sym->size < size)
		size = sym->size;
	if (size > SITE_BYTES_MAX)
		size = SITE_BYTES_MAX;
	site = probe_site_choose(elf_image_at(img, sym->addr, size), size, function_args(fn));
	/* the kernel takes the return address from where rsp points */
	return lt_role_returns(fn->role) && site.sp_delta ? entry : site;
}

/* What the report calls the function. */
static const char *function_via(const struct alloc_function *fn, const struct alloc_twins *twins,
				const struct elf_symtab *symbols)
{
	const struct elf_symbol *one = twins && twins->one ? elf_symtab_named(symbols, twins->one) : NULL;
	const struct elf_symbol *other = one ? elf_symtab_named(symbols, twins->other) : NULL;

	if (other && one->addr == other->addr && (!strcmp(fn->name, twins->one) || !strcmp(fn->name, twins->other)))
		return twins->via;
	return fn->via ? fn->via : fn->name;
}

/* Adds the function unless it is missing, or another name of its address is in the plan already. */
static int plan_function(const struct plan_module *pm, struct plan_points *points,
			 const struct elf_image *img, const struct elf_symtab *symbols,
			 const struct alloc_function *fn, const struct alloc_twins *twins,
			 struct via_names *vias)
{
	const struct elf_symbol *sym = elf_symtab_named(symbols, fn->name);
	struct attach_point p = {
		.returns = lt_role_returns(fn->role),
		.cookie = {
			.role = fn->role,
			.library = pm->library,
			.size_arg = fn->size,
			.count_arg = fn->count,
			.id_arg = fn->id,
			.out_arg = fn->out,
			.flags_arg = fn->flags,
		},
	};
	struct probe_site site;
	uint8_t via;
	int r;

	if (!sym || elf_vaddr_to_offset(img, sym->addr, &p.offset))
		return 0;
	site = function_site(img, sym, fn);
	p.offset += site.offset;
	p.cookie.sp_delta = site.sp_delta;
	p.cookie.stepped = !site.emulated;
	vec_foreach(known, points)
		if (known->offset == p.offset)
			return 0;
	r = via_index(vias, function_via(fn, twins, symbols), &via);
	p.cookie.via = via;
	return r ? r : vec_push(points, p);
}

static bool has_marker(const struct elf_symtab *symbols, const struct allocator *a)
{
	for (size_t i = 0; i < ARRAY_SIZE(a->markers) && a->markers[i]; i++)
		if (elf_symtab_named(symbols, a->markers[i]))
			return true;
	return false;
}

static int plan_allocator(struct plan_module *pm, const struct elf_image *img,
			  const struct elf_symtab *symbols, struct via_names *vias)
{
	for (const struct allocator *const *a = allocators(); *a; a++) {
		int r = 0;

		if (!has_marker(symbols, *a))
			continue;
		for (size_t i = 0; i < (*a)->n_functions && !r; i++)
			r = plan_function(pm, &pm->memory, img, symbols, &(*a)->functions[i],
					  &(*a)->twins, vias);
		pm->allocates = pm->memory.n > 0;
		pm->allocator = (*a)->name;
		return r;
	}
	pm->stranger = elf_symtab_named(symbols, "malloc") && elf_symtab_named(symbols, "free");
	return 0;
}

/* Whether the module is a library, or the very program that the process runs. */
static bool module_is_library(pid_t pid, const struct module *m)
{
	uint64_t dev, ino;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)task_proc(pid));
	return foreign_identity(path, &dev, &ino) || m->identity.dev != dev || m->identity.ino != ino;
}

static int plan_pthread(struct plan_module *pm, const struct elf_image *img,
			const struct elf_symtab *symbols, struct via_names *vias)
{
	size_t n;
	const struct alloc_function *functions = pthread_functions(&n);
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		r = plan_function(pm, &pm->pthread, img, symbols, &functions[i], NULL, vias);
	return r;
}

static int plan_loader(struct plan_module *pm, const struct elf_image *img, const struct elf_symtab *symbols,
		       struct via_names *vias)
{
	static const struct alloc_function hook = { LOADER_HOOK, LT_ROLE_MODULES, LT_ARG_NONE,
						    LT_ARG_NONE, LT_ARG_NONE, LT_ARG_NONE, LT_ARG_NONE, NULL };
	size_t before = pm->memory.n;
	int r = plan_function(pm, &pm->memory, img, symbols, &hook, NULL, vias);

	pm->loader = pm->memory.n > before;
	return r;
}

/* What is wanted of a module with these symbols. */
static int plan_symbols(uint32_t kinds, struct plan_module *pm, const struct elf_image *img,
			const struct elf_symtab *symbols, struct via_names *vias)
{
	int r = 0;

	if (kinds & 1U << LT_KIND_MEMORY)
		r = plan_allocator(pm, img, symbols, vias);
	if (!r && kinds & 1U << LT_KIND_UNJOINED)
		r = plan_pthread(pm, img, symbols, vias);
	return r ? r : plan_loader(pm, img, symbols, vias);
}

/* Looks through the module's file. 0, also for one that is no ELF file; -ENODATA when it could not be read, which
 * has then been told; or another negative errno. */
static int plan_read(struct plan_module *pm, pid_t pid, uint32_t kinds, struct module_table *modules,
		     struct via_names *vias)
{
	struct elf_symtab symbols = { 0 };
	_cleanup_close_ int fd = module_open(pm->module);
	struct elf_image img;
	int r = fd < 0 ? fd : elf_image_open_fd(fd, &img);

	if (r == -ENOMEM || r == -ENOEXEC)
		return r == -ENOMEM ? r : 0;
	if (r) {
		r = left_out_add(&modules->left_out, "the file", pm->module->path,
				 r == -EIO ? "it has changed while it was read" : strerror(-r));
		return r ? r : -ENODATA;
	}
	/* a program without an interpreter is static: its allocator is in no dynamic table */
	r = elf_symtab_load(&img, img.type == ET_DYN || img.interp, &symbols);
	if (!r && img.type == ET_DYN && !img.interp && !symbols.n) {
		elf_symtab_deinit(&symbols);
		r = elf_symtab_load(&img, false, &symbols);
	}
	if (!r)
		r = plan_symbols(kinds, pm, &img, &symbols, vias);
	if (!r)
		r = module_table_spend(modules, pid, elf_image_bytes_read(&img) + symbols.n * sizeof(*symbols.symbols));
	elf_symtab_deinit(&symbols);
	elf_image_deinit(&img);
	return r;
}

static void plan_module_free(struct plan_module *pm)
{
	vec_free(&pm->memory);
	vec_free(&pm->pthread);
	free(pm);
}

static int plan_keep(struct module_plans *plans, uint64_t key, struct plan_module *pm)
{
	int r = vec_push(plans, pm);

	if (r)
		return r;
	r = hashmap_put(&plans->by_module, key, plans->n - 1);
	plans->n -= r != 0;
	return r;
}

/* NULL in `*ret`: the file could not be read. */
static int plan_module(struct module_plans *plans, pid_t pid, uint32_t kinds, struct module_table *modules,
		       struct module *m, struct via_names *vias, const struct plan_module **ret)
{
	const bool library = module_is_library(pid, m);
	const uint64_t key = (uint64_t)m->id << 1 | library, *known = hashmap_get(&plans->by_module, key);
	struct plan_module *pm;
	int r;

	*ret = known ? plans->items[*known] : NULL;
	if (known)
		return 0;
	pm = calloc(1, sizeof(*pm));
	if (!pm)
		return -ENOMEM;
	pm->module = m;
	pm->library = library;
	r = plan_read(pm, pid, kinds, modules, vias);
	if (!r)
		r = plan_keep(plans, key, pm);
	if (!r)
		*ret = pm;
	else
		plan_module_free(pm);
	return r == -ENODATA ? 0 : r;
}

static int plan_add(struct probe_plan *plan, const struct plan_module *pm)
{
	plan->allocator |= pm->allocates;
	plan->pthread |= pm->pthread.n > 0;
	plan->loader |= pm->loader;
	if (pm->stranger && !plan->stranger)
		plan->stranger = pm->module->path;
	return pm->memory.n || pm->pthread.n ? vec_push(plan, pm) : 0;
}

static bool plan_seen(const struct hashmap *seen, uint32_t id)
{
	return hashmap_get(seen, id) != NULL;
}

int probe_plan_make(pid_t pid, uint32_t kinds, struct module_table *modules, struct module_plans *plans,
		    struct via_names *vias, struct probe_plan *ret)
{
	_cleanup_(maps_deinit) struct map_vec maps = { 0 };
	_cleanup_(hashmap_deinit) struct hashmap seen = { 0 };
	struct probe_plan plan = { 0 };
	int r = maps_read(pid, &maps);

	vec_foreach(map, &maps) {
		const struct plan_module *pm = NULL;
		struct module *m;

		if (r)
			break;
		if (!map->exec || module_table_map(modules, pid, map, &m) || plan_seen(&seen, m->id))
			continue;
		r = hashmap_put(&seen, m->id, 1);
		if (!r)
			r = plan_module(plans, pid, kinds, modules, m, vias, &pm);
		if (!r && pm)
			r = plan_add(&plan, pm);
	}
	if (r) {
		probe_plan_deinit(&plan);
		return r;
	}
	*ret = plan;
	return 0;
}

void probe_plan_deinit(struct probe_plan *plan)
{
	vec_free(plan);
}

void module_plans_deinit(struct module_plans *plans)
{
	vec_foreach(pm, plans)
		plan_module_free(*pm);
	vec_free(plans);
	hashmap_deinit(&plans->by_module);
}
