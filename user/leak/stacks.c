// SPDX-License-Identifier: Apache-2.0
#include "leak/stacks.h"
#include <errno.h>
#include <string.h>

#define FRAMES_AT offsetof(struct lt_event_stack, frames)

int stack_table_add(struct stack_table *t, const struct lt_event_stack *e, size_t size)
{
	struct stack s;
	int r;

	if (size < FRAMES_AT || e->n > LT_MAX_FRAMES || size < FRAMES_AT + e->n * sizeof(uint64_t) ||
	    e->stop >= LT_STOP_MAX || e->kind >= LT_KIND_MAX)
		return -EBADMSG;
	if (hashmap_get(&t->by_id, e->id))
		return 0;
	s = (struct stack){
		.id = e->id,
		.tgid = e->head.tgid,
		.kind = e->kind,
		.via = e->via,
		.stop = e->stop,
		.n = e->n,
		.fp_frames = e->fp_frames,
		.frames = malloc((e->n ? e->n : 1) * sizeof(uint64_t)),
	};
	if (!s.frames)
		return -ENOMEM;
	memcpy(s.frames, e->frames, e->n * sizeof(uint64_t));
	r = vec_push(t, s);
	if (!r) {
		r = hashmap_put(&t->by_id, e->id, t->n - 1);
		t->n -= r != 0;
	}
	if (r)
		free(s.frames);
	return r;
}

struct stack *stack_table_get(const struct stack_table *t, uint64_t id)
{
	uint64_t *at = hashmap_get(&t->by_id, id);

	return at ? &t->items[*at] : NULL;
}

void stack_table_deinit(struct stack_table *t)
{
	vec_foreach(s, t)
		free(s->frames);
	vec_free(t);
	hashmap_deinit(&t->by_id);
}
