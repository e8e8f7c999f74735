// SPDX-License-Identifier: Apache-2.0
#include "probe/tracer.h"
#include <bpf/libbpf.h>
#include <string.h>
#include <sys/stat.h>
#include "probe/seccomp.h"
#include "proc/procfs.h"

#define MODULES_AGAIN_NS  50000000ULL
#define PROC_PID_INIT_INO 0xEFFFFFFCU /* kernel: include/linux/proc_ns.h */

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static struct traced_process *tracer_process(struct tracer *t, uint32_t tgid)
{
	vec_foreach(p, &t->processes)
		if ((uint32_t)p->target.pid == tgid)
			return p;
	return NULL;
}

/* BPF is to see process ids as we do: in our own pid namespace. */
static void pidns_config(struct lt_config *c)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) || st.st_ino == PROC_PID_INIT_INO)
		return;
	c->pidns_dev = st.st_dev;
	c->pidns_ino = st.st_ino;
}

static void process_detach(struct traced_process *p)
{
	attachments_deinit(&p->attachments);
	vec_free(&p->attached);
}

/* The tables now hold for the process's first `n_late` of the stacks that came too early. */
static void process_settle(struct tracer *t, const struct traced_process *p, size_t n_late)
{
	t->books.oom += late_stacks_settle(&t->late, n_late, (uint32_t)p->target.pid, &t->object,
					   &t->books.stacks) == -ENOMEM;
}

/* All that the process held went with its memory. */
static void process_execed(struct tracer *t, struct traced_process *p)
{
	process_detach(p);
	process_settle(t, p, t->late.n);
	p->state = p->command ? PROCESS_STARTING : PROCESS_EXECED;
	p->stopping = p->command;
	books_forget(&t->books, (uint32_t)p->target.pid);
	ledger_forget(&t->ledger, (uint32_t)p->target.pid);
}

static int on_event(void *ctx, void *data, size_t size)
{
	const struct lt_event *e = data;
	struct tracer *t = ctx;
	struct traced_process *p;

	if (size < sizeof(*e))
		return 0;
	p = tracer_process(t, e->tgid);
	if (e->type == LT_EVENT_STACK || e->type == LT_EVENT_RANGE)
		books_event(&t->books, data, size);
	else if (e->type == LT_EVENT_COPY)
		t->books.oom += late_stacks_add(&t->late, data, size) == -ENOMEM;
	else if (p && e->type == LT_EVENT_EXEC)
		process_execed(t, p);
	else if (p && e->type == LT_EVENT_STOPPED)
		p->stopping = true;
	else if (p && e->type == LT_EVENT_LOADER)
		p->loaded = true;
	else if (p)
		p->modules_changed = true;
	return 0;
}

/* -- life ------------------------------------------------------------------------------------ */

/* Loads the best attach kind that also works when tried on ourselves. */
static int tracer_load(struct tracer *t, struct err *e)
{
	struct object_options oo = {
		.config = { .min_amount = t->options.min_amount, .max_amount = t->options.max_amount },
		.kind = t->options.attach_kind,
		.verbose = t->options.verbose,
	};
	struct trap_cost trap = { 0 };
	int r;

	pidns_config(&oo.config);
	for (;;) {
		r = object_load(&oo, &t->object, e);
		if (r)
			return r;
		r = trap_cost_measure(&t->object, &t->trial, &trap);
		if (!r)
			break;
		attachments_deinit(&t->trial);
		oo.after = t->object.kind;
		err_set(e, r, "probes of kind '%s' do not work on this kernel: %s", oo.after->name,
			strerror(-r));
		object_unload(&t->object);
	}
	cost_meter_init(&t->cost, &trap);
	return 0;
}

int tracer_create(const struct tracer_options *options, struct tracer **ret, struct err *e)
{
	struct tracer *t = calloc(1, sizeof(*t));
	struct table_maps maps;
	int r;

	if (!t)
		return -ENOMEM;
	t->options = *options;
	r = tracer_load(t, e);
	if (!r) {
		object_table_maps(&t->object, &maps);
		object_ledger_maps(&t->object, &t->ledger);
		r = unwind_tables_init(&t->tables, &maps, &t->modules);
	}
	if (!r) {
		t->ring = ring_buffer__new(object_ring(&t->object), on_event, t, NULL);
		r = t->ring ? ring_buffer__add(t->ring, object_copies(&t->object), on_event, t) : -errno;
	}
	if (r) {
		tracer_destroy(t);
		return r;
	}
	*ret = t;
	return 0;
}

/* From everything at once: it takes as long as from one. */
static void tracer_detach(struct tracer *t)
{
	vec_foreach(p, &t->processes) {
		attachments_move(&p->attachments, &t->trial);
		process_detach(p);
	}
	attachments_deinit(&t->trial);
}

