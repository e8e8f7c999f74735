/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks that were taken before the tables of all their code were loaded: in the moments between a
 * module's loading and our reading of it. BPF sends copies of them; when the tables are there, the
 * copies are walked again, and the stacks become what they would have been.
 */
#pragma once
#include "leak/stacks.h"
#include "probe/object.h"

#define LATE_BYTES_MAX (32U << 20)

struct late_stack {
	uint64_t id, frames_id;
	uint32_t tgid;
	struct lt_event_copy *copy; /* as much of it as was sent; NULL: there was no memory left */
};

struct late_stacks {
	VEC_OF(struct late_stack);
	size_t bytes; /* of the copies */
};

/* Takes an LT_EVENT_COPY. 0, -EBADMSG or -ENOMEM. */
int late_stacks_add(struct late_stacks *l, const void *event, size_t size);
/*
 * Settles the process's first `n` of all that have come so far: the tables must be those of a time
 * after they came. What cannot be walked further remains as it is. 0 or -ENOMEM.
 */
int late_stacks_settle(struct late_stacks *l, size_t n, uint32_t tgid, const struct object *o,
		       struct stack_table *stacks);
bool late_stacks_any(const struct late_stacks *l, uint32_t tgid);
void late_stacks_deinit(struct late_stacks *l);
