// SPDX-License-Identifier: Apache-2.0
/* The stacks of a resource: which of them are in the report, and in what order. */
#include <errno.h>
#include <stdlib.h>
#include "base/cleanup.h"
#include "report/builder.h"

#define FURNITURE_MAX 32 /* stacks of it that are put last */

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? 1 : a > b ? -1 : 0; /* the larger first */
}

/* Equal keys fall back to the next, and at last to the id, so that an order is always the same. */
static int compare_groups(const void *a, const void *b, void *ctx)
{
	const struct stack_group *x = a, *y = b;
	const enum report_sort *sort = ctx;
	int by[REPORT_SORT_MAX] = {
		[REPORT_SORT_AMOUNT] = compare_u64(x->held_amount, y->held_amount),
		[REPORT_SORT_COUNT] = compare_u64(x->held, y->held),
		[REPORT_SORT_AGE] = -compare_u64(x->oldest_ns, y->oldest_ns),
	};

	if (by[*sort])
		return by[*sort];
	for (int i = 0; i < REPORT_SORT_MAX; i++)
		if (by[i])
			return by[i];
	return compare_u64(x->stacks[0]->id, y->stacks[0]->id);
}

/* The stacks of a kind, and the sums of them. The caller frees `*ret`. */
static int take_stacks(struct builder *b, enum lt_kind kind, struct report_resource *res,
		       struct stack ***ret, size_t *ret_n)
{
	struct stack_table *all = &b->src->books->stacks;
	struct stack **stacks = calloc(all->n + 1, sizeof(struct stack *));
	size_t n = 0;

	if (!stacks)
		return -ENOMEM;
	vec_foreach(s, all) {
		if (s->kind != kind || s->internal)
			continue;
		tally_add(&res->outstanding, s->held, s->held_amount);
		tally_add(&res->acquired, s->totals.acquired, s->totals.acquired_amount);
		tally_add(&res->released, s->totals.released, s->totals.released_amount);
		tally_add(&res->before, s->before, s->before_amount);
		stacks[n++] = s;
	}
	*ret = stacks;
	*ret_n = n;
	return 0;
}

/* The next holdings of a kind that were not seen acquired, in the order of the books: those of a process, or of
 * all. `groups` has room for one of each process; 0: there are no more. */
static size_t next_untraced(struct builder *b, enum lt_kind kind, size_t *at, struct held_group *groups)
{
	size_t n = 0;

	for (;; n++) {
		struct held_group g = books_held_group(b->src->books, *at);

		if (!g.n || g.items->kind != kind || (n && (!b->same || g.items->stack != groups->items->stack)))
			return n;
		groups[n] = g;
		*at += g.n;
	}
}

/* Adds them to the sums, and tells how many groups of holdings there are. */
static size_t count_untraced(struct builder *b, enum lt_kind kind, struct report_resource *res)
{
	size_t at = books_held_find(b->src->books, (uint8_t)kind, BOOKS_BEFORE), n = 0;

	for (;; n++) {
		struct held_group g = books_held_group(b->src->books, at);
		uint64_t count;

		if (!g.n || g.items->kind != kind)
			return n;
		count = books_held_count(&g);
		tally_add(g.items->stack == BOOKS_BEFORE ? &res->before : &res->unseen, count, count);
		tally_add(&res->outstanding, count, count);
		tally_add(&res->shown, count, count);
		at += g.n;
	}
}

static int build_all_untraced(struct builder *b, enum lt_kind kind, size_t n, struct report_resource *res)
{
	_cleanup_free_ struct held_group *groups = calloc(n + 1, sizeof(*groups));
	size_t at = books_held_find(b->src->books, (uint8_t)kind, BOOKS_BEFORE), same;
	int r = groups ? 0 : -ENOMEM;

	while (!r && (same = next_untraced(b, kind, &at, groups))) {
		r = builder_untraced(b, groups, same, &res->stacks[res->n_stacks++]);
		res->n_stacks_all++;
	}
	return r;
}

/* The top of the groups; furniture among them is put aside, and makes room for others. */
static int build_traced(struct builder *b, const struct stack_groups *groups, struct report_resource *res,
			struct report_stack *furniture, size_t *ret_furniture)
{
	size_t top = b->rq->top ? b->rq->top : groups->n;
	int r = 0;

	for (size_t i = 0; i < groups->n && res->n_stacks < top && !r; i++) {
		struct report_stack *s = &res->stacks[res->n_stacks];

		r = builder_stack(b, &groups->items[i], s);
		tally_add(&res->shown, groups->items[i].held, groups->items[i].held_amount);
		if (s->furniture && !b->rq->all_frames && *ret_furniture < FURNITURE_MAX)
			furniture[(*ret_furniture)++] = *s;
		else
			res->n_stacks++;
	}
	return r;
}

/* Of stacks in the order asked for. */
static int build_stacks(struct builder *b, enum lt_kind kind, struct stack_groups *groups, size_t untraced,
			struct report_resource *res)
{
	struct report_stack furniture[FURNITURE_MAX];
	size_t traced = groups->n, n = 0;
	int r;

	if (b->rq->top && traced > b->rq->top + FURNITURE_MAX)
		traced = b->rq->top + FURNITURE_MAX;
	res->stacks = arena_alloc(b->arena, (traced + untraced + 1) * sizeof(*res->stacks));
	if (!res->stacks)
		return -ENOMEM;
	r = build_traced(b, groups, res, furniture, &n);
	if (!r)
		r = build_all_untraced(b, kind, untraced, res);
	for (size_t i = 0; i < n && !r; i++)
		res->stacks[res->n_stacks++] = furniture[i];
	res->n_furniture = n;
	return r;
}

int builder_resource(struct builder *b, enum lt_kind kind, struct report_resource *res)
{
	_cleanup_free_ struct stack **stacks = NULL;
	enum report_sort sort = b->rq->sort;
	struct stack_groups groups;
	size_t n;
	int r = take_stacks(b, kind, res, &stacks, &n);

	if (!r)
		r = stack_groups_make(stacks, n, b->same, &groups);
	if (r)
		return r;
	qsort_r(groups.items, groups.n, sizeof(*groups.items), compare_groups, &sort);
	res->n_stacks_all = groups.n;
	r = build_stacks(b, kind, &groups, count_untraced(b, kind, res), res);
	free(groups.items);
	return r;
}