void tracer_destroy(struct tracer *t)
{
	if (!t)
		return;
	tracer_detach(t);
	vec_foreach(p, &t->processes)
		target_deinit(&p->target);
	vec_free(&t->processes);
	ring_buffer__free(t->ring);
	if (t->object.skel)
		object_unload(&t->object);
	unwind_tables_deinit(&t->tables);
	module_table_deinit(&t->modules);
	books_deinit(&t->books);
	late_stacks_deinit(&t->late);
	free(t);
}

/* -- attaching ------------------------------------------------------------------------------- */

static bool process_has_attached(const struct traced_process *p, uint32_t module)
{
	vec_foreach(id, &p->attached)
		if (*id == module)
			return true;
	return false;
}

/* Attaches to the modules of the plan that have no probes yet: taking probes away takes long. */
static int process_attach(struct tracer *t, struct traced_process *p, const struct probe_plan *plan,
			  struct err *e)
{
	vec_foreach(pm, plan) {
		struct attach_request rq = {
			.pid = p->target.pid,
			.fd = pm->module->fd,
			.points = pm->points.items,
			.n = pm->points.n,
		};
		int r;

		if (process_has_attached(p, pm->module->id))
			continue;
		r = t->object.kind->attach(&t->object.programs, &rq, &p->attachments);
		if (!r)
			r = vec_push(&p->attached, pm->module->id);
		if (r)
			return err_set(e, r, "pid %d: probes on %s cannot be attached: %s",
				       (int)p->target.pid, pm->module->path, strerror(-r));
	}
	return 0;
}

