// SPDX-License-Identifier: Apache-2.0
#include "leak/stacks.h"
#include <errno.h>
#include <leaktrace/python.h>
#include <string.h>
#include "leak/recursion.h"

#define EPOCHS_BACK 4 /* so far back an event may come from */
#define FRAMES_AT offsetof(struct lt_event_stack, frames)

static void stack_free(struct stack *s)
{
	free(s->frames);
	free(s->jit);
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

static void add_python(struct stack *s, uint64_t code, uint64_t instr)
{
	struct python_frame *last = s->n_python ? &s->python[s->n_python - 1] : NULL;

	if (FRAME_IS_REPEAT(code) && last) {
		last->cycle = FRAME_REPEAT_PERIOD(code) / LT_PYTHON_WORDS;
		last->repeats = FRAME_REPEAT_TIMES(code);
		return;
	}
	if (last)
		last->entry = instr & LT_PYTHON_AFTER_C;
	s->python[s->n_python++] =
		(struct python_frame){ .code = code, .instr = instr & ~LT_PYTHON_AFTER_C };
}

static int stack_take_python(struct stack *s, const struct lt_event_stack *e)
{
	uint64_t *words;
	size_t n;
	int r;

	if (!e->n_python)
		return 0;
	r = recursion_fold_event((const uint64_t *)e->frames + e->n, (size_t)e->n_python * LT_PYTHON_WORDS,
				 LT_PYTHON_WORDS, &words, &n);
	if (r)
		return r;
	s->python = calloc(n / LT_PYTHON_WORDS, sizeof(*s->python));
	for (size_t i = 0; s->python && i + 1 < n; i += LT_PYTHON_WORDS)
		add_python(s, words[i], words[i + 1]);
	free(words);
	return s->python ? 0 : -ENOMEM;
}

const struct python_frame *stack_python_next(const struct stack *s, struct python_at *at, bool *ret_entry)
{
	const struct python_frame *f = &s->python[at->i];

	if (at->i >= s->n_python)
		return NULL;
	if (at->turn < f->repeats) {
		/* another turn; what is before its first frame is so each time */
		at->turn++;
		at->i -= f->cycle - 1;
		*ret_entry = at->i && s->python[at->i - 1].entry;
		return f;
	}
	at->i++;
	if (f->repeats)
		at->turn = 0;
	*ret_entry = f->entry;
	return f;
}

/* Puts a frame of Python, or what stands for some, behind the others. */
static void push_python(struct lt_event_stack *e, uint64_t code, uint64_t instr)
{
	const unsigned int at = e->n + LT_PYTHON_WORDS * (unsigned int)e->n_python;

	e->frames[at] = code;
	e->frames[at + 1] = instr;
	e->n_python++;
}

/* The frame that ends the cycle which begins with this one, or NULL. */
static const struct python_frame *cycle_from(const struct stack *s, unsigned int i)
{
	for (unsigned int n = 1; n <= LT_CYCLE_MAX && i + n <= s->n_python; n++)
		if (s->python[i + n - 1].cycle == n)
			return &s->python[i + n - 1];
	return NULL;
}

void stack_python_again(const struct stack *s, struct lt_event_stack *e)
{
	uint64_t seed = lt_stack_seed(e->head.tgid, e->kind, e->via);
	uint64_t hash = lt_stack_id(e->id, seed), after = 0;
	const struct python_frame *f;
	struct python_at at = { 0 };
	bool entry;

	e->n_python = 0;
	while ((f = stack_python_next(s, &at, &entry))) {
		hash = lt_hash_frame(lt_hash_frame(hash, f->code), f->instr | after);
		after = entry ? LT_PYTHON_AFTER_C : 0;
	}
	for (unsigned int i = 0; i < s->n_python; i++) {
		const struct python_frame *end = cycle_from(s, i);

		f = &s->python[i];
		if (e->n + LT_PYTHON_WORDS * (e->n_python + (end ? 2U : 1U)) > LT_MAX_FRAMES)
			break;
		if (end) {
			const uint64_t period = (uint64_t)end->cycle * LT_PYTHON_WORDS;

			push_python(e, LT_LEFT_OUT(period, end->repeats * period), LT_LEFT_OUT(period, 0));
		}
		push_python(e, f->code, f->instr | (i && f[-1].entry ? LT_PYTHON_AFTER_C : 0));
	}
	e->id = lt_stack_id(hash, seed);
}

/* Takes `s` over, also when it fails. */
static int stack_table_push(struct stack_table *t, struct stack *s)
{
	int r;

	s->ids = 1;
	r = vec_push(t, *s);
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
	free(known->jit); /* of other frames */
	known->jit = NULL;
	known->jit_asked = false;
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
		copy.n = (uint16_t)recursion_fold(copy.frames, copy.n, 1);
	if (known)
		return take_frames(known, &copy);
	return stack_table_push(t, &copy) ? NULL : &t->items[t->n - 1];
}

struct stack *stack_table_move(struct stack_table *t, struct stack *s, uint64_t id, uint32_t tgid)
{
	const size_t at = (size_t)(s - t->items);
	struct stack moved = *s;

	if (stack_table_get(t, id))
		return stack_table_get(t, id);
	if (vec_reserve(t, 1)) /* so that a failure changes nothing */
		return NULL;
	moved.id = id;
	moved.tgid = tgid;
	moved.ranges = (struct lt_totals){ 0 };
	s = &t->items[at];
	s->frames = NULL;
	s->jit = NULL;
	s->python = NULL;
	s->place = (struct stack_place){ 0 };
	s->n = 0;
	s->n_python = 0;
	return stack_table_push(t, &moved) ? NULL : &t->items[t->n - 1];
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
	r = recursion_fold_event((const uint64_t *)e->frames, e->n, 1, &s.frames, &n);
	if (r)
		return r;
	s.n = (uint16_t)n;
	r = stack_take_python(&s, e);
	if (!r)
		return stack_table_push(t, &s);
	stack_free(&s);
	return r;
}

/* The hash of all its frames, as BPF has it, which does not keep those of recursions. */
static uint64_t hash_stack(const struct stack *s)
{
	const struct python_frame *f;
	struct python_at at = { 0 };
	uint64_t hash = 0, after = 0;
	bool entry;

	for (size_t i = 0; i < s->n; i++) {
		const uint64_t word = s->frames[i];

		if (!FRAME_IS_REPEAT(word)) {
			hash = lt_hash_frame(hash, word);
			continue;
		}
		for (size_t k = 0; k < (size_t)FRAME_REPEAT_PERIOD(word) * FRAME_REPEAT_TIMES(word); k++)
			hash = lt_hash_frame(hash, s->frames[i - FRAME_REPEAT_PERIOD(word) +
							     k % FRAME_REPEAT_PERIOD(word)]);
	}
	while ((f = stack_python_next(s, &at, &entry))) {
		hash = lt_hash_frame(lt_hash_frame(hash, f->code), f->instr | after);
		after = entry ? LT_PYTHON_AFTER_C : 0;
	}
	return hash;
}

uint64_t stack_common_id(const struct stack *s, uint32_t epoch, uint32_t *ret_epoch)
{
	const uint64_t seed = lt_stack_seed(s->tgid, s->kind, s->via), hash = hash_stack(s);

	for (uint32_t i = 0; i < EPOCHS_BACK && i <= epoch; i++) {
		*ret_epoch = epoch - i;
		if (lt_stack_id(hash, seed ^ lt_stack_epoch(epoch - i)) == s->id)
			return lt_stack_id(hash, seed);
	}
	return 0;
}

/* All ids of the stack `s`, which is at `from`, now lead to the one at `to`. */
static void stack_table_redirect(struct stack_table *t, const struct stack *s, uint64_t from, uint64_t to)
{
	if (s->ids == 1) {
		*hashmap_get(&t->by_id, s->id) = to;
		return;
	}
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
		s->ids++;
		return hashmap_put(&t->by_id, to, gone);
	}
	totals_add(&t->items[*into].ranges, &s->ranges);
	totals_add(&t->items[*into].totals, &s->totals);
	take_names(&t->items[*into], s);
	t->items[*into].ids += s->ids;
	stack_table_redirect(t, s, gone, *into);
	stack_free(s);
	*s = t->items[--t->n];
	if (gone < t->n)
		stack_table_redirect(t, s, t->n, gone);
	return 0;
}

