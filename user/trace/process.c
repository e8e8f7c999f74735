// SPDX-License-Identifier: Apache-2.0
#include "trace/process.h"
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "probe/seccomp.h"
#include "proc/procfs.h"
#include "proc/taskdir.h"
#include "trace/tracer.h"
#include "trace/tracer_events.h"

/* When all of a process ends, its threads do so one after the other within this time. */
#define ALL_ENDING_NS 40000000ULL
#define LOADED_AGAIN_NS	 5000000ULL  /* where code is loaded all the time */
#define MODULES_AGAIN_NS 50000000ULL /* an address that is not known may be none at all */
#define ENOUGH_STOPS 2	/* of a command by its loader: now all that it was linked with is there */

static bool wants(const struct tracer *t, enum lt_kind kind)
{
	return t->options.kinds >> kind & 1;
}

bool process_is_exiting(pid_t pid)
{
	struct task_stat t;
	pid_t living;

	return task_living(pid, &living) || task_stat_read(living, &t) || task_stat_is_ending(&t);
}

/* -- probes ---------------------------------------------------------------------------------- */

static bool process_has_attached(const struct traced_process *p, uint32_t module)
{
	vec_foreach(id, &p->attached)
		if (*id == module)
			return true;
	return false;
}

int process_attach_points(struct traced_process *p, const struct attach_kind *kind,
			  const struct attach_programs *programs, const struct plan_module *pm,
			  const struct plan_points *points)
{
	_cleanup_close_ int fd = points->n ? module_open_for_probes(pm->module) : -1;
	struct attach_request rq = {
		.pid = p->target.pid,
		.fd = fd,
		.points = points->items,
		.n = points->n,
	};

	if (!points->n)
		return 0;
	return fd < 0 ? fd : kind->attach(programs, &rq, &p->attachments);
}

/* Attaches to the modules of the plan that have no probes yet: taking probes away takes long. */
static int process_attach(struct tracer *t, struct traced_process *p, const struct probe_plan *plan,
			  struct err *e)
{
	const pid_t thread = task_proc(p->target.pid);

	if (!t->object.kind->by_thread && thread != p->target.pid)
		return err_set(e, -EOPNOTSUPP, "pid %d: its first thread has ended, and probes of kind '%s' do "
			       "not work then", (int)p->target.pid, t->object.kind->name);
	if (!p->thread)
		p->thread = thread;
	vec_foreach(planned, plan) {
		const struct plan_module *pm = *planned;
		int r;

		if (process_has_attached(p, pm->module->id))
			continue;
		r = process_attach_points(p, t->object.kind, &t->object.memory, pm, &pm->memory);
		if (!r)
			r = process_attach_points(p, t->object.kind, &t->object.pthread, pm,
						  &pm->pthread);
		if (!r)
			r = vec_push(&p->attached, pm->module->id);
		p->attached_more |= pm->memory.n > 0;
		if (r)
			return err_set(e, r, "pid %d: probes on %s cannot be attached: %s",
				       (int)p->target.pid, pm->module->path, strerror(-r));
	}
	return 0;
}

static int process_check_seccomp(struct tracer *t, const struct traced_process *p, struct err *e)
{
	uint64_t mode = 0;

	if (!wants(t, LT_KIND_MEMORY) && !wants(t, LT_KIND_UNJOINED))
		return 0;
	if (procfs_status(p->target.pid, "Seccomp", &mode) || !mode ||
	    seccomp_return_probe_kills(&t->object) != 1)
		return 0;
	return err_set(e, -EOPNOTSUPP,
		       "pid %d runs under seccomp, and this kernel kills such a process at its first "
		       "return probe (mended in Linux by cf6cb56ef244): it is left alone; what needs no "
		       "probes in it can be traced, with -w connection,fd,process",
		       (int)p->target.pid);
}

