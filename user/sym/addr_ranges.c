// SPDX-License-Identifier: Apache-2.0
#include "sym/addr_ranges.h"
#include <stddef.h>
#include "elf/sort.h"

int addr_ranges_add(struct addr_ranges *ranges, uint64_t low, uint64_t high, uint32_t to)
{
	return vec_push(ranges, (struct addr_range){ .low = low, .high = high, .to = to });
}

/* Joins neighbours that lead to the same. */
static void ranges_join(struct addr_ranges *ranges)
{
	struct addr_range *out = ranges->items, *shorter;

	for (struct addr_range *in = out + 1; in < ranges->items + ranges->n; in++) {
		if (in->to == out->to && in->low == out->high)
			out->high = in->high;
		else
			*++out = *in;
	}
	ranges->n = out + 1 - ranges->items;
	shorter = reallocarray(ranges->items, ranges->n, sizeof(*shorter));
	if (shorter) {
		ranges->items = shorter;
		ranges->cap = ranges->n;
	}
}

static void ranges_link(struct addr_ranges *ranges)
{
	uint32_t open = 0;

	for (size_t i = 0; i < ranges->n; i++) {
		while (open && ranges->items[open - 1].high <= ranges->items[i].low)
			open = ranges->items[open - 1].outer;
		ranges->items[i].outer = open;
		open = i + 1;
	}
}

int addr_ranges_settle(struct addr_ranges *ranges)
{
	int r = sort_by_address(ranges->items, ranges->n, sizeof(*ranges->items));

	if (r || !ranges->n)
		return r;
	ranges_join(ranges);
	ranges_link(ranges);
	return 0;
}

/* The nearest that holds `addr`, from the one of that index + 1 outwards. */
static const struct addr_range *ranges_from(const struct addr_ranges *ranges, uint32_t i,
					    uint64_t addr)
{
	while (i && ranges->items[i - 1].high <= addr)
		i = ranges->items[i - 1].outer;
	return i ? &ranges->items[i - 1] : NULL;
}

const struct addr_range *addr_ranges_at(const struct addr_ranges *ranges, uint64_t addr)
{
	size_t low = 0, high = ranges->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (ranges->items[mid].low <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return ranges_from(ranges, low, addr);
}

const struct addr_range *addr_ranges_around(const struct addr_ranges *ranges,
					    const struct addr_range *range, uint64_t addr)
{
	return ranges_from(ranges, range->outer, addr);
}

void addr_ranges_deinit(struct addr_ranges *ranges)
{
	vec_free(ranges);
}
