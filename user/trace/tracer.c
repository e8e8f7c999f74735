// SPDX-License-Identifier: Apache-2.0
#include "trace/tracer.h"
#include <bpf/libbpf.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "kind/syscalls.h"
#include "proc/procfs.h"
#include "trace/follow.h"
#include "trace/tracer_events.h"

#define SETTLE_NS	  1000000000ULL
#define CENSUSES	  3 /* at a time, should something be missing in the books */
#define CENSUS_AGAIN_US	  2000
#define PROC_PID_INIT_INO 0xEFFFFFFCU /* kernel: include/linux/proc_ns.h */

/* BPF is to see process ids as we do: in our own pid namespace. */
static void pidns_config(struct lt_config *c)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) || st.st_ino == PROC_PID_INIT_INO)
		return;
	c->pidns_dev = st.st_dev;
	c->pidns_ino = st.st_ino;
}

/* -- life ------------------------------------------------------------------------------------ */

/* Loads the best attach kind that also works when tried on ourselves. */
static int tracer_load(struct tracer *t, struct err *e)
{
	struct object_options oo = {
		.config = { .min_amount = t->options.min_amount, .max_amount = t->options.max_amount,
			    .kinds = t->options.kinds,
			    .kernel_stacks = t->options.kernel_stacks },
		.hooks = &t->hooks,
		.max_processes = tracer_max_processes(t),
		.memory = t->options.memory,
		.kind = t->options.attach_kind,
	};
	struct trap_cost trap = { 0 };
	int r = 0;

	pidns_config(&oo.config);
	for (;;) {
		struct err why = { "" };
		int tried = r;

		r = object_load(&oo, &t->object, &why);
		if (r == -EOPNOTSUPP && tried)
			return tried; /* that was the last kind */
		if (r)
			return err_set(e, r, "%s", why.text);
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

/* The hooks in the kernel: which of them this kernel has, and why not the better ones. */
static int tracer_choose_hooks(struct tracer *t, struct err *e)
{
	int r = hooks_choose(t->options.kinds, t->options.hooks, &t->hooks);

	vec_foreach(c, &t->hooks)
		if (r == -EOPNOTSUPP && !c->row)
			err_set(e, r, "no hook for %s can be attached%s%s on this kernel: %s",
				c->hook->what, t->options.hooks ? " by " : "",
				t->options.hooks ? t->options.hooks : "",
				strerror(-hook_choice_refusal(c)));
	return r;
}

/* What the hooks on all system calls cost; a call took `before` without them. */
static void tracer_measure_syscalls(struct tracer *t, double before)
{
	object_enable(&t->object, true);
	syscall_cost_measure(&t->object, before, &t->cost.syscall_ns, &t->cost.traced_syscall_ns);
	object_enable(&t->object, false);
}

static int tracer_attach_hooks(struct tracer *t, struct err *e)
{
	size_t n;
	const struct syscall_row *rows = syscall_rows(&n);
	bool hold = t->options.follow && t->options.hold;
	bool all = hooks_on_all_syscalls(&t->hooks) || hold;
	double before = all ? syscall_time_measure() : 0;
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		struct lt_syscall row = rows[i].row;

		r = via_index(&t->vias, rows[i].via, &row.via);
		if (!r)
			r = object_set_syscall(&t->object, rows[i].nr, &row);
	}
	if (!r)
		r = object_attach_hooks(&t->object, &t->hooks, e);
	if (!r && hold)
		r = object_attach_births(&t->object);
	if (!r && all)
		tracer_measure_syscalls(t, before);
	return r;
}

/* While we are small: they begin as copies of us. */
static int tracer_start_helpers(struct tracer *t, struct err *e)
{
	int r = helper_start(&t->modules.opener.helper);

	if (!r)
		r = names_create(&t->modules.left_out, &t->names);
	return r ? err_set(e, r, "no helper process can be started: %s", strerror(-r)) : 0;
}

int tracer_create(const struct tracer_options *options, struct tracer **ret, struct err *e)
{
	struct tracer *t = calloc(1, sizeof(*t));
	struct table_maps maps;
	int r;

	if (!t)
		return -ENOMEM;
	t->options = *options;
	t->epoll = epoll_create1(EPOLL_CLOEXEC);
	module_table_init(&t->modules);
	detacher_init(&t->detacher);
	r = t->epoll < 0 ? -errno : tracer_start_helpers(t, e);
	if (!r)
		r = tracer_choose_hooks(t, e);
	if (!r)
		r = tracer_load(t, e);
	if (!r)
		r = tracer_attach_hooks(t, e);
	if (!r) {
		object_ask_kernel(&t->object, !t->options.only_tables);
		object_table_maps(&t->object, &maps);
		object_ledger_maps(&t->object, &t->ledger);
		r = unwind_tables_init(&t->tables, &maps, &t->modules);
		t->pythons = (struct python_processes){ .modules = &t->modules, .tables = &t->tables,
							.map = object_pythons(&t->object) };
	}
	if (!r) {
		t->ring = ring_buffer__new(object_ring(&t->object), tracer_on_event, t, NULL);
		r = t->ring ? ring_buffer__add(t->ring, object_copies(&t->object), tracer_on_event, t) : -errno;
		if (!r)
			r = tracer_listen_to_ring(t);
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
	process_foreach(p, &t->processes) {
		sources_detach(p, &p->attachments);
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
	while (t->processes.first)
		process_remove(t, t->processes.first);
	process_table_deinit(&t->processes);
	go_judges_destroy(t->go_judges);
	vec_free(&t->events);
	hashmap_deinit(&t->forgotten);
	ended_groups_deinit(&t->ended);
	detacher_deinit(&t->detacher);
	ring_buffer__free(t->ring);
	if (t->epoll >= 0)
		close(t->epoll);
	if (t->object.skel)
		object_unload(&t->object);
	python_processes_deinit(&t->pythons);
	unwind_tables_deinit(&t->tables);
	names_destroy(t->names);
	module_plans_deinit(&t->plans);
	module_table_deinit(&t->modules);
	books_deinit(&t->books);
	late_stacks_deinit(&t->late);
	jit_stacks_deinit(&t->jits);
	hook_choices_deinit(&t->hooks);
	free(t);
}

/* -- running --------------------------------------------------------------------------------- */

static void tracer_read(struct tracer *t, enum source_reading what)
{
	process_foreach(p, &t->processes)
		if (p->state == PROCESS_TRACED)
			sources_read(t, p, what);
}

void tracer_start(struct tracer *t)
{
	clock_gettime(CLOCK_REALTIME, &t->started);
	t->start_ns = clock_now();
	cost_meter_tick(&t->cost, &t->object, t->start_ns);
	object_enable(&t->object, true);
	if (t->options.follow)
		object_follow(&t->object);
	process_foreach(p, &t->processes)
		process_begin(t, p);
}

/* It runs another program. */
static void process_look_again(struct tracer *t, struct traced_process *p)
{
	struct err why = { "" };
	int r;

	p->state = PROCESS_TRACED;
	p->attached_more = false;
	r = process_prepare_again(t, p, &why);
	if (r < 0 && !process_is_exiting(p->target.pid)) /* it goes on untraced */
		t->books.oom += left_out_add(&t->modules.left_out, "the memory",
					     p->target.exe ? p->target.exe : "a program after exec",
					     *why.text ? why.text : strerror(-r)) == -ENOMEM;
	if (!p->probes_kept || p->attached_more)
		p->unseen_ns += clock_now() - p->execed_ns;
	process_reconcile(t, p, RECONCILE_BEGIN);
}

static void process_tick(struct tracer *t, struct traced_process *p, uint64_t now_ns)
{
	if (p->state == PROCESS_ENDED)
		return;
	if (p->state == PROCESS_EXECED)
		process_look_again(t, p);
	process_rebind(t, p);
	process_follow(t, p, now_ns);
}

/* Settles the books of all by censuses, until nothing is missing in them. */
static void tracer_reconcile(struct tracer *t)
{
	bool again = true;

	for (int i = 0; i < CENSUSES && again; i++) {
		if (i)
			usleep(CENSUS_AGAIN_US);
		again = false;
		process_foreach(p, &t->processes)
			if (p->state == PROCESS_TRACED)
				again |= process_reconcile(t, p, RECONCILE_GOING) > 0;
	}
	t->reconciled_ns = clock_now();
}

static void tracer_reap(struct tracer *t)
{
	process_foreach(p, &t->processes)
		if (p->state == PROCESS_TRACED)
			process_reap(t, p);
}

/* Where they are by now. */
static void tracer_read_cgroups(struct tracer *t)
{
	process_foreach(p, &t->processes)
		if (p->state != PROCESS_ENDED)
			target_read_cgroup(&p->target);
}

static void tracer_read_cpu(struct tracer *t)
{
	process_foreach(p, &t->processes)
		if (p->state != PROCESS_ENDED)
			process_read_cpu(p);
}

void tracer_refresh(struct tracer *t)
{
	tracer_read_cpu(t);
	tracer_read_cgroups(t);
	sharers_look(t);
	tracer_reconcile(t);
	tracer_reap(t);
	tracer_read(t, SOURCE_READ_AND_JUDGE);
}

/* What only a census can tell must not pile up in the books. */
static void tracer_settle(struct tracer *t, uint64_t now_ns)
{
	struct bpf_counters c;

	if (now_ns - t->reconciled_ns < SETTLE_NS || object_counters(&t->object, &c))
		return;
	if (c.n[LT_COUNT_UNSETTLED] != t->unsettled)
		tracer_reconcile(t);
	t->unsettled = c.n[LT_COUNT_UNSETTLED];
	t->reconciled_ns = now_ns;
}

/* Symbols are read while there is time, so that the report need not wait for them. */
static void tracer_read_names(struct tracer *t)
{
	for (; t->named.stack < t->books.stacks.n; t->named.stack++, t->named.frame = 0) {
		const struct stack *s = &t->books.stacks.items[t->named.stack];

		for (; t->named.frame < s->n; t->named.frame++) {
			const uint64_t frame = s->frames[t->named.frame];
			const struct module *m = module_table_get(&t->modules, LT_FRAME_MODULE(frame));

			if (m && !names_ahead(t->names, m, LT_FRAME_OFFSET(frame) - 1))
				return;
		}
	}
}

int tracer_poll(struct tracer *t, int timeout_ms)
{
	int r = tracer_listen(t, timeout_ms);
	uint64_t now_ns = clock_now();

	tracer_handle_events(t);
	cost_meter_tick(&t->cost, &t->object, now_ns);
	sharers_tick(t, now_ns); /* first: they do not wait */
	process_foreach(p, &t->processes)
		process_tick(t, p, now_ns);
	tracer_settle(t, now_ns);
	tracer_read(t, SOURCE_READ_DUE);
	tracer_handle_events(t); /* of which has been heard meanwhile */
	tracer_remove_forgotten(t);
	tracer_limit_ended(t);
	jit_stacks_tick(t, now_ns);
	tracer_read_names(t);
	return r;
}

size_t tracer_alive(const struct tracer *t)
{
	return t->processes.n_living;
}

void tracer_stop(struct tracer *t)
{
	if (t->stop_ns)
		return;
	follow_end(t);
	do /* a command has been waited for, maybe since the last look */
		tracer_listen(t, 0);
	while (tracer_handle_events(t));
	tracer_remove_forgotten(t);
	sharers_look(t);
	tracer_reconcile(t);
	tracer_read(t, SOURCE_READ_PROBED);
	object_enable(&t->object, false);
	t->stop_ns = clock_now();
	tracer_reap(t);
	cost_meter_stop(&t->cost, &t->object);
	tracer_read_cpu(t);
	tracer_read_cgroups(t);
	tracer_detach(t);
	tracer_read(t, SOURCE_READ_AND_JUDGE); /* that may take a while */
	ring_buffer__consume(t->ring);
}
