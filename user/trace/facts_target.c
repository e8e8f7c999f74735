// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include "elf/cfi.h"
#include "go/runtime.h"
#include "proc/procfs.h"
#include "proc/taskdir.h"
#include "trace/facts.h"

static const struct plan_module *planned(const struct probe_plan *plan, const struct module *m)
{
	vec_foreach(pm, plan)
		if ((*pm)->module == m)
			return *pm;
	return NULL;
}

static int count_unwind_entries(const struct module *m, uint64_t *ret)
{
	struct cfi_rows rows = { 0 };
	_cleanup_close_ int fd = module_open(m);
	struct elf_image img;
	int r = fd < 0 ? fd : elf_image_open_fd(fd, &img);

	if (r)
		return r == -ENOMEM ? r : 0;
	r = cfi_rows_build(&img, &rows);
	*ret = r ? 0 : rows.fdes;
	cfi_rows_deinit(&rows);
	elf_image_deinit(&img);
	return r;
}

static int add_module(struct target_facts *f, const struct module *m, const struct probe_plan *plan)
{
	const struct plan_module *pm = planned(plan, m);
	struct module_fact fact = { .path = m->path };
	int r = count_unwind_entries(m, &fact.unwind_entries);

	if (pm) {
		fact.allocator = pm->allocator;
		fact.n_allocator = pm->allocator ? pm->memory.n : 0;
		fact.n_threads = pm->pthread.n;
		f->pthread |= pm->pthread.n > 0;
	}
	return r ? r : vec_push(&f->code, fact);
}

/* The modules in the order of their ids are those that the plan has looked at. */
static int add_modules(struct target_facts *f, pid_t pid, uint32_t kinds)
{
	_cleanup_(probe_plan_deinit) struct probe_plan plan = { 0 };
	_cleanup_(maps_deinit) struct map_vec maps = { 0 };
	_cleanup_(module_plans_deinit) struct module_plans plans = { 0 };
	struct via_names vias = { 0 };
	int r = probe_plan_make(pid, kinds, &f->modules, &plans, &vias, &plan);

	vec_foreach(m, &f->modules)
		if (!r)
			r = add_module(f, *m, &plan);
	f->allocator = plan.allocator;
	f->stranger = plan.stranger;
	if (!r)
		r = maps_read(pid, &maps);
	vec_foreach(map, &maps)
		f->anonymous_code += map->exec && !map->inode && map->path[0] != '[';
	return r;
}

static void add_namespaces(struct target_facts *f, pid_t pid)
{
	static const char *const names[] = { "user", "mnt", "pid", "net" };

	_Static_assert(ARRAY_SIZE(names) <= FACTS_NAMESPACES, "room for all");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct stat ours, its;
		char path[32];

		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		if (stat(path, &ours))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)task_proc(pid), names[i]);
		if (stat(path, &its))
			continue;
		f->namespaces[f->n_namespaces++] = (struct namespace_fact){
			names[i], ours.st_dev == its.st_dev && ours.st_ino == its.st_ino,
		};
	}
}

static void add_go(struct target_facts *f, pid_t pid)
{
	struct go_runtime *runtime;
	int r = go_runtime_open(pid, &f->modules.opener, &runtime, &f->go.refusal);

	f->go.is_go = !r || *f->go.refusal.text;
	if (r)
		return;
	f->go.readable = true;
	f->go.profile = runtime->keeps_profile;
	snprintf(f->go.version, sizeof(f->go.version), "%s", runtime->version);
	go_runtime_close(runtime);
}

int target_facts_collect(pid_t pid, uint32_t kinds, struct target_facts *ret)
{
	struct target_facts f = { 0 };
	int r;

	module_table_init(&f.modules);
	r = add_modules(&f, pid, kinds);

	if (!r)
		r = procfs_status(pid, "Threads", &f.threads);
	if (r) {
		target_facts_deinit(&f);
		return r;
	}
	procfs_status(pid, "Seccomp", &f.seccomp);
	add_namespaces(&f, pid);
	if (kinds & LT_KINDS_GO)
		add_go(&f, pid);
	*ret = f;
	return 0;
}

void target_facts_deinit(struct target_facts *f)
{
	vec_free(&f->code);
	module_table_deinit(&f->modules);
}
