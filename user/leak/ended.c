// SPDX-License-Identifier: Apache-2.0
#include "leak/ended.h"
#include <errno.h>
#include <string.h>
#include "leak/recursion.h"

/* -- the same code ------------------------------------------------------------------------------ */

static uint64_t hash_text(uint64_t h, const char *s)
{
	for (; s && *s; s++)
		h = lt_hash_frame(h, (uint8_t)*s);
	return lt_hash_frame(h, s ? 1 : 0);
}

/* An address in no module means something in its own process only: its name remains, should it have one. */
static uint64_t code_of(const struct stack *s, size_t i)
{
	const uint64_t frame = s->frames[i];

	if (LT_FRAME_MODULE(frame) || LT_FRAME_IS_KERNEL(frame) || FRAME_IS_REPEAT(frame))
		return frame;
	return s->jit && s->jit[i] ? 0 : LT_FRAME_UNKNOWN;
}

static uint64_t hash_python(uint64_t h, const struct python_frame *f)
{
	h = hash_text(hash_text(h, f->function), f->file);
	h = lt_hash_frame(h, f->offset);
	h = lt_hash_frame(h, (uint64_t)f->entry << 32 | f->line);
	return lt_hash_frame(h, (uint64_t)f->repeats << 32 | f->cycle);
}

static uint64_t hash_place(uint64_t h, const struct stack_place *p)
{
	h = lt_hash_frame(hash_text(h, p->state), (uint64_t)p->leaked << 1 | p->complete);
	for (size_t i = 0; i < p->n; i++)
		h = lt_hash_frame(h, p->frames[i]);
	return h;
}

/* The id of the group's stack of the same code. */
static uint64_t id_in_group(const struct stack *s, uint32_t group)
{
	uint64_t h = lt_hash_frame(s->stop, (uint64_t)s->internal << 16 | s->logical);

	for (size_t i = 0; i < s->n; i++) {
		h = lt_hash_frame(h, code_of(s, i));
		if (s->jit && s->jit[i])
			h = hash_text(h, s->jit[i]);
	}
	for (unsigned int i = 0; i < s->n_python; i++)
		h = hash_python(h, &s->python[i]);
	if (s->place.state)
		h = hash_place(h, &s->place);
	return lt_stack_id(h, lt_stack_seed(group, s->kind, s->via));
}

/* -- adding up ---------------------------------------------------------------------------------- */

static void totals_add(struct lt_totals *sum, const struct lt_totals *t)
{
	sum->acquired += t->acquired;
	sum->acquired_amount += t->acquired_amount;
	sum->released += t->released;
	sum->released_amount += t->released_amount;
}

static void ended_add(struct stack_ended *to, const struct stack *s)
{
	totals_add(&to->sum.totals, &s->totals);
	to->sum.count += s->held;
	to->sum.amount += s->held_amount;
	to->sum.before += s->before;
	to->sum.before_amount += s->before_amount;
	if (s->oldest_ns && (!to->oldest_ns || s->oldest_ns < to->oldest_ns))
		to->oldest_ns = s->oldest_ns;
	if (s->youngest_ns > to->youngest_ns)
		to->youngest_ns = s->youngest_ns;
	to->processes++;
}

static int add_stack(struct books *b, size_t i, uint32_t group)
{
	const uint64_t id = id_in_group(&b->stacks.items[i], group);
	const bool is_new = !stack_table_get(&b->stacks, id);
	struct stack *to = stack_table_move(&b->stacks, &b->stacks.items[i], id, group);

	if (!to)
		return -ENOMEM;
	for (size_t k = 0; is_new && k < to->n; k++)
		to->frames[k] = code_of(to, k);
	ended_add(&to->ended, &b->stacks.items[i]);
	return 0;
}

/* All that a process held of a kind without a stack. */
static int add_held(struct books *b, const struct held_group *g, uint32_t group)
{
	const struct held *h = g->items;
	const struct held first = { .stack = h->stack, .tgid = group, .kind = h->kind, .more = g->n - 1, .processes = 1 };

	vec_foreach(sum, &b->ended)
		if (sum->stack == h->stack && sum->tgid == group && sum->kind == h->kind) {
			sum->more += g->n;
			sum->processes++;
			return 0;
		}
	return vec_push(&b->ended, first);
}

int books_add_up(struct books *b, const struct hashmap *groups)
{
	const size_t n = b->stacks.n;
	uint64_t lost = 0;

	for (size_t i = 0; i < n; i++) {
		const uint64_t *group = hashmap_get(groups, b->stacks.items[i].tgid);

		if (group && (b->stacks.items[i].totals.acquired || b->stacks.items[i].held))
			lost += add_stack(b, i, (uint32_t)*group) != 0;
	}
	for (size_t at = 0; at < b->held.n;) {
		const struct held_group g = books_held_group(b, at);
		const uint64_t *group = hashmap_get(groups, g.items->tgid);

		if (group && (g.items->stack == BOOKS_BEFORE || g.items->stack == BOOKS_UNSEEN))
			lost += add_held(b, &g, (uint32_t)*group) != 0;
		at += g.n;
	}
	b->oom += lost;
	return lost ? -ENOMEM : 0;
}

void books_give_back(struct books *b)
{
	vec_foreach(s, &b->stacks) {
		struct held_sum *sum = &s->ended.sum;

		if (!s->ended.processes)
			continue;
		sum->totals.released = sum->totals.acquired;
		sum->totals.released_amount = sum->totals.acquired_amount;
		sum->count = sum->amount = sum->before = sum->before_amount = 0;
		s->ended.oldest_ns = s->ended.youngest_ns = 0;
	}
	b->ended.n = 0;
}