static void process_no_allocator(const struct traced_process *p, const struct probe_plan *plan,
				 struct err *e)
{
	if (plan->stranger)
		err_set(e, -ENOENT,
			"pid %d: no known allocator: malloc is defined by %s, which is neither glibc nor jemalloc",
			(int)p->target.pid, plan->stranger);
	else
		err_set(e, -ENOENT, "pid %d: no known allocator (glibc, jemalloc) is mapped",
			(int)p->target.pid);
}

/* Whether no more is to come: from the loader of a command, or from one that has long been done. */
static bool loader_done(const struct traced_process *p, const struct probe_plan *plan)
{
	return p->state != PROCESS_STARTING || !plan->loader || p->stops > ENOUGH_STOPS;
}

/* The process's tables, and what is read of them. */
static int process_tables(struct tracer *t, const struct traced_process *p,
			  const struct table_progress *progress)
{
	int r = unwind_tables_update(&t->tables, p->target.pid, progress);

	return r ? r : sources_mapped(t, p);
}

/* The same after something that the loader's hook did not tell of, as it was not heard. */
int process_tables_again(struct tracer *t, const struct traced_process *p)
{
	unwind_tables_changed(&t->tables, p->target.pid);
	return process_tables(t, p, NULL);
}

/* What process_prepare() returns. A program without a loader, a static one, waits for nothing: what it has
 * not, it will never have, unless a source says otherwise: one in Go is only starting. */
static int process_found(const struct tracer *t, const struct traced_process *p, const struct probe_plan *plan)
{
	bool some = t->options.kinds & LT_KINDS_SYSTEM || sources_found(p);

	if (!p->missing || (some && loader_done(p, plan)))
		return 1;
	if (p->state != PROCESS_STARTING || plan->loader)
		return 0;
	return sources_awaited(p) ? 1 : -ENOENT;
}

static int process_unreadable(const struct traced_process *p, int r, struct err *e)
{
	return err_set(e, r, "pid %d: %s", (int)p->target.pid,
		       r == -ESRCH ? "it has just exited" : strerror(-r));
}

/* All of its probes are there. Before this BPF does not tell of the end of its first thread. */
static void process_record(struct tracer *t, struct traced_process *p)
{
	unwind_tables_begin(&t->tables, p->target.pid);
	p->leader_ended |= task_proc(p->target.pid) != p->target.pid;
}

void process_loaded(struct traced_process *p)
{
	if (!p->loaded)
		p->loaded_ns = clock_now();
	p->loaded = true;
}

/* One that has just begun may have been looked at before its loader had done its work, which was over when that one's
 * hook had been attached: then nobody tells of it any more. */
static void process_look_twice(struct traced_process *p)
{
	if (p->missing && !p->looked_twice)
		process_loaded(p);
	p->looked_twice = true;
}

int process_prepare(struct tracer *t, struct traced_process *p, struct err *e)
{
	bool memory = wants(t, LT_KIND_MEMORY);
	bool only_sources = !(t->options.kinds & ~sources_kinds());
	struct probe_plan plan;
	int r = process_check_seccomp(t, p, e);

	if (r)
		return r;
	/* the tables first: from then on it is told when all of this is about another program */
	r = process_tables(t, p, &t->options.progress);
	if (!r)
		r = probe_plan_make(p->target.pid, t->options.kinds, &t->modules, &t->plans, &t->vias, &plan);
	if (r)
		return process_unreadable(p, r, e);
	p->stranger = plan.stranger;
	p->modules_read_ns = clock_now();
	r = sources_look(t, p, e);
	if (!r)
		r = process_attach(t, p, &plan, e);
	if (p->begun)
		process_record(t, p);
	if (!r && p->begun) {
		r = process_tables_again(t, p);
		if (r)
			process_unreadable(p, r, e);
	}
	if (!r && memory && !plan.allocator)
		process_no_allocator(p, &plan, e);
	else if (!r && only_sources && !sources_found(p))
		sources_refusal(p, t->options.kinds, e);
	p->allocator = !r && plan.allocator;
	p->missing = (memory && !plan.allocator) || (wants(t, LT_KIND_UNJOINED) && !plan.pthread) ||
		     (only_sources && !sources_found(p) && !(p->command && sources_awaited(p)));
	process_look_twice(p);
	if (!r)
		r = process_found(t, p, &plan);
	probe_plan_deinit(&plan);
	return r;
}