static int process_check_seccomp(struct tracer *t, const struct traced_process *p, struct err *e)
{
	uint64_t mode = 0;

	if (procfs_status(p->target.pid, "Seccomp", &mode) || !mode ||
	    seccomp_return_probe_kills(&t->object) != 1)
		return 0;
	return err_set(e, -EOPNOTSUPP,
		       "pid %d runs under seccomp, and this kernel kills such a process at its first "
		       "return probe (mended in Linux by cf6cb56ef244): it is left alone",
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

/* Probes and unwind tables for what the process has mapped now. 1: its allocator is traced. */
static int process_prepare(struct tracer *t, struct traced_process *p, struct err *e)
{
	struct probe_plan plan;
	int r = process_check_seccomp(t, p, e);

	if (r)
		return r;
	r = probe_plan_make(p->target.pid, &t->modules, &t->vias, &plan);
	if (!r)
		r = unwind_tables_update(&t->tables, p->target.pid, &t->options.progress);
	if (r)
		return err_set(e, r, "pid %d: %s", (int)p->target.pid,
			       r == -ESRCH ? "it has just exited" : strerror(-r));
	p->stranger = plan.stranger;
	p->modules_read_ns = now();
	r = process_attach(t, p, &plan, e);
	if (!r && !plan.allocator)
		process_no_allocator(p, &plan, e);
	p->allocator = !r && plan.allocator;
	probe_plan_deinit(&plan);
	return r ? r : p->allocator;
}

int tracer_add_command(struct tracer *t, struct target *target, struct err *e)
{
	struct traced_process p = { .target = *target, .state = PROCESS_STARTING, .command = true };
	int r = unwind_tables_update(&t->tables, target->pid, NULL);

	if (!r)
		r = vec_push(&t->processes, p);
	if (r)
		return err_set(e, r, "pid %d: %s", (int)target->pid, strerror(-r));
	object_set_command(&t->object, target->pid, true);
	*target = (struct target){ .pidfd = -1 };
	return 0;
}

static int process_attach_again(struct tracer *t, struct traced_process *p, struct err *e)
{
	target_refresh(&p->target);
	return process_prepare(t, p, e);
}

/* Reads the process's modules again. */
static int process_update(struct tracer *t, struct traced_process *p, uint64_t now_ns)
{
	size_t n_late = t->late.n;
	int r = 0;

	p->loaded = p->modules_changed = false;
	p->modules_read_ns = now_ns;
	if (p->allocator)
		r = unwind_tables_update(&t->tables, p->target.pid, NULL);
	else if (p->state == PROCESS_TRACED) /* after exec it comes with the loader's work */
		process_attach_again(t, p, NULL);
	ring_buffer__consume(t->ring); /* a copy may come before its stack */
	process_settle(t, p, n_late);
	return r;
}

int tracer_command_stopped(struct tracer *t, struct err *e)
{
	int r = ring_buffer__consume(t->ring); /* an exec may be waiting there */

	vec_foreach(p, &t->processes) {
		if (!p->stopping)
			continue;
		p->stopping = false;
		if (p->state != PROCESS_STARTING) {
			r = process_update(t, p, now());
			return r ? r : 1;
		}
		r = process_attach_again(t, p, e);
		if (r > 0) {
			p->state = PROCESS_TRACED;
			object_set_command(&t->object, p->target.pid, false);
		}
		return r;
	}
	return r < 0 ? r : -EALREADY;
}

bool tracer_command_stopping(const struct tracer *t)
{
	vec_foreach(p, &t->processes)
		if (p->stopping)
			return true;
	return false;
}

int tracer_add(struct tracer *t, struct target *target, struct err *e)
{
	struct traced_process p = { .target = *target, .state = PROCESS_TRACED };
	int r = process_prepare(t, &p, e);

	if (r == 0)
		r = -ENOENT;
	else if (r > 0)
		r = vec_push(&t->processes, p);
	if (r) {
		process_detach(&p);
		unwind_tables_remove(&t->tables, target->pid);
		return r;
	}
	*target = (struct target){ .pidfd = -1 };
	return 0;
}

/* -- running --------------------------------------------------------------------------------- */

void tracer_start(struct tracer *t)
{
	vec_foreach(p, &t->processes)
		if (!procfs_cpu_ns(p->target.pid, &p->cpu_start_ns))
			p->cpu_ns = p->cpu_start_ns;
	clock_gettime(CLOCK_REALTIME, &t->started);
	t->start_ns = now();
	cost_meter_tick(&t->cost, &t->object, t->start_ns);
	object_enable(&t->object, true);
}

static void process_end(struct tracer *t, struct traced_process *p)
{
	p->state = PROCESS_ENDED;
	ring_buffer__consume(t->ring);
	process_settle(t, p, t->late.n);
	unwind_tables_remove(&t->tables, p->target.pid);
}

static void process_tick(struct tracer *t, struct traced_process *p, uint64_t now_ns)
{
	if (p->state == PROCESS_ENDED)
		return;
	procfs_cpu_ns(p->target.pid, &p->cpu_ns);
	if (!target_alive(&p->target)) {
		process_end(t, p);
		return;
	}
	if (p->state == PROCESS_EXECED) {
		p->state = PROCESS_TRACED; /* should attaching fail it goes on untraced */
		process_attach_again(t, p, NULL);
	}
	if (p->loaded || (p->modules_changed && now_ns - p->modules_read_ns >= MODULES_AGAIN_NS))
		process_update(t, p, now_ns);
}

int tracer_poll(struct tracer *t, int timeout_ms)
{
	int r = ring_buffer__poll(t->ring, timeout_ms);
	uint64_t now_ns = now();

	if (r >= 0)
		r = ring_buffer__consume(t->ring);
	cost_meter_tick(&t->cost, &t->object, now_ns);
	vec_foreach(p, &t->processes)
		process_tick(t, p, now_ns);
	return r < 0 && r != -EINTR ? r : 0;
}

size_t tracer_alive(const struct tracer *t)
{
	size_t n = 0;

	vec_foreach(p, &t->processes)
		n += p->state != PROCESS_ENDED;
	return n;
}

int tracer_snapshot(struct tracer *t, uint64_t older_ns, uint64_t *ret_now_ns)
{
	*ret_now_ns = t->stop_ns ? t->stop_ns : now();
	ring_buffer__consume(t->ring);
	vec_foreach(p, &t->processes)
		if (p->state == PROCESS_TRACED && late_stacks_any(&t->late, (uint32_t)p->target.pid))
			process_update(t, p, *ret_now_ns);
	return ledger_snapshot(&t->ledger, &t->books, *ret_now_ns, older_ns);
}

void tracer_stop(struct tracer *t)
{
	if (t->stop_ns)
		return;
	object_enable(&t->object, false);
	t->stop_ns = now();
	cost_meter_stop(&t->cost, &t->object);
	vec_foreach(p, &t->processes)
		procfs_cpu_ns(p->target.pid, &p->cpu_ns);
	tracer_detach(t);
	ring_buffer__consume(t->ring);
}

double tracer_seconds(const struct tracer *t)
{
	if (!t->start_ns)
		return 0;
	return (double)((t->stop_ns ? t->stop_ns : now()) - t->start_ns) / 1e9;
}

double tracer_overhead_percent(struct tracer *t)
{
	struct bpf_counters c;
	uint64_t cpu_ns = 0;
	double cost;

	if (object_counters(&t->object, &c))
		return -1;
	vec_foreach(p, &t->processes)
		cpu_ns += p->cpu_ns - p->cpu_start_ns;
	cost = cost_meter_ns(&t->cost, &c);
	if (cost <= 0)
		return cost;
	/* CPU time comes in ticks of 10 ms: a share of less than that is of the time that it cost */
	return 100 * cost / ((double)cpu_ns > cost ? (double)cpu_ns : cost);
}
