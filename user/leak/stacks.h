/* SPDX-License-Identifier: Apache-2.0 */
/* Every stack seen so far, under the id that BPF gave it. Stacks are never forgotten: each is some
 * hundred bytes, and a program has thousands, not millions. */
#pragma once
#include <leaktrace/books.h>
#include <leaktrace/counters.h>
#include "base/hashmap.h"
#include "base/vec.h"

struct stack {
	uint64_t id;
	uint32_t tgid;
	uint8_t kind, via, stop; /* enum lt_kind, index of the function's name, enum lt_stop */
	uint16_t n, fp_frames;
	uint64_t *frames; /* leaf first; LT_FRAME_MODULE(), LT_FRAME_OFFSET() */

	/* of mappings, which are booked in user space; blocks are booked in BPF */
	struct lt_totals ranges;

	/* as of the last snapshot */
	struct lt_totals totals;	/* blocks and mappings together */
	uint64_t held, held_amount;	/* outstanding for at least the age asked for */
	uint64_t oldest_ns, youngest_ns; /* times of acquisition of those; 0: none */
};

struct stack_table {
	VEC_OF(struct stack);
	struct hashmap by_id; /* -> index */
};

/* Adds the stack unless it is known. 0, -EBADMSG for an event that makes no sense, or -ENOMEM. */
int stack_table_add(struct stack_table *t, const struct lt_event_stack *e, size_t size);
/* The stack `from` turns out to be the same as `to`, which need not be known: from here on either id
 * leads to one stack. 0 or -ENOMEM. */
int stack_table_merge(struct stack_table *t, uint64_t from, uint64_t to);
/* NULL when it is not known; valid until the next add or merge. */
struct stack *stack_table_get(const struct stack_table *t, uint64_t id);
void stack_table_deinit(struct stack_table *t);