void process_begin(struct tracer *t, struct traced_process *p)
{
	if (!procfs_cpu_ns(p->target.pid, &p->cpu_start_ns))
		p->cpu_ns = p->cpu_start_ns;
	sharers_begin(t, p);
	p->begun = true;
	p->begun_ns = clock_now();
	if (p->state != PROCESS_TRACED) /* it goes on when it has been looked at */
		return;
	process_record(t, p);
	process_tables_again(t, p);
	process_reconcile(t, p, RECONCILE_BEGIN);
	sources_read(t, p, SOURCE_READ_NOW);
}

int process_prepare_again(struct tracer *t, struct traced_process *p, struct err *e)
{
	target_refresh(&p->target);
	return process_prepare(t, p, e);
}

void process_rebind(struct tracer *t, struct traced_process *p)
{
	struct attachments gone = { 0 };
	const uint64_t now_ns = clock_now();
	struct task_stat s;

	if (p->state != PROCESS_TRACED || !p->leader_ended || !p->thread || !p->attached.n ||
	    (!task_stat_read(p->thread, &s) && !task_stat_ended(&s)) || process_is_exiting(p->target.pid)) {
		p->thread_gone_ns = 0;
		return;
	}
	if (!p->thread_gone_ns)
		p->thread_gone_ns = now_ns;
	if (now_ns - p->thread_gone_ns < ALL_ENDING_NS)
		return;
	p->thread = 0;
	p->probes_away++;
	if (!t->object.kind->by_thread) {
		p->thread = task_proc(p->target.pid);
		sharers_take_over(t, p);
		return;
	}
	attachments_move(&p->attachments, &gone);
	vec_free(&p->attached);
	process_prepare_again(t, p, NULL);
	detacher_take(&t->detacher, &gone); /* they see nothing any more, and taking them away takes long */
}

void process_settle(struct tracer *t, const struct traced_process *p, size_t n_late)
{
	t->books.oom += late_stacks_settle(&t->late, n_late, (uint32_t)p->target.pid, &t->object,
					   &t->books.stacks) == -ENOMEM;
}

/* What was missing may be there now; then the process has run without it since. */
static void process_look_for_missing(struct tracer *t, struct traced_process *p, uint64_t since_ns)
{
	process_prepare_again(t, p, NULL);
	if (p->missing)
		return;
	p->told = false;
	if (p->parent || p->late || p->execed_ns)
		p->unseen_ns += clock_now() - since_ns;
}

int process_update(struct tracer *t, struct traced_process *p, uint64_t now_ns)
{
	const uint64_t since_ns = p->loaded ? p->loaded_ns : now_ns;
	size_t n_late = t->late.n;
	int r = 0;

	p->loaded = p->modules_changed = false;
	p->modules_read_ns = now_ns;
	if (!p->missing)
		r = process_tables(t, p, NULL);
	else if (p->state == PROCESS_TRACED) /* after exec it comes with the loader's work */
		process_look_for_missing(t, p, since_ns);
	ring_buffer__consume(t->ring); /* a copy may come before its stack */
	process_settle(t, p, n_late);
	return r;
}

void process_follow(struct tracer *t, struct traced_process *p, uint64_t now_ns)
{
	bool loaded = p->loaded || unwind_tables_stale(&t->tables, p->target.pid);
	uint64_t soon_ns = t->object.asks_kernel ? LOADED_AGAIN_NS : 0; /* else nothing else will do */
	size_t n_late = t->late.n;

	if (now_ns - p->modules_read_ns >= (loaded ? soon_ns : MODULES_AGAIN_NS) &&
	    (loaded || p->modules_changed)) {
		process_update(t, p, now_ns);
	} else if ((!loaded || t->object.asks_kernel) && late_stacks_any(&t->late, (uint32_t)p->target.pid)) {
		ring_buffer__consume(t->ring); /* a copy may come before its stack, or before its files */
		process_settle(t, p, n_late);
	}
}

