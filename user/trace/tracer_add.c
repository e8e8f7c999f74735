// SPDX-License-Identifier: Apache-2.0
/* How processes come into a trace: by name, as members of its scope, as children, as a command of ours. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "trace/tracer.h"
#include "trace/tracer_events.h"

uint32_t tracer_max_processes(const struct tracer *t)
{
	return t->options.max_processes ? t->options.max_processes : LT_PROCESSES;
}

int tracer_free_id(struct tracer *t, pid_t pid)
{
	struct traced_process *before = process_table_latest(&t->processes, pid);

	if (!before || (before->state != PROCESS_ENDED && target_alive(&before->target)))
		return 0;
	if (before->state != PROCESS_ENDED) /* we are about to be told so */
		process_end(t, before);
	return tracer_remove(t, before);
}

/* A handle of it in the table. -ENOSPC: as many as there is room for are being traced. */
static int tracer_enter(struct tracer *t, const struct target *target, struct traced_process **ret)
{
	struct traced_process *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->target = *target;
	r = tracer_free_id(t, target->pid);
	if (!r)
		r = process_table_add(&t->processes, p);
	if (!r && t->processes.n_living > tracer_max_processes(t)) {
		process_table_remove(&t->processes, p);
		r = -ENOSPC;
	}
	if (!r) {
		r = tracer_listen_to(t, target);
		if (r)
			process_table_remove(&t->processes, p);
	}
	if (r)
		free(p);
	else
		*ret = p;
	return r;
}

/* It could not be added: the target remains the caller's. */
static void tracer_give_up(struct tracer *t, struct traced_process *p)
{
	sources_end(t, p);
	unwind_tables_remove(&t->tables, p->target.pid);
	process_table_remove(&t->processes, p);
	tracer_listen_no_more(t, &p->target);
	p->target = (struct target){ .pidfd = -1 };
	process_deinit(p);
	free(p);
}

int tracer_add_command(struct tracer *t, struct target *target, struct err *e)
{
	struct traced_process *p;
	int r = tracer_enter(t, target, &p);

	if (!r) {
		p->state = PROCESS_STARTING;
		p->command = true;
		r = unwind_tables_update(&t->tables, target->pid, NULL);
		if (!r)
			r = unwind_tables_begin(&t->tables, target->pid); /* its exec is all that it does */
		if (r)
			tracer_give_up(t, p);
	}
	if (r)
		return err_set(e, r, "pid %d: %s", (int)target->pid, strerror(-r));
	object_set_command(&t->object, target->pid, true);
	*target = (struct target){ .pidfd = -1 };
	return 0;
}

int tracer_look_at_stop(struct tracer *t, struct traced_process *p, struct err *e)
{
	int r;

	if (p->state != PROCESS_STARTING) {
		r = process_update(t, p, clock_now());
		return r ? r : 1;
	}
	r = process_prepare_again(t, p, e);
	if (!p->stops++) /* what it was given */
		process_reconcile(t, p, RECONCILE_BEGIN);
	if (r == -ENOENT && !e) /* a later program goes on, untraced */
		r = 1;
	if (r > 0) {
		p->state = PROCESS_TRACED;
		if (p->command)
			object_set_command(&t->object, p->target.pid, false);
	}
	return r;
}

int tracer_command_stopped(struct tracer *t, struct err *e)
{
	int r = ring_buffer__consume(t->ring); /* an exec may be waiting there */

	tracer_handle_events(t);
	process_foreach(p, &t->processes) {
		if (!p->stopping || !p->command)
			continue;
		p->stopping = false;
		return tracer_look_at_stop(t, p, e);
	}
	return r < 0 ? r : -EALREADY;
}

bool tracer_command_stopping(const struct tracer *t)
{
	process_foreach(p, &t->processes)
		if (p->stopping && p->command)
			return true;
	return false;
}

static int tracer_cannot_enter(const struct tracer *t, const struct target *target, int r, struct err *e)
{
	if (r == -ENOSPC)
		return err_set(e, r, "pid %d: %u processes are being traced, and there is no room for more",
			       (int)target->pid, tracer_max_processes(t));
	return err_set(e, r, "pid %d: %s", (int)target->pid,
		       r == -EEXIST ? "it is being traced already" : strerror(-r));
}

/* `anyhow`: also when nothing that was asked for can be traced in it, so far. */
static int tracer_take(struct tracer *t, struct target *target, bool anyhow, struct err *e)
{
	struct traced_process *p;
	int r = tracer_enter(t, target, &p);

	if (r)
		return tracer_cannot_enter(t, target, r, e);
	p->state = PROCESS_TRACED;
	sharers_prepare(t, p);
	r = process_prepare(t, p, e);
	if (!r)
		r = -ENOENT;
	if (r < 0 && !(anyhow && r == -ENOENT)) {
		tracer_give_up(t, p);
		return r;
	}
	target_refresh(&p->target); /* of an exec just before it was listened to nobody tells */
	if (t->start_ns)
		process_begin(t, p);
	*target = (struct target){ .pidfd = -1 };
	return 0;
}

int tracer_add(struct tracer *t, struct target *target, struct err *e)
{
	return tracer_take(t, target, false, e);
}

int tracer_add_member(struct tracer *t, struct target *target, struct err *e)
{
	return tracer_take(t, target, true, e);
}

int tracer_add_child(struct tracer *t, struct target *target, bool held, struct err *e)
{
	struct traced_process *p;
	int r = tracer_enter(t, target, &p);

	if (r)
		return tracer_cannot_enter(t, target, r, e);
	p->held = t->options.hold; /* at exec, and while its loader is at work, also when it was not at its birth */
	p->state = PROCESS_TRACED;
	r = process_prepare(t, p, e);
	if (r == -ENOENT && t->options.kinds & LT_KINDS_SYSTEM)
		r = 1;
	if (r < 0) {
		tracer_give_up(t, p);
		return r;
	}
	if (!r && held) /* it has just run exec, and its loader is yet to come */
		p->state = PROCESS_STARTING;
	process_begin(t, p);
	*target = (struct target){ .pidfd = -1 };
	return 0;
}

void tracer_forget(struct tracer *t, pid_t pid)
{
	unwind_tables_remove(&t->tables, pid);
	t->books.oom += hashmap_put(&t->forgotten, (uint64_t)pid, 0) != 0;
}
