// SPDX-License-Identifier: Apache-2.0
#include "probe/tracer_events.h"
#include "base/cleanup.h"
#include "probe/tracer.h"

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
	[LT_EVENT_EXEC] = { .type = EVENT_EXECED },
	[LT_EVENT_STOPPED] = { .type = EVENT_STOPPED },
	[LT_EVENT_LOADER] = { .type = EVENT_LOADED },
	[LT_EVENT_UNKNOWN] = { .type = EVENT_UNKNOWN_CODE },
	[LT_EVENT_SHARER] = { .type = EVENT_SHARED },
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

/* -- doing ----------------------------------------------------------------------------------- */

static void on_execed(struct tracer *t, struct traced_process *p)
{
	process_execed(t, p);
}

static void on_stopped(struct tracer *t, struct traced_process *p)
{
	p->stopping = true;
}

static void on_loaded(struct tracer *t, struct traced_process *p)
{
	p->loaded = true;
}

static void on_unknown_code(struct tracer *t, struct traced_process *p)
{
	p->modules_changed = true;
}

static void on_shared(struct tracer *t, struct traced_process *p)
{
	p->sharing.due = true;
}

static void (*const handlers[EVENT_MAX])(struct tracer *t, struct traced_process *p) = {
	[EVENT_EXECED] = on_execed,
	[EVENT_STOPPED] = on_stopped,
	[EVENT_LOADED] = on_loaded,
	[EVENT_UNKNOWN_CODE] = on_unknown_code,
	[EVENT_SHARED] = on_shared,
};

void tracer_handle_events(struct tracer *t)
{
	for (size_t i = 0; i < t->events.n; i++) { /* by number: there may be more of them each time */
		const struct process_event e = t->events.items[i];
		struct traced_process *p = process_table_find(&t->processes, e.pid);

		if (p)
			handlers[e.type](t, p);
	}
	t->events.n = 0;
}
