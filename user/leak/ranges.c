// SPDX-License-Identifier: Apache-2.0
#include "leak/ranges.h"
#include <errno.h>
#include <string.h>

/* The first range that ends after `addr`. */
static size_t range_after(const struct range_set *set, uint64_t addr)
{
	size_t lo = 0, hi = set->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (set->items[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void range_insert(struct range_set *set, size_t at, struct range r)
{
	memmove(&set->items[at + 1], &set->items[at], (set->n - at) * sizeof(r));
	set->items[at] = r;
	set->n++;
}

static void range_erase(struct range_set *set, size_t from, size_t to)
{
	memmove(&set->items[from], &set->items[to], (set->n - to) * sizeof(*set->items));
	set->n -= to - from;
}

int range_set_add(struct range_set *set, uint64_t start, uint64_t len, uint64_t stack, uint64_t ns)
{
	struct mapping *m;

	if (!len || start + len < start)
		return 0;
	m = malloc(sizeof(*m));
	if (!m || vec_reserve(set, 1)) {
		free(m);
		return -ENOMEM;
	}
	*m = (struct mapping){
		.stack = stack, .ns = ns, .start = start, .left = len, .pieces = 1,
	};
	range_insert(set, range_after(set, start), (struct range){ start, start + len, m });
	return 0;
}

int64_t range_set_take(struct range_set *set, uint64_t start, uint64_t len, struct range_set *taken)
{
	uint64_t end = start + len < start ? UINT64_MAX : start + len, bytes = 0;
	size_t at = range_after(set, start), last;

	/* one range may be cut in two, and each part that is taken needs a place */
	if (vec_reserve(set, 1) || vec_reserve(taken, set->n - at + 1))
		return -ENOMEM;
	if (at < set->n && set->items[at].start < start && set->items[at].end > start) {
		struct range head = { set->items[at].start, start, set->items[at].mapping };

		set->items[at].start = start;
		head.mapping->pieces++;
		range_insert(set, at++, head);
	}
	for (last = at; last < set->n && set->items[last].start < end; last++) {
		struct range part = set->items[last];

		if (part.end > end) {
			part.end = end;
			part.mapping->pieces++;
			set->items[last].start = end;
			taken->items[taken->n++] = part;
			bytes += part.end - part.start;
			break;
		}
		taken->items[taken->n++] = part;
		bytes += part.end - part.start;
	}
	range_erase(set, at, last);
	return (int64_t)bytes;
}

static void range_release(struct range *r, range_released_fn *released, void *ctx)
{
	struct mapping *m = r->mapping;
	uint64_t bytes = r->end - r->start;

	m->left -= bytes;
	m->pieces--;
	released(ctx, m->stack, bytes, m->left == 0);
	if (!m->pieces)
		free(m);
}

int64_t range_set_remove(struct range_set *set, uint64_t start, uint64_t len,
			 range_released_fn *released, void *ctx)
{
	struct range_set taken = { 0 };
	int64_t bytes = range_set_take(set, start, len, &taken);

	range_set_clear(&taken, released, ctx);
	vec_free(&taken);
	return bytes;
}

int64_t range_set_drop(struct range_set *set, uint64_t start, range_released_fn *released, void *ctx)
{
	size_t from = range_after(set, start), kept = from;
	const struct mapping *m = NULL;
	int64_t bytes = 0;

	for (size_t i = from; i < set->n; i++) {
		struct range *r = &set->items[i];

		if (!m && r->mapping->start == start)
			m = r->mapping;
		if (r->mapping != m) {
			set->items[kept++] = *r;
			continue;
		}
		bytes += (int64_t)(r->end - r->start);
		range_release(r, released, ctx);
	}
	set->n = kept;
	return bytes;
}

int range_set_restore(struct range_set *set, struct range_set *taken)
{
	if (vec_reserve(set, taken->n))
		return -ENOMEM;
	vec_foreach(r, taken)
		range_insert(set, range_after(set, r->start), *r);
	taken->n = 0;
	return 0;
}

void range_set_clear(struct range_set *set, range_released_fn *released, void *ctx)
{
	vec_foreach(r, set)
		range_release(r, released, ctx);
	set->n = 0;
}

static void released_to_nobody(void *ctx, uint64_t stack, uint64_t bytes, bool whole)
{
}

void range_set_deinit(struct range_set *set)
{
	range_set_clear(set, released_to_nobody, NULL);
	vec_free(set);
}
