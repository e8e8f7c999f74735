// SPDX-License-Identifier: Apache-2.0
#include "leak/stacks.h"
#include <errno.h>
#include <leaktrace/python.h>
#include <string.h>
#include "leak/recursion.h"

#define FRAMES_AT offsetof(struct lt_event_stack, frames)

static void stack_free(struct stack *s)
{
	free(s->frames);
	free(s->python);
	free(s->place.frames);
}

/* Whether the event holds all that it says. */
static bool event_is_sound(const struct lt_event_stack *e, size_t size)
{
	size_t words;

	if (size < FRAMES_AT || e->n > LT_MAX_FRAMES || e->stop >= LT_STOP_MAX || e->kind >= LT_KIND_MAX)
		return false;
	words = e->n + 2UL * e->n_python;
	return words <= LT_MAX_FRAMES && size >= FRAMES_AT + words * sizeof(uint64_t);
}

static int stack_take_python(struct stack *s, const struct lt_event_stack *e)
{
	const __u64 *words = e->frames + e->n;

	s->python = e->n_python ? calloc(e->n_python, sizeof(*s->python)) : NULL;
	if (e->n_python && !s->python)
		return -ENOMEM;
	for (s->n_python = 0; s->n_python < e->n_python; s->n_python++, words += 2) {
		s->python[s->n_python] = (struct python_frame){
			.code = words[0],
			.instr = words[1] & ~LT_PYTHON_AFTER_C,
		};
		if (s->n_python && words[1] & LT_PYTHON_AFTER_C)
			s->python[s->n_python - 1].entry = true;
	}
	return 0;
}

void stack_python_again(const struct stack *s, struct lt_event_stack *e)
{
	uint64_t seed = lt_stack_seed(e->head.tgid, e->kind, e->via);
	uint64_t hash = lt_stack_id(e->id, seed);
	unsigned int at = e->n;

	e->n_python = 0;
	for (unsigned int i = 0; i < s->n_python && at + 2 <= LT_MAX_FRAMES; i++, at += 2) {
		const struct python_frame *f = &s->python[i];

		e->frames[at] = f->code;
		e->frames[at + 1] = f->instr | (i && f[-1].entry ? LT_PYTHON_AFTER_C : 0);
		e->n_python++;
		hash = lt_hash_frame(lt_hash_frame(hash, e->frames[at]), e->frames[at + 1]);
	}
	e->id = lt_stack_id(hash, seed);
}

/* Takes `s` over, also when it fails. */
static int stack_table_push(struct stack_table *t, struct stack *s)
{
	int r = vec_push(t, *s);

	if (!r) {
		r = hashmap_put(&t->by_id, s->id, t->n - 1);
		t->n -= r != 0;
	}
	if (r)
		stack_free(s);
	return r;
}

static uint64_t *frames_copy(const uint64_t *frames, size_t n)
{
	uint64_t *copy = malloc((n ? n : 1) * sizeof(*copy));

	if (copy && n)
		memcpy(copy, frames, n * sizeof(*copy));
	return copy;
}

/* More has become known of it, or less is certain. */
static struct stack *take_frames(struct stack *known, struct stack *copy)
{
	free(known->frames);
	known->frames = copy->frames;
	known->n = copy->n;
	copy->frames = NULL;
	stack_free(copy);
	return known;
}

struct stack *stack_table_put(struct stack_table *t, const struct stack *s)
{
	struct stack *known = stack_table_get(t, s->id), copy = *s;

	copy.frames = frames_copy(s->frames, s->n);
	copy.place.frames = frames_copy(s->place.frames, s->place.n);
	if (!copy.frames || !copy.place.frames) {
		stack_free(&copy);
		return NULL;
	}
	if (!s->logical) /* else `n` of them are more than words */
		copy.n = (uint16_t)recursion_fold(copy.frames, copy.n);
	if (known)
		return take_frames(known, &copy);
	return stack_table_push(t, &copy) ? NULL : &t->items[t->n - 1];
}

int stack_table_add(struct stack_table *t, const struct lt_event_stack *e, size_t size)
{
	struct stack s;
	size_t n = 0;
	int r;

	if (!event_is_sound(e, size))
		return -EBADMSG;
	if (hashmap_get(&t->by_id, e->id))
		return 0;
	s = (struct stack){
		.id = e->id,
		.tgid = e->head.tgid,
		.kind = e->kind,
		.via = e->via,
		.stop = e->stop,
		.fp_frames = e->fp_frames,
	};
	r = recursion_fold_event((const uint64_t *)e->frames, e->n, &s.frames, &n);
	if (r)
		return r;
	s.n = (uint16_t)n;
	r = stack_take_python(&s, e);
	if (!r)
		return stack_table_push(t, &s);
	stack_free(&s);
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

/* What the stack's Python frames are called, should they be the same as those of one that knows. */
static void take_names(struct stack *s, const struct stack *from)
{
	if (s->n_python != from->n_python || s->python_module)
		return;
	s->python_module = from->python_module;
	for (unsigned int i = 0; i < s->n_python; i++)
		s->python[i] = from->python[i];
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
	take_names(&t->items[*into], s);
	stack_free(s);
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
		stack_free(s);
	vec_free(t);
	hashmap_deinit(&t->by_id);
}