/* -- books ----------------------------------------------------------------------------------- */

int process_reconcile(struct tracer *t, struct traced_process *p, enum reconcile_what what)
{
	uint32_t kinds = t->options.kinds & LT_KINDS_SYSTEM;
	struct census c;
	int r;

	if (!kinds)
		return 0;
	r = census_take(p->target.pid, kinds, &c);
	if (r)
		return r;
	if (process_is_exiting(p->target.pid)) {
		census_deinit(&c);
		return -ESRCH;
	}
	return reconcile(&p->reconciler, &t->object, &c, kinds, what);
}

void process_reap(struct tracer *t, struct traced_process *p)
{
	struct ledger_entries reaped = { 0 };

	if (wants(t, LT_KIND_ZOMBIE) && !reconcile_find_reaped(&t->object, p->target.pid, &reaped) &&
	    !process_is_exiting(p->target.pid))
		vec_foreach(e, &reaped)
			ledger_release(&t->ledger, e);
	vec_free(&reaped);
}

/* Probes in files that the new program has mapped as well stay where they are; of the others nobody meets any. */
static bool keeps_probes(const struct traced_process *p, bool recorded)
{
	return recorded && !p->leader_ended && !p->sharing.attached.n;
}

void process_execed(struct tracer *t, struct traced_process *p, uint64_t ns, bool recorded)
{
	const uint32_t tgid = (uint32_t)p->target.pid;
	struct attachments gone = { 0 };

	sources_detach(p, &gone);
	attachments_deinit(&gone);
	p->probes_kept = keeps_probes(p, recorded);
	if (!p->probes_kept)
		process_detach(p);
	sharers_forget(t, p);
	process_settle(t, p, t->late.n);
	sources_exec(t, p);
	p->leader_ended = false;
	p->told = false;
	p->looked_twice = false;
	p->state = p->command || p->held ? PROCESS_STARTING : PROCESS_EXECED;
	p->stopping = p->command || p->held;
	p->stops = 0;
	p->execed_ns = ns;
	/* the rest is still held, or a census will tell; mappings went when it was heard of */
	ledger_forget(&t->ledger, tgid, 1U << LT_KIND_MEMORY | 1U << LT_KIND_UNJOINED, ns - LT_EXEC_APART_NS);
}

void process_read_cpu(struct traced_process *p)
{
	uint64_t ns;

	if (!procfs_cpu_ns(p->target.pid, &ns) && ns > p->cpu_ns)
		p->cpu_ns = ns;
}

/* What is attached for its sources, too. */
static void process_hand_over(struct traced_process *p, struct attachments *ret)
{
	p->thread = 0;
	sources_detach(p, ret);
	vec_free(&p->attached);
}

void process_end(struct tracer *t, struct traced_process *p)
{
	uint64_t ticks;

	p->ended_ns = clock_now();
	/* as long as it has not been waited for; then its id may be another's */
	if (!procfs_start_ticks(p->target.pid, &ticks) && ticks == p->target.start_ticks)
		process_read_cpu(p);
	process_table_retire(&t->processes, p);
	tracer_listen_no_more(t, &p->target);
	close(take_fd(p->target.pidfd));
	process_hand_over(p, &p->attachments);
	detacher_take(&t->detacher, &p->attachments);
	process_settle(t, p, t->late.n);
	sharers_forget(t, p);
	sources_end(t, p);
	jit_stacks_forget(t, p->target.pid);
	unwind_tables_remove(&t->tables, p->target.pid);
}

void process_remove(struct tracer *t, struct traced_process *p)
{
	process_table_remove(&t->processes, p);
	process_deinit(p);
	free(p);
}

void process_detach(struct traced_process *p)
{
	process_hand_over(p, &p->attachments);
	attachments_deinit(&p->attachments);
}

void process_deinit(struct traced_process *p)
{
	process_detach(p);
	sharing_deinit(&p->sharing);
	reconciler_deinit(&p->reconciler);
	sources_deinit(p);
	target_deinit(&p->target);
}
