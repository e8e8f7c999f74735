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

/* A single holding of any kind but memory, as of the last snapshot. */
struct held {
	uint64_t stack; /* the id of its stack, or BOOKS_BEFORE, or BOOKS_UNSEEN */
	uint32_t tgid;
	uint8_t kind;
	uint64_t id, ns; /* ns: when it was acquired; 0: before tracing, but its stack is known */
	uint64_t more, processes; /* of a group that have ended: it stands for so many more, of so many. Else 0 */
};

/* In place of a process: a group of some that have ended, whose books have been added up (leak/ended.h). */
#define BOOKS_GROUP	     0x80000000U
#define BOOKS_IS_GROUP(tgid) (((tgid) & BOOKS_GROUP) != 0)

/* Instead of a stack's id; they are sorted behind all stacks. */
#define BOOKS_BEFORE (UINT64_MAX - 1) /* held since before tracing */
#define BOOKS_UNSEEN UINT64_MAX	      /* found in a census, but no probe saw it acquired */

struct held_vec {
	VEC_OF(struct held);
};

/* A part of them that has the same kind, stack and process, oldest first. */
struct held_group {
	const struct held *items;
	size_t n;
};

struct books {
	struct stack_table stacks;
	struct {
		VEC_OF(struct process_ranges);
	} ranges;
	struct {
		VEC_OF(struct taken_ranges);
	} taken;
	struct held_vec held;
	struct held_vec ended; /* what groups of processes that have ended held without a stack */
	uint64_t unmatched; /* releases of mappings that were never seen acquired */
	uint64_t bad_events;
	uint64_t oom; /* events that could not be booked for want of memory */
};

/* Books one event from BPF of LT_EVENT_STACK or LT_EVENT_RANGE; problems are counted. */
void books_event(struct books *b, const void *event, size_t size);
/* The process runs another program, or has gone: nothing that it held is left. */
void books_forget(struct books *b, uint32_t tgid);
/* Nobody asks for these processes (pid -> anything) any more: all that is known of them is dropped. As
 * stack_table_remove(). */
int books_remove(struct books *b, const struct hashmap *pids, struct hashmap *ret_ids, size_t *at);
void books_deinit(struct books *b);

/*
 * A snapshot: begin, then the totals of every stack, then everything that is outstanding, then
 * end. Only what is at least `older_ns` old at time `now_ns` counts as held; what was held before
 * tracing is old enough.
 */
struct books_snapshot {
	struct books *books;
	uint64_t now_ns, older_ns;
};

void books_snapshot_begin(struct books_snapshot *s, struct books *b, uint64_t now_ns,
			  uint64_t older_ns);
void books_snapshot_totals(struct books_snapshot *s, uint64_t stack, const struct lt_totals *totals);
void books_snapshot_holding(struct books_snapshot *s, uint64_t stack, uint64_t amount, uint64_t ns);
/* The same for a single holding of a kind other than memory. */
void books_snapshot_held(struct books_snapshot *s, const struct held *held);
/* The same for all that a stack holds, of unknown age. */
void books_snapshot_sum(struct books_snapshot *s, uint64_t stack, const struct held_sum *sum);
void books_snapshot_end(struct books_snapshot *s);

/* The group with the first holding at index `from` or behind it; n is 0 behind the last. */
struct held_group books_held_group(const struct books *b, size_t from);
/* How many holdings there are in the group. */
uint64_t books_held_count(const struct held_group *g);
/* Where the holdings of a kind with this stack begin, or would. */
size_t books_held_find(const struct books *b, uint8_t kind, uint64_t stack);
