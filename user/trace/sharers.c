// SPDX-License-Identifier: Apache-2.0
#include "trace/sharers.h"
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <leaktrace/space.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "probe/map.h"
#include "trace/tracer.h"

#define VFORK_NS 50000000ULL /* after that a vforked child has other things to do than exec */

struct sharer {
	uint32_t tgid;
	struct lt_sharer state;
};

struct sharer_vec {
	VEC_OF(struct sharer);
};

/* All that there are. */
static void list_sharers(const struct tracer *t, struct sharer_vec *ret)
{
	int map = object_map(&t->object, "sharers");
	uint32_t key, next;
	bool first = true;

	if (!object_sharers(&t->object))
		return;
	while (!bpf_map_get_next_key(map, first ? NULL : &key, &next)) {
		struct sharer s = { .tgid = next };

		if (!map_lookup(map, &next, &s.state) && vec_push(ret, s))
			break;
		key = next;
		first = false;
	}
}

/* -- the second set of probes ------------------------------------------------------------------ */

static bool has_module(const struct sharing *s, uint32_t module)
{
	vec_foreach(id, &s->attached)
		if (*id == module)
			return true;
	return false;
}

static int attach_module(struct tracer *t, struct traced_process *p, const struct plan_module *pm)
{
	int r = process_attach_points(p, attach_kind_by_space(), &t->object.sharers, pm, &pm->memory);

	return r ? r : vec_push(&p->sharing.attached, pm->module->id);
}

/* For the modules that have the first one. */
static int attach(struct tracer *t, struct traced_process *p)
{
	int map = object_map(&t->object, "shared_spaces");
	uint32_t tgid = (uint32_t)p->target.pid, on = 1;
	struct probe_plan plan;
	int r = probe_plan_make(p->target.pid, t->options.kinds, &t->modules, &t->plans, &t->vias, &plan);

	if (r)
		return r;
	vec_foreach(pm, &plan)
		if (!r && !has_module(&p->sharing, (*pm)->module->id))
			r = attach_module(t, p, *pm);
	probe_plan_deinit(&plan);
	if (!r && map_update(map, &tgid, &on, BPF_ANY))
		r = -errno;
	return r;
}

/* Should it fail, what is not seen for that is counted as long as the process lives. */
static void attach_due(struct tracer *t, struct traced_process *p)
{
	struct sharing *s = &p->sharing;

	s->due = false;
	if (p->state != PROCESS_TRACED || s->refused || t->object.kind->by_space || !p->allocator ||
	    (s->on && s->attached.n >= p->attached.n))
		return;
	s->refused = attach(t, p) != 0;
	s->on = !s->refused;
}

/* Both sets would see a call; those that were bound to a thread that has ended see none any more. */
void sharers_take_over(struct tracer *t, struct traced_process *p)
{
	struct attachments gone = { 0 };
	struct sharing *s = &p->sharing;
	const struct lt_sharer own = {
		.ns = clock_now(), .owner = (uint32_t)p->target.pid, .seen = 1, .judged = 1,
	};

	attachments_move(&p->attachments, &gone);
	if (!s->own)
		attachments_deinit(&gone);
	vec_free(&s->attached);
	object_add_sharer(&t->object, own.owner, &own);
	s->refused = attach(t, p) != 0;
	s->on = !s->refused;
	s->own = true;
	detacher_take(&t->detacher, &gone);
}

/* -- those from before tracing ----------------------------------------------------------------- */

static bool has_in_common(pid_t a, pid_t b, int what)
{
	return !syscall(SYS_kcmp, a, b, what, 0, 0);
}

bool sharers_are(pid_t a, pid_t b)
{
	return has_in_common(a, b, KCMP_VM);
}

/* Other processes with the same memory, but for those that are traced themselves. */
static void find_sharers(const struct tracer *t, pid_t owner, __typeof__(((struct sharing *)0)->before) *ret)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		uint32_t pid = (uint32_t)strtoul(entry->d_name, NULL, 10);

		if (pid && (pid_t)pid != owner && has_in_common(owner, (pid_t)pid, KCMP_VM) &&
		    !process_table_find(&t->processes, (pid_t)pid) && vec_push(ret, pid))
			break;
	}
	if (proc)
		closedir(proc);
}

void sharers_prepare(struct tracer *t, struct traced_process *p)
{
	find_sharers(t, p->target.pid, &p->sharing.before);
}

static bool was_there(const struct sharing *s, uint32_t pid)
{
	vec_foreach(before, &s->before)
		if (*before == pid)
			return true;
	return false;
}

void sharers_begin(struct tracer *t, struct traced_process *p)
{
	__typeof__(p->sharing.before) now = { 0 };

	find_sharers(t, p->target.pid, &now);
	vec_foreach(pid, &now)
		p->sharing.due |= was_there(&p->sharing, *pid);
	if (p->sharing.due)
		attach_due(t, p);
	vec_foreach(pid, &now) {
		struct lt_sharer s = {
			.files = has_in_common(p->target.pid, (pid_t)*pid, KCMP_FILES) ? LT_FILES_ANY : 0,
			.ns = clock_now(),
			.owner = (uint32_t)p->target.pid,
			.vforked = !was_there(&p->sharing, *pid),
			.seen = p->sharing.on || t->object.kind->by_space,
		};

		object_add_sharer(&t->object, *pid, &s);
	}
	vec_free(&now);
}

/* -- life -------------------------------------------------------------------------------------- */

void sharers_tick(struct tracer *t, uint64_t now_ns)
{
	struct sharer_vec all = { 0 };

	list_sharers(t, &all);
	vec_foreach(s, &all) {
		struct traced_process *p = process_table_find(&t->processes, (pid_t)s->state.owner);

		if (p && !s->state.seen)
			p->sharing.due |= !s->state.vforked || now_ns > s->state.ns + VFORK_NS;
	}
	process_foreach(p, &t->processes)
		if (p->sharing.due || p->sharing.on)
			attach_due(t, p);
	vec_foreach(s, &all) {
		const struct traced_process *p = process_table_find(&t->processes, (pid_t)s->state.owner);

		if (p && p->sharing.on && !s->state.seen)
			object_look_at_sharer(&t->object, s->tgid, true);
	}
	vec_free(&all);
}

void sharers_look(struct tracer *t)
{
	struct sharer_vec all = { 0 };

	list_sharers(t, &all);
	vec_foreach(s, &all)
		if (!s->state.seen)
			object_look_at_sharer(&t->object, s->tgid, false);
	vec_free(&all);
}

void sharers_forget(struct tracer *t, struct traced_process *p)
{
	uint32_t tgid = (uint32_t)p->target.pid;
	struct sharer_vec all = { 0 };

	list_sharers(t, &all);
	vec_foreach(s, &all)
		if (s->state.owner == tgid)
			object_forget_sharer(&t->object, s->tgid);
	vec_free(&all);
	map_delete(object_map(&t->object, "shared_spaces"), &tgid);
	sharing_deinit(&p->sharing);
}

void sharing_deinit(struct sharing *s)
{
	vec_free(&s->attached);
	vec_free(&s->before);
	*s = (struct sharing){ 0 };
}
