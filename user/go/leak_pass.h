/* SPDX-License-Identifier: Apache-2.0 */
/* Going once over the heap of a process for goroutines that are leaked. Only for user/go/leak*.c. */
#pragma once
#include "go/goroutine.h"
#include "go/leak.h"
#include "go/mark.h"

#define GO_NO_TARGET SIZE_MAX

enum go_wait {
	GO_WAIT_NONE,	   /* it runs, or waits for what does not depend on the program */
	GO_WAIT_UNKNOWN,   /* it is not known for what */
	GO_WAIT_NEVER,	   /* for nothing that could come: a nil channel, a select without cases */
	GO_WAIT_CHANNEL,   /* any of its channels */
	GO_WAIT_SEMAPHORE, /* a Mutex, RWMutex, WaitGroup, or something of the runtime's own */
	GO_WAIT_COND,
};

/* What a goroutine waits for, and the record that links the two. */
struct go_target {
	uint64_t sudog, object;
	size_t next; /* of the same goroutine, or GO_NO_TARGET */
};

struct go_waiter {
	uint64_t address, id, low, high, pc, sp, waiting;
	uint8_t status, reason, switches;
	bool awake; /* a root, or found to be alive */
	enum go_wait wait;
	size_t targets; /* the first, or GO_NO_TARGET */
	/* of one that looks leaked: how many passes in a row said so, since when (CLOCK_MONOTONIC, ns),
	 * and whether nothing has run all that time */
	unsigned int agreed;
	uint64_t since;
	bool at_rest;
};

struct go_pass {
	struct go_runtime *rt;
	struct go_mark mark;
	struct go_maps maps;
	struct {
		VEC_OF(struct go_waiter);
	} waiters;
	struct {
		VEC_OF(struct go_target);
	} targets;
	struct hashmap by_address; /* of struct g, index into waiters */
	struct memory_buffer buffer;
	size_t moved; /* goroutines that ran, or run, while it looked */
	struct go_leak_summary found; /* once it is done: heap, scannable, bytes_read, ns */
};

/* Reads all goroutines that live, adds those that are not in the pass yet, and says what they wait for.
 * `*ret_changed`: how many are new or have moved; those are awake, and their stacks are marked.
 * 0; -EAGAIN, -ESRCH, -EPERM, -ENOMEM. */
int go_pass_read(struct go_pass *p, size_t *ret_changed);
/* Makes it a root. */
int go_pass_wake(struct go_pass *p, struct go_waiter *w);
/* Finds what each waits for, by its state (leak_wait.c); where that fails it is GO_WAIT_UNKNOWN. */
int go_pass_find_targets(struct go_pass *p);
/* How a goroutine in that state waits. */
enum go_wait go_wait_of(const char *state);
/* All of it. 0, or as go_leaks_find(). */
int go_pass_run(struct go_pass *p, struct go_runtime *rt, uint64_t heap_max, const struct go_mark_end *end,
		struct err *e);
void go_pass_deinit(struct go_pass *p);
