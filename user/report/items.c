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

static int look_at_all(const struct report_source *src, struct held_group held,
		       struct candidate *ret, struct note_groups *notes)
{
	_cleanup_(arena_deinit) struct arena scratch = { 0 };

	for (size_t i = 0; i < held.n; i++) {
		struct item item;
		int r = describe(src, &held.items[i], &scratch, &item);

		if (!r && item.note)
			r = note_groups_add(notes, item.note);
		if (r)
			return r;
		ret[i] = (struct candidate){ &held.items[i], item.age_seconds, item.note };
		if (i % SCRATCH_ITEMS == SCRATCH_ITEMS - 1)
			arena_deinit(&scratch);
	}
	return 0;
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

int report_items(const struct report_source *src, struct held_group held, struct arena *arena,
		 struct report_stack *ret)
{
	_cleanup_(note_groups_deinit) struct note_groups notes = { 0 };
	_cleanup_free_ struct candidate *all = NULL;
	size_t n = held.n < REPORT_ITEMS_MAX ? held.n : REPORT_ITEMS_MAX;
	int r;

	ret->n_items_all = held.n;
	if (!src->describe || !held.n)
		return 0;
	all = calloc(held.n, sizeof(*all));
	ret->items = arena_alloc(arena, n * sizeof(*ret->items));
	if (!all || !ret->items)
		return -ENOMEM;
	r = look_at_all(src, held, all, &notes);
	if (!r)
		r = note_groups_finish(&notes, arena, ret);
	if (r)
		return r;
	for (size_t i = 0; i < held.n; i++)
		ret->n_noted += all[i].noted;
	if (ret->origin != ORIGIN_TRACED)
		take_ages(all, held.n, ret);
	qsort(all, held.n, sizeof(*all), compare_candidates);
	for (; ret->n_items < n && !r; ret->n_items++)
		r = describe(src, all[ret->n_items].held, arena, &ret->items[ret->n_items]);
	return r;
}
