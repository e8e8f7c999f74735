// SPDX-License-Identifier: Apache-2.0
/*
 * Which of a stack's holdings are shown. A process may have a million of them, so each is described
 * to find out what there is to say of it and dropped again, and only those that are chosen are
 * kept.
 */
#include "report/items.h"
#include <errno.h>
#include <stdlib.h>
#include "base/cleanup.h"
#include "report/notes.h"

#define SCRATCH_ITEMS 256 /* described before the memory of them is given back */

struct candidate {
	const struct held *held;
	double age;
	bool noted;
};

/* Those with a note first, then the oldest; what is of unknown age comes last. */
static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->noted != y->noted)
		return x->noted ? -1 : 1;
	if (x->age != y->age)
		return x->age > y->age ? -1 : 1;
	return x->held < y->held ? -1 : 1;
}

static int describe(const struct report_source *src, const struct held *h, struct arena *arena,
		    struct item *ret)
{
	bool seen = h->stack != BOOKS_BEFORE && h->stack != BOOKS_UNSEEN;

	*ret = (struct item){ .age_seconds = -1 };
	return src->describe(src->describe_ctx, h->tgid, (enum lt_kind)h->kind, h->id,
			     seen ? h->ns : 0, arena, ret);
}

static int look_at_all(const struct report_source *src, struct candidate *all, size_t n,
		       struct note_groups *notes)
{
	_cleanup_(arena_deinit) struct arena scratch = { 0 };

	for (size_t i = 0; i < n; i++) {
		struct item item;
		int r = describe(src, all[i].held, &scratch, &item);

		if (!r && item.note)
			r = note_groups_add(notes, item.note);
		if (r)
			return r;
		all[i].age = item.age_seconds;
		all[i].noted = item.note;
		if (i % SCRATCH_ITEMS == SCRATCH_ITEMS - 1)
			arena_deinit(&scratch);
	}
	return 0;
}

/* Of processes that have ended, and of whose books only sums are left, there is nothing to say. Returns how many there
 * are. */
static size_t take_candidates(const struct held_group *groups, size_t n_groups, struct candidate *ret)
{
	size_t n = 0;

	for (size_t g = 0; g < n_groups; g++)
		for (size_t i = 0; i < groups[g].n && !BOOKS_IS_GROUP(groups[g].items[i].tgid); i++)
			ret[n++].held = &groups[g].items[i];
	return n;
}

static int keep(const struct report_source *src, const struct held *h, struct arena *arena,
		struct report_stack *ret)
{
	struct item *item = &ret->items[ret->n_items++];
	int r = describe(src, h, arena, item);

	if (ret->n_pids || ret->n_ended)
		item->holder = (pid_t)h->tgid;
	return r;
}

/* What was not seen acquired has the ages that its items have, when all of them are known. */
static void take_ages(const struct candidate *all, size_t n, struct report_stack *ret)
{
	double oldest = all[0].age, youngest = all[0].age;

	for (size_t i = 0; i < n; i++) {
		oldest = all[i].age > oldest ? all[i].age : oldest;
		youngest = all[i].age < youngest ? all[i].age : youngest;
	}
	ret->oldest_seconds = youngest < 0 ? -1 : oldest;
	ret->youngest_seconds = youngest < 0 ? -1 : youngest;
}

int report_items(const struct report_source *src, const struct held_group *groups, size_t n_groups,
		 struct arena *arena, struct report_stack *ret)
{
	_cleanup_(note_groups_deinit) struct note_groups notes = { 0 };
	_cleanup_free_ struct candidate *all = NULL;
	size_t n = 0, kept;
	int r;

	for (size_t i = 0; i < n_groups; i++) {
		n += groups[i].n;
		ret->n_items_all += books_held_count(&groups[i]);
	}
	if (!src->describe || !n)
		return 0;
	all = calloc(n, sizeof(*all));
	if (!all)
		return -ENOMEM;
	n = take_candidates(groups, n_groups, all);
	kept = n < REPORT_ITEMS_MAX ? n : REPORT_ITEMS_MAX;
	ret->items = arena_alloc(arena, (kept + 1) * sizeof(*ret->items));
	if (!ret->items)
		return -ENOMEM;
	r = look_at_all(src, all, n, &notes);
	if (!r)
		r = note_groups_finish(&notes, arena, ret);
	if (r)
		return r;
	for (size_t i = 0; i < n; i++)
		ret->n_noted += all[i].noted;
	if (ret->origin != ORIGIN_TRACED && n == ret->n_items_all)
		take_ages(all, n, ret);
	qsort(all, n, sizeof(*all), compare_candidates);
	for (size_t i = 0; i < kept && !r; i++)
		r = keep(src, all[i].held, arena, ret);
	return r;
}
