// SPDX-License-Identifier: Apache-2.0
#include "trace/pending_stacks.h"
#include <errno.h>
#include <string.h>

static size_t copy_bytes(const struct lt_event_copy *copy)
{
	return copy ? offsetof(struct lt_event_copy, stack) + copy->size : 0;
}

int late_stacks_add(struct late_stacks *l, const void *event, size_t size)
{
	const struct lt_event_copy *copy = event;
	struct late_stack late;
	int r;

	if (size < offsetof(struct lt_event_copy, stack) ||
	    size - offsetof(struct lt_event_copy, stack) < copy->size)
		return -EBADMSG;
	late = (struct late_stack){ .id = copy->id, .frames_id = copy->frames_id,
				    .tgid = copy->head.tgid };
	if (l->bytes + size <= LATE_BYTES_MAX)
		late.copy = malloc(size);
	if (late.copy)
		memcpy(late.copy, copy, size);
	r = vec_push(l, late);
	if (r)
		free(late.copy);
	else
		l->bytes += copy_bytes(late.copy);
	return r;
}

/* A copy is one of the process's own stack: the kernel's frames before it have been recorded already. */
static void add_kernel_frames(struct lt_event_stack *e, const struct stack *early)
{
	size_t kernel = 0;

	while (early && kernel < early->n && LT_FRAME_IS_KERNEL(early->frames[kernel]))
		kernel++;
	if (!kernel)
		return;
	if (e->n > LT_MAX_FRAMES - kernel) {
		e->n = (uint16_t)(LT_MAX_FRAMES - kernel);
		e->stop = LT_STOP_TOO_DEEP;
	}
	memmove(e->frames + kernel, e->frames, e->n * sizeof(uint64_t));
	memcpy(e->frames, early->frames, kernel * sizeof(uint64_t));
	e->n = (uint16_t)(e->n + kernel);
	e->id = 0;
	for (size_t i = 0; i < e->n; i++)
		e->id = lt_hash_frame(e->id, e->frames[i]);
	e->id = lt_stack_id(e->id, lt_stack_seed(e->head.tgid, e->kind, e->via));
}

static int late_stack_settle(const struct late_stack *late, const struct object *o,
			     struct stack_table *stacks)
{
	const struct stack *known = stack_table_get(stacks, late->id);
	struct lt_event_stack e;
	int r = late->copy ? object_walk_again(o, late->copy, &e) : -ENODATA;

	if (!r) {
		add_kernel_frames(&e, known);
		if (known)
			stack_python_again(known, &e);
		r = stack_table_add(stacks, &e, sizeof(e));
	}
	return stack_table_merge(stacks, late->id, r ? late->frames_id : e.id);
}

int late_stacks_settle(struct late_stacks *l, size_t n, uint32_t tgid, const struct object *o,
		       struct stack_table *stacks)
{
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct late_stack *late = &l->items[i];

		if (i >= n || late->tgid != tgid) {
			l->items[kept++] = *late;
			continue;
		}
		if (late_stack_settle(late, o, stacks))
			r = -ENOMEM;
		l->bytes -= copy_bytes(late->copy);
		free(late->copy);
	}
	l->n = kept;
	return r;
}

bool late_stacks_any(const struct late_stacks *l, uint32_t tgid)
{
	vec_foreach(late, l)
		if (late->tgid == tgid)
			return true;
	return false;
}

void late_stacks_deinit(struct late_stacks *l)
{
	vec_foreach(late, l)
		free(late->copy);
	vec_free(l);
}
