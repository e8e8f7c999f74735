/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of processes that have ended and are no more in the process table: how many there were, by what they were
 * called, and sums of what reports tell of all. Their books are in those of the group: leak/ended.h.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/vec.h"

#define ENDED_GROUPS_MAX 256 /* whoever has yet another name is with the last one */

struct traced_process;

struct ended_group {
	char *comm; /* NULL: several */
	uint64_t n;
};

struct ended_groups {
	VEC_OF(struct ended_group);
	uint64_t cpu_ns;     /* CPU time while they were traced */
	bool cpu_not_whole;  /* of some the last moments' time is not known */
	uint64_t n_unseen, unseen_most_ns; /* how many ran without probes at first, and for how long at most */
	uint64_t released_before, probes_away;
	uint32_t of_sources; /* sources_begun() of all of them */
	bool allocator;	     /* there was one with an allocator that is known */
};

/* The number, with BOOKS_GROUP, of the group that the process belongs to. 0: no memory. */
uint32_t ended_groups_find(struct ended_groups *g, const struct traced_process *p);
/* Counts the process in. */
void ended_groups_add(struct ended_groups *g, uint32_t group, const struct traced_process *p);
void ended_groups_deinit(struct ended_groups *g);
