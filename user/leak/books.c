// SPDX-License-Identifier: Apache-2.0
#include "leak/books.h"
#include <errno.h>
#include <string.h>

static struct range_set *books_ranges(struct books *b, uint32_t tgid)
{
	vec_foreach(p, &b->ranges)
		if (p->tgid == tgid)
			return &p->set;
	if (vec_push(&b->ranges, (struct process_ranges){ .tgid = tgid }))
		return NULL;
	return &b->ranges.items[b->ranges.n - 1].set;
}

static struct taken_ranges *books_taken(struct books *b, uint32_t tgid, uint32_t tid)
{
	vec_foreach(t, &b->taken)
		if (t->tgid == tgid && t->tid == tid)
			return t;
	return NULL;
}

static void range_released(void *ctx, uint64_t stack, uint64_t bytes, bool whole)
{
	struct books *b = ctx;
	struct stack *s = stack_table_get(&b->stacks, stack);

	if (!s) /* not accounted */
		return;
	s->ranges.released += whole;
	s->ranges.released_amount += bytes;
}

static int books_map(struct books *b, struct range_set *set, const struct lt_event_range *e)
{
	struct stack *s;
	int64_t replaced = !e->len ? -EBADMSG : range_set_remove(set, e->addr, e->len, range_released, b);
	int r = replaced < 0 ? (int)replaced : range_set_add(set, e->addr, e->len, e->stack, e->ns);

	s = r ? NULL : stack_table_get(&b->stacks, e->stack);
	if (s) {
		s->ranges.acquired++;
		s->ranges.acquired_amount += e->len;
	}
	return r;
}

static int books_unmap(struct books *b, struct range_set *set, const struct lt_event_range *e)
{
	int64_t bytes = range_set_remove(set, e->addr, e->len, range_released, b);

	b->unmatched += bytes == 0 && !e->internal;
	return bytes < 0 ? (int)bytes : 0;
}

static int books_drop(struct books *b, struct range_set *set, const struct lt_event_range *e)
{
	b->unmatched += range_set_drop(set, e->addr, range_released, b) == 0;
	return 0;
}

static int books_take(struct books *b, struct range_set *set, const struct lt_event_range *e)
{
	struct taken_ranges *t = books_taken(b, e->head.tgid, e->tid);
	int64_t bytes;
	int r;

	if (!t) {
		r = vec_push(&b->taken,
			     (struct taken_ranges){ .tgid = e->head.tgid, .tid = e->tid });
		if (r)
			return r;
		t = &b->taken.items[b->taken.n - 1];
	}
	if (t->set.n) { /* the return of that thread's last mremap was missed */
		r = range_set_restore(set, &t->set);
		if (r)
			return r;
	}
	bytes = range_set_take(set, e->addr, e->len, &t->set);
	return bytes < 0 ? (int)bytes : 0;
}

static int books_settle(struct books *b, struct range_set *set, const struct lt_event_range *e)
{
	struct taken_ranges *t = books_taken(b, e->head.tgid, e->tid);

	if (!t)
		return -EBADMSG;
	if (!e->len)
		return range_set_restore(set, &t->set);
	b->unmatched += t->set.n == 0;
	range_set_clear(&t->set, range_released, b);
	return books_map(b, set, e);
}

static int books_range(struct books *b, const struct lt_event_range *e)
{
	static int (*const ops[])(struct books *, struct range_set *, const struct lt_event_range *) = {
		[LT_RANGE_MAP] = books_map,
		[LT_RANGE_UNMAP] = books_unmap,
		[LT_RANGE_DROP] = books_drop,
		[LT_RANGE_TAKE] = books_take,
		[LT_RANGE_SETTLE] = books_settle,
	};
	struct range_set *set = books_ranges(b, e->head.tgid);

	if (!set)
		return -ENOMEM;
	return e->op < sizeof(ops) / sizeof(ops[0]) ? ops[e->op](b, set, e) : -EBADMSG;
}

void books_event(struct books *b, const void *event, size_t size)
{
	const struct lt_event *head = event;
	int r = -EBADMSG;

	if (size >= sizeof(*head) && head->type == LT_EVENT_STACK)
		r = stack_table_add(&b->stacks, event, size);
	else if (size >= sizeof(struct lt_event_range) && head->type == LT_EVENT_RANGE)
		r = books_range(b, event);
	b->bad_events += r == -EBADMSG;
	b->oom += r == -ENOMEM;
}

void books_forget(struct books *b, uint32_t tgid)
{
	vec_foreach(p, &b->ranges)
		if (p->tgid == tgid)
			range_set_clear(&p->set, range_released, b);
	vec_foreach(t, &b->taken)
		if (t->tgid == tgid)
			range_set_clear(&t->set, range_released, b);
}

int books_remove(struct books *b, const struct hashmap *pids, struct hashmap *ret_ids, size_t *at)
{
	int r = stack_table_remove(&b->stacks, pids, ret_ids, at);
	size_t n = 0;

	if (r)
		return r;
	vec_foreach(p, &b->ranges)
		if (hashmap_get(pids, p->tgid))
			range_set_deinit(&p->set);
		else
			b->ranges.items[n++] = *p;
	b->ranges.n = n;
	n = 0;
	vec_foreach(t, &b->taken)
		if (hashmap_get(pids, t->tgid))
			range_set_deinit(&t->set);
		else
			b->taken.items[n++] = *t;
	b->taken.n = n;
	b->held.n = 0; /* until the next snapshot */
	return 0;
}

