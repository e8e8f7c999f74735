// SPDX-License-Identifier: Apache-2.0
#include "trace/follow.h"
#include <signal.h>
#include "base/clock.h"
#include "trace/tracer.h"

/* Its probes, as far as it has something to probe; what the hooks see is traced in any case. */
static int follow_add(struct tracer *t, const struct process_event *e, struct err *why)
{
	struct target target;
	int r = target_open(e->pid, &target, why);

	if (r)
		return r;
	r = tracer_add_child(t, &target, e->held, why);
	if (r)
		target_deinit(&target);
	return r;
}

static void follow_give_up(struct tracer *t, pid_t pid, const struct err *why)
{
	struct unfollowed *u = &t->unfollowed;

	tracer_forget(t, pid);
	if (process_is_exiting(pid))
		u->brief++;
	else if (!u->refused++)
		u->why = *why;
}

void follow_born(struct tracer *t, const struct process_event *e)
{
	struct traced_process *p;
	struct err why = { "" };
	int r = follow_add(t, e, &why);

	if (r) {
		err_complete(&why, r, "pid %d", (int)e->pid);
		follow_give_up(t, e->pid, &why);
	} else {
		p = process_table_find(&t->processes, e->pid);
		p->parent = e->parent;
		p->unseen_ns = e->held ? 0 : clock_now() - e->ns;
	}
	if (e->held)
		kill(e->pid, SIGCONT);
}

void follow_stopped(struct tracer *t, struct traced_process *p)
{
	p->stopping = false;
	tracer_look_at_stop(t, p, NULL);
	kill(p->target.pid, SIGCONT);
}

void follow_stray(const struct tracer *t, const struct process_event *e)
{
	if (t->options.hold && (e->type == EVENT_EXECED || e->type == EVENT_STOPPED))
		kill(e->pid, SIGCONT);
}

void follow_end(struct tracer *t)
{
	object_hold_no_more(&t->object);
	process_foreach(p, &t->processes)
		if (p->held && p->state != PROCESS_ENDED)
			kill(p->target.pid, SIGCONT);
}
