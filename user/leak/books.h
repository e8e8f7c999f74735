/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The books in user space: the stacks, the mappings, and snapshots of what BPF keeps. Fed by
 * probe/drain, read by report/build; knows nothing of either.
 */
#pragma once
#include "leak/ranges.h"
#include "leak/stacks.h"

struct process_ranges {
	uint32_t tgid;
	struct range_set set;
};

/* What an mremap that has begun holds in its hands. */
struct taken_ranges {
	uint32_t tgid, tid;
	struct range_set set;
};

struct books {
	struct stack_table stacks;
	struct {
		VEC_OF(struct process_ranges);
	} ranges;
	struct {
		VEC_OF(struct taken_ranges);
	} taken;
	uint64_t unmatched; /* releases of mappings that were never seen acquired */
	uint64_t bad_events;
	uint64_t oom; /* events that could not be booked for want of memory */
};

/* Books one event from BPF of LT_EVENT_STACK or LT_EVENT_RANGE; problems are counted. */
void books_event(struct books *b, const void *event, size_t size);
/* The process runs another program, or has gone: nothing that it held is left. */
void books_forget(struct books *b, uint32_t tgid);
void books_deinit(struct books *b);

/*
 * A snapshot: begin, then the totals of every stack, then every block that is outstanding, then
 * end. Only what is at least `older_ns` old at time `now_ns` counts as held.
 */
struct books_snapshot {
	struct books *books;
	uint64_t now_ns, older_ns;
};

void books_snapshot_begin(struct books_snapshot *s, struct books *b, uint64_t now_ns,
			  uint64_t older_ns);
void books_snapshot_totals(struct books_snapshot *s, uint64_t stack, const struct lt_totals *totals);
void books_snapshot_holding(struct books_snapshot *s, uint64_t stack, uint64_t amount, uint64_t ns);
void books_snapshot_end(struct books_snapshot *s);
