/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "report/build.h"

/* Describes the holdings of a stack, a group for each process that has some: its items, n_noted and, when it was
 * not traced, its ages. 0 or -ENOMEM. */
int report_items(const struct report_source *src, const struct held_group *groups, size_t n_groups,
		 struct arena *arena, struct report_stack *ret);