struct stack *stack_table_get(const struct stack_table *t, uint64_t id)
{
	uint64_t *at = hashmap_get(&t->by_id, id);

	return at ? &t->items[*at] : NULL;
}

/* The ids of those that stay, each to where its stack will be; others go to `ret_ids`. */
static int ids_part(const struct stack_table *t, const size_t *to, struct hashmap *ret_stay, struct hashmap *ret_ids)
{
	int r = 0;

	for (size_t i = 0; i < t->by_id.cap && !r; i++) {
		const struct hashmap_slot *slot = &t->by_id.slots[i];

		if (slot->used && to[slot->value] == SIZE_MAX)
			r = hashmap_put(ret_ids, slot->key, 1);
		else if (slot->used)
			r = hashmap_put(ret_stay, slot->key, to[slot->value]);
	}
	return r;
}

int stack_table_remove(struct stack_table *t, const struct hashmap *pids, struct hashmap *ret_ids, size_t *at)
{
	size_t *to = calloc(t->n + 1, sizeof(*to)), stay = 0, new_at = 0;
	struct hashmap by_id = { 0 };
	int r = to ? 0 : -ENOMEM;

	for (size_t i = 0; i < t->n && !r; i++) {
		to[i] = hashmap_get(pids, t->items[i].tgid) ? SIZE_MAX : stay++;
		new_at += i < *at && to[i] != SIZE_MAX;
	}
	if (!r)
		r = ids_part(t, to, &by_id, ret_ids);
	if (r) {
		hashmap_deinit(&by_id);
		free(to);
		return r;
	}
	for (size_t i = 0; i < t->n; i++)
		if (to[i] == SIZE_MAX)
			stack_free(&t->items[i]);
		else
			t->items[to[i]] = t->items[i];
	t->n = stay;
	*at = new_at;
	hashmap_deinit(&t->by_id);
	t->by_id = by_id;
	free(to);
	return 0;
}

void stack_table_deinit(struct stack_table *t)
{
	vec_foreach(s, t)
		stack_free(s);
	vec_free(t);
	hashmap_deinit(&t->by_id);
}
