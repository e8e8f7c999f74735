// SPDX-License-Identifier: Apache-2.0
#include "trace/tracer_events.h"
#include <bpf/libbpf.h>
#include <errno.h>
#include <sys/epoll.h>
#include "base/cleanup.h"
#include "proc/procfs.h"
#include "trace/follow.h"
#include "trace/tracer.h"

#define READY_MAX 64 /* processes that have ended, at a time */

/* -- hearing --------------------------------------------------------------------------------- */

static int take_stack(struct tracer *t, const void *data, size_t size)
{
	const struct lt_event_stack *e = data;
	struct stack *s;

	books_event(&t->books, e, size);
	s = size >= offsetof(struct lt_event_stack, frames) && e->n_python
		    ? stack_table_get(&t->books.stacks, e->id) : NULL;
	return s ? python_name(&t->pythons, s) : 0;
}

static int take_range(struct tracer *t, const void *data, size_t size)
{
	books_event(&t->books, data, size);
	return 0;
}

static int take_file(struct tracer *t, const void *data, size_t size)
{
	return unwind_tables_learn(&t->tables, data, size);
}

static int take_copy(struct tracer *t, const void *data, size_t size)
{
	return late_stacks_add(&t->late, data, size);
}

static int take_exit(struct tracer *t, const void *data, size_t size)
{
	const struct lt_event_exit *e = data;

	if (size < sizeof(*e))
		return 0;
	return process_events_put(&t->events, &(struct process_event){ .type = EVENT_LAST_WORDS,
								       .pid = (pid_t)e->head.tgid,
								       .cpu_ns = e->cpu_ns });
}

static int take_exec(struct tracer *t, const void *data, size_t size)
{
	const struct lt_event_exec *e = data;

	if (size < sizeof(*e))
		return 0;
	books_forget(&t->books, e->head.tgid); /* at once: what comes behind it is of the new program */
	return process_events_put(&t->events, &(struct process_event){
		.type = EVENT_EXECED, .pid = (pid_t)e->head.tgid, .ns = e->ns, .recorded = e->recorded,
	});
}

static int take_born(struct tracer *t, const void *data, size_t size)
{
	const struct lt_event_born *e = data;

	if (size < sizeof(*e))
		return 0;
	return process_events_put(&t->events, &(struct process_event){
		.type = EVENT_BORN, .pid = (pid_t)e->tgid, .parent = (pid_t)e->head.tgid, .ns = e->ns, .held = e->held,
	});
}

static int put_down(struct tracer *t, const struct lt_event *e, enum process_event_type type)
{
	return process_events_put(&t->events, &(struct process_event){ .type = type, .pid = (pid_t)e->tgid });
}

/* Of each type of event either what is done at once, or what it says of the process. */
static const struct {
	int (*take)(struct tracer *t, const void *data, size_t size);
	enum process_event_type type;
} heard[] = {
	[LT_EVENT_STACK] = { .take = take_stack },
	[LT_EVENT_RANGE] = { .take = take_range },
	[LT_EVENT_FILE] = { .take = take_file },
	[LT_EVENT_COPY] = { .take = take_copy },
	[LT_EVENT_EXIT] = { .take = take_exit },
	[LT_EVENT_BORN] = { .take = take_born },
	[LT_EVENT_EXEC] = { .take = take_exec },
	[LT_EVENT_STOPPED] = { .type = EVENT_STOPPED },
	[LT_EVENT_LOADER] = { .type = EVENT_LOADED },
	[LT_EVENT_UNKNOWN] = { .type = EVENT_UNKNOWN_CODE },
	[LT_EVENT_SHARER] = { .type = EVENT_SHARED },
	[LT_EVENT_LEADER] = { .type = EVENT_LEADER_ENDED },
};

int tracer_on_event(void *tracer, void *data, size_t size)
{
	const struct lt_event *e = data;
	struct tracer *t = tracer;
	int r;

	if (size < sizeof(*e) || e->type >= ARRAY_SIZE(heard))
		return 0;
	r = heard[e->type].take ? heard[e->type].take(t, data, size) : put_down(t, e, heard[e->type].type);
	t->books.oom += r == -ENOMEM;
	return 0;
}

int tracer_listen_to_ring(struct tracer *t)
{
	struct epoll_event e = { .events = EPOLLIN };

	return epoll_ctl(t->epoll, EPOLL_CTL_ADD, ring_buffer__epoll_fd(t->ring), &e) ? -errno : 0;
}

