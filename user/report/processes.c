// SPDX-License-Identifier: Apache-2.0
#include "report/processes.h"
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/hashmap.h"

struct shares_builder {
	struct arena *arena;
	struct {
		VEC_OF(struct report_process);
	} rows;
	struct hashmap by_pid; /* -> index; of several that have had a number one after the other, the latest */
	size_t n_resources;
	int resources[LT_KIND_MAX]; /* by kind: index; -1: it is not reported */
};

static int add_row(struct shares_builder *b, const struct report_process *row)
{
	struct report_process p = *row;

	p.shares = arena_alloc(b->arena, (b->n_resources + 1) * sizeof(*p.shares));
	if (!p.shares || vec_push(&b->rows, p))
		return -ENOMEM;
	return hashmap_put(&b->by_pid, (uint32_t)p.pid, b->rows.n - 1);
}

/* NULL: there is no memory. */
static struct process_share *share_of(struct shares_builder *b, uint32_t tgid, enum lt_kind kind)
{
	const struct report_process unknown = { .pid = (pid_t)tgid, .seconds = -1, .unseen_ms = -1 };

	if (!hashmap_get(&b->by_pid, tgid) && add_row(b, &unknown))
		return NULL;
	return &b->rows.items[*hashmap_get(&b->by_pid, tgid)].shares[b->resources[kind]];
}

static int add_stacks(struct shares_builder *b, const struct stack_table *stacks)
{
	vec_foreach(s, stacks) {
		struct process_share *share;

		if (s->internal || b->resources[s->kind] < 0)
			continue;
		share = share_of(b, s->tgid, (enum lt_kind)s->kind);
		if (!share)
			return -ENOMEM;
		tally_add(&share->outstanding, s->held, s->held_amount);
		tally_add(&share->acquired, s->totals.acquired, s->totals.acquired_amount);
		tally_add(&share->released, s->totals.released, s->totals.released_amount);
		tally_add(&share->before, s->before, s->before_amount);
	}
	return 0;
}

/* What was not seen acquired has no stack. */
static int add_untraced(struct shares_builder *b, const struct held_vec *held)
{
	vec_foreach(h, held) {
		bool before = h->stack == BOOKS_BEFORE;
		struct process_share *share;

		if ((!before && h->stack != BOOKS_UNSEEN) || b->resources[h->kind] < 0)
			continue;
		share = share_of(b, h->tgid, (enum lt_kind)h->kind);
		if (!share)
			return -ENOMEM;
		tally_add(&share->outstanding, 1 + h->more, 1 + h->more);
		tally_add(before ? &share->before : &share->unseen, 1 + h->more, 1 + h->more);
	}
	return 0;
}

static int give(struct shares_builder *b, struct report *ret)
{
	size_t size = b->rows.n * sizeof(*ret->target.processes);

	ret->target.n_processes = b->rows.n;
	ret->target.processes = arena_alloc(b->arena, size + 1);
	if (!ret->target.processes)
		return -ENOMEM;
	if (size)
		memcpy(ret->target.processes, b->rows.items, size);
	return 0;
}

int report_processes(const struct report_source *src, const struct report_request *rq, struct arena *arena,
		     struct report *ret)
{
	struct shares_builder b = { .arena = arena };
	int r = 0;

	for (int kind = 0; kind < LT_KIND_MAX; kind++)
		b.resources[kind] = rq->kinds >> kind & 1 ? (int)b.n_resources++ : -1;
	for (size_t i = 0; i < ret->target.n_processes && !r; i++)
		r = add_row(&b, &ret->target.processes[i]);
	if (!r)
		r = add_stacks(&b, &src->books->stacks);
	if (!r)
		r = add_untraced(&b, &src->books->held);
	if (!r)
		r = give(&b, ret);
	vec_free(&b.rows);
	hashmap_deinit(&b.by_pid);
	return r;
}
