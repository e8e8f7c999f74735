/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was left out of the work, and why: a file that could not be read, tables that were larger than
 * anything real. Each is told once, in the report, so that nobody takes its absence for a fact.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/hashmap.h"
#include "base/vec.h"

#define LEFT_OUT_MAX	 64   /* that are kept; the others are counted ... */
#define LEFT_OUT_COUNTED 4096 /* ... up to here */

struct left_out_item {
	char *what; /* "symbols" */
	char *of;   /* a path */
	char *why;  /* in words */
};

struct left_out {
	VEC_OF(struct left_out_item);
	struct hashmap more; /* that found no room: a hash of each */
};

/* Adds one, unless the same is there. 0 or -ENOMEM. */
int left_out_add(struct left_out *l, const char *what, const char *of, const char *why);
/* Whether none before item `i` is of the like, left out for the same reason; and how many after it are: to tell
 * them together. */
bool left_out_is_first(const struct left_out *l, size_t i, size_t *ret_more);
void left_out_deinit(struct left_out *l);
