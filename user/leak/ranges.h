/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mappings of one process as ranges of addresses. A munmap may take a piece off a mapping, or a
 * hole out of its middle: a mapping counts until its last byte is gone, its amount goes byte by
 * byte.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/vec.h"

/* One acquisition, shared by the pieces that are left of it. */
struct mapping {
	uint64_t stack, ns;
	uint64_t start;	     /* where it was made */
	uint64_t left;	     /* bytes still mapped */
	unsigned int pieces; /* ranges that refer to it */
};

struct range {
	uint64_t start, end;
	struct mapping *mapping;
};

struct range_set {
	VEC_OF(struct range); /* sorted, disjoint */
};

/* Called for bytes that leave a mapping; `whole` when they were its last. */
typedef void range_released_fn(void *ctx, uint64_t stack, uint64_t bytes, bool whole);

/* Adds [start, start + len) as a new mapping; what was there before must have been removed.
 * 0 or -ENOMEM. */
int range_set_add(struct range_set *set, uint64_t start, uint64_t len, uint64_t stack, uint64_t ns);
/* Removes all of [start, start + len) and reports each part. Returns the number of bytes removed,
 * or -ENOMEM. */
int64_t range_set_remove(struct range_set *set, uint64_t start, uint64_t len,
			 range_released_fn *released, void *ctx);
/* The same of all that is left of the mapping that was made at `start`. Returns the number of bytes. */
int64_t range_set_drop(struct range_set *set, uint64_t start, range_released_fn *released, void *ctx);
/* Moves the parts of [start, start + len) to `taken`, whose mappings live on. Returns the number
 * of bytes, or -ENOMEM. */
int64_t range_set_take(struct range_set *set, uint64_t start, uint64_t len, struct range_set *taken);
/* Puts taken parts back. 0 or -ENOMEM. */
int range_set_restore(struct range_set *set, struct range_set *taken);
/* Reports and removes everything. */
void range_set_clear(struct range_set *set, range_released_fn *released, void *ctx);
void range_set_deinit(struct range_set *set);
