/* SPDX-License-Identifier: Apache-2.0 */
/* Address -> what covers it, innermost first. Ranges may lie in each other and overlap. */
#pragma once
#include <stdint.h>
#include "base/vec.h"

struct addr_range {
	uint64_t low, high;
	uint32_t to;	/* whatever the owner of the table says */
	uint32_t outer; /* index + 1 of the nearest range before that reaches over low, or 0 */
};

struct addr_ranges {
	VEC_OF(struct addr_range); /* sorted by low once settled */
};

/* Adds the range from `low` to before `high`. 0 or -ENOMEM. */
int addr_ranges_add(struct addr_ranges *ranges, uint64_t low, uint64_t high, uint32_t to);
/* Makes what was added ready to be searched; once, at the end. 0 or -ENOMEM. */
int addr_ranges_settle(struct addr_ranges *ranges);
/* The range around `addr` that starts nearest before it (of those that start there, the one added
 * last), or NULL. */
const struct addr_range *addr_ranges_at(const struct addr_ranges *ranges, uint64_t addr);
/* The next one around `addr` after `range`, or NULL: all that hold `addr` are found in this way. */
const struct addr_range *addr_ranges_around(const struct addr_ranges *ranges,
					    const struct addr_range *range, uint64_t addr);
void addr_ranges_deinit(struct addr_ranges *ranges);
