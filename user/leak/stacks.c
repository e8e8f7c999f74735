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

/* All ids of the stack at `from` now lead to the one at `to`. */
static void stack_table_redirect(struct stack_table *t, uint64_t from, uint64_t to)
{
	for (size_t i = 0; i < t->by_id.cap; i++)
		if (t->by_id.slots[i].used && t->by_id.slots[i].value == from)
			t->by_id.slots[i].value = to;
}

static void totals_add(struct lt_totals *sum, const struct lt_totals *t)
{
	sum->acquired += t->acquired;
	sum->acquired_amount += t->acquired_amount;
	sum->released += t->released;
	sum->released_amount += t->released_amount;
}

int stack_table_merge(struct stack_table *t, uint64_t from, uint64_t to)
{
	uint64_t *at = hashmap_get(&t->by_id, from), *into = hashmap_get(&t->by_id, to), gone;
	struct stack *s;

	if (!at || (into && *at == *into))
		return 0;
	gone = *at;
	s = &t->items[gone];
	if (!into) {
		s->id = to;
		return hashmap_put(&t->by_id, to, gone);
	}
	totals_add(&t->items[*into].ranges, &s->ranges);
	totals_add(&t->items[*into].totals, &s->totals);
	free(s->frames);
	stack_table_redirect(t, gone, *into);
	*s = t->items[--t->n];
	stack_table_redirect(t, t->n, gone);
	return 0;
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