int tracer_listen_to(struct tracer *t, const struct target *target)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = (uint64_t)target->pid };

	return epoll_ctl(t->epoll, EPOLL_CTL_ADD, target->pidfd, &e) ? -errno : 0;
}

/* Closing the descriptor would not do: a helper that is just being forked has it as well. */
void tracer_listen_no_more(struct tracer *t, const struct target *target)
{
	epoll_ctl(t->epoll, EPOLL_CTL_DEL, target->pidfd, NULL);
}

int tracer_listen(struct tracer *t, int timeout_ms)
{
	struct epoll_event ready[READY_MAX];
	int n = epoll_wait(t->epoll, ready, READY_MAX, timeout_ms), r;

	if (n < 0 && errno != EINTR)
		return -errno;
	r = ring_buffer__consume(t->ring); /* who has ended by now has said all before */
	for (int i = 0; i < n; i++) {
		const struct process_event e = { .type = EVENT_EXITED, .pid = (pid_t)ready[i].data.u64 };

		if (e.pid)
			t->books.oom += process_events_put(&t->events, &e) == -ENOMEM;
	}
	return r < 0 ? r : 0;
}

/* -- doing ----------------------------------------------------------------------------------- */

/* Somebody who looks for processes may have been quicker than the news of its birth. Else its pid has been another's. */
static bool is_known(const struct traced_process *p, const struct process_event *e)
{
	return p && e->ns <= p->target.opened_ns;
}

static void on_born(struct tracer *t, struct traced_process *p, const struct process_event *e)
{
	if (is_known(p, e)) {
		p->parent = e->parent;
		if (!p->late && p->begun_ns > e->ns)
			p->unseen_ns = p->begun_ns - e->ns;
		return;
	}
	t->books.oom += tracer_free_id(t, e->pid) == -ENOMEM;
	if (!e->held && t->options.wants && !t->options.wants(t->options.wants_ctx, e->pid))
		tracer_forget(t, e->pid);
	else
		follow_born(t, e);
}

static void on_execed(struct tracer *t, struct traced_process *p, const struct process_event *e)
{
	process_execed(t, p, e->ns, e->recorded);
	if (p->held)
		follow_stopped(t, p);
}

static void on_stopped(struct tracer *t, struct traced_process *p, const struct process_event *e)
{
	p->stopping = true;
	if (p->held)
		follow_stopped(t, p);
}

static void on_loaded(struct tracer *t, struct traced_process *p, const struct process_event *e)
{
	process_loaded(p);
}

static void on_unknown_code(struct tracer *t, struct traced_process *p, const struct process_event *e)
{
	p->modules_changed = true;
}

static void on_shared(struct tracer *t, struct traced_process *p, const struct process_event *e)
{
	p->sharing.due = true;
}

static void on_leader_ended(struct tracer *t, struct traced_process *p, const struct process_event *e)
{
	p->leader_ended = true;
}

static void on_last_words(struct tracer *t, struct traced_process *p, const struct process_event *e)
{
	if (e->cpu_ns > p->cpu_ns)
		p->cpu_ns = e->cpu_ns;
	p->cpu_whole = true;
}

static void on_exited(struct tracer *t, struct traced_process *p, const struct process_event *e)
{
	if (!target_alive(&p->target)) /* else it was another that had its pid */
		process_end(t, p);
}

typedef void handler(struct tracer *t, struct traced_process *p, const struct process_event *e);

static handler *const handlers[EVENT_MAX] = {
	[EVENT_BORN] = on_born,
	[EVENT_EXECED] = on_execed,
	[EVENT_STOPPED] = on_stopped,
	[EVENT_LOADED] = on_loaded,
	[EVENT_UNKNOWN_CODE] = on_unknown_code,
	[EVENT_SHARED] = on_shared,
	[EVENT_LEADER_ENDED] = on_leader_ended,
	[EVENT_LAST_WORDS] = on_last_words,
	[EVENT_EXITED] = on_exited,
};

bool tracer_handle_events(struct tracer *t)
{
	const bool any = t->events.n;

	for (size_t i = 0; i < t->events.n; i++) { /* by number: there may be more of them each time */
		const struct process_event e = t->events.items[i];
		struct traced_process *p = process_table_find(&t->processes, e.pid);

		if (p || e.type == EVENT_BORN)
			handlers[e.type](t, p, &e);
		else
			follow_stray(t, &e);
	}
	t->events.n = 0;
	return any;
}