void books_deinit(struct books *b)
{
	vec_foreach(p, &b->ranges)
		range_set_deinit(&p->set);
	vec_foreach(t, &b->taken)
		range_set_deinit(&t->set);
	vec_free(&b->ranges);
	vec_free(&b->taken);
	vec_free(&b->held);
	vec_free(&b->ended);
	stack_table_deinit(&b->stacks);
	*b = (struct books){ 0 };
}

void books_snapshot_begin(struct books_snapshot *s, struct books *b, uint64_t now_ns,
			  uint64_t older_ns)
{
	*s = (struct books_snapshot){ .books = b, .now_ns = now_ns, .older_ns = older_ns };
	b->held.n = 0;
	vec_foreach(stack, &b->stacks) {
		stack->totals = stack->ended.processes ? stack->ended.sum.totals : stack->ranges;
		stack->held = stack->ended.sum.count;
		stack->held_amount = stack->ended.sum.amount;
		stack->before = stack->ended.sum.before;
		stack->before_amount = stack->ended.sum.before_amount;
		stack->oldest_ns = stack->ended.oldest_ns;
		stack->youngest_ns = stack->ended.youngest_ns;
	}
}

void books_snapshot_totals(struct books_snapshot *s, uint64_t id, const struct lt_totals *totals)
{
	struct stack *stack = stack_table_get(&s->books->stacks, id);

	if (!stack)
		return;
	stack->totals.acquired += totals->acquired;
	stack->totals.acquired_amount += totals->acquired_amount;
	stack->totals.released += totals->released;
	stack->totals.released_amount += totals->released_amount;
}

static bool snapshot_is_young(const struct books_snapshot *s, uint64_t ns)
{
	return ns + s->older_ns > s->now_ns;
}

static void snapshot_held(struct books_snapshot *s, uint64_t id, uint64_t amount, uint64_t count,
			  uint64_t ns)
{
	struct stack *stack = stack_table_get(&s->books->stacks, id);

	if (!stack || snapshot_is_young(s, ns))
		return;
	stack->held += count;
	stack->held_amount += amount;
	if (!ns) {
		stack->before += count;
		stack->before_amount += amount;
		return;
	}
	if (!stack->oldest_ns || ns < stack->oldest_ns)
		stack->oldest_ns = ns;
	if (ns > stack->youngest_ns)
		stack->youngest_ns = ns;
}

void books_snapshot_holding(struct books_snapshot *s, uint64_t stack, uint64_t amount, uint64_t ns)
{
	snapshot_held(s, stack, amount, 1, ns);
}

void books_snapshot_sum(struct books_snapshot *s, uint64_t id, const struct held_sum *sum)
{
	struct stack *stack = stack_table_get(&s->books->stacks, id);

	if (!stack)
		return;
	books_snapshot_totals(s, id, &sum->totals);
	stack->held += sum->count;
	stack->held_amount += sum->amount;
	stack->before += sum->before;
	stack->before_amount += sum->before_amount;
}

void books_snapshot_held(struct books_snapshot *s, const struct held *held)
{
	struct held h = *held;

	if (h.stack != BOOKS_BEFORE && snapshot_is_young(s, h.ns))
		return;
	if (h.stack != BOOKS_BEFORE && h.stack != BOOKS_UNSEEN) {
		const struct stack *stack = stack_table_get(&s->books->stacks, h.stack);

		if (!stack)
			return;
		h.stack = stack->id; /* it may have several */
		snapshot_held(s, h.stack, 1, 1, h.ns);
	}
	if (vec_push(&s->books->held, h))
		s->books->oom++;
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_groups(const struct held *x, const struct held *y)
{
	int r = compare_u64(x->kind, y->kind);

	if (!r)
		r = compare_u64(x->stack, y->stack);
	return r ? r : compare_u64(x->tgid, y->tgid);
}

static int compare_held(const void *a, const void *b)
{
	const struct held *x = a, *y = b;
	int r = compare_groups(x, y);

	if (!r)
		r = compare_u64(x->ns, y->ns);
	return r ? r : compare_u64(x->id, y->id);
}

struct held_group books_held_group(const struct books *b, size_t from)
{
	struct held_group g = { .items = b->held.n ? b->held.items + from : NULL };

	while (from + g.n < b->held.n && !compare_groups(&g.items[0], &g.items[g.n]))
		g.n++;
	return g;
}

uint64_t books_held_count(const struct held_group *g)
{
	uint64_t n = g->n;

	for (size_t i = 0; i < g->n; i++)
		n += g->items[i].more;
	return n;
}

size_t books_held_find(const struct books *b, uint8_t kind, uint64_t stack)
{
	const struct held key = { .kind = kind, .stack = stack };
	size_t low = 0, high = b->held.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_groups(&b->held.items[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A mapping in several pieces counts once: with the piece that comes first. */
static void snapshot_ranges(struct books_snapshot *s, struct range_set *set, struct hashmap *seen)
{
	vec_foreach(r, set) {
		struct mapping *m = r->mapping;
		bool first = m->pieces == 1 || !hashmap_get(seen, (uintptr_t)m);

		snapshot_held(s, m->stack, r->end - r->start, first, m->ns);
		if (first && m->pieces > 1 && hashmap_put(seen, (uintptr_t)m, 1))
			s->books->oom++;
	}
}

void books_snapshot_end(struct books_snapshot *s)
{
	struct hashmap seen = { 0 };

	vec_foreach(p, &s->books->ranges)
		snapshot_ranges(s, &p->set, &seen);
	vec_foreach(t, &s->books->taken)
		snapshot_ranges(s, &t->set, &seen);
	hashmap_deinit(&seen);
	vec_foreach(h, &s->books->ended)
		s->books->oom += vec_push(&s->books->held, *h) != 0;
	if (s->books->held.n)
		qsort(s->books->held.items, s->books->held.n, sizeof(struct held), compare_held);
}
