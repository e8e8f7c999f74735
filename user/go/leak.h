/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which goroutines are leaked: blocked for good, because nobody who could still run can reach what they
 * wait for. It is what the goroutineleak profile of Go 1.26 and later says from inside (its algorithm:
 * findGoroutineLeaks() in src/runtime/mgc.go), of every release and from outside:
 *
 *	1. Suspects are the goroutines that are blocked on a channel, in a select, or on what package sync
 *	   has. All others, variables and finalizers are roots.
 *	2. Mark what is reachable from the roots (user/go/mark.h), the suspects themselves left out.
 *	3. A suspect is alive when what it waits for is marked, or is not in the heap, so that it is known
 *	   by name. It is a root then, too. Go back to 2 until there are no more.
 *	4. The suspects that are left are leaked.
 *
 * The process runs meanwhile, so that a pointer may go from where nobody has looked yet to where nobody
 * will look again. Hence, at the end the stacks of those that have run are looked at again; and a
 * verdict holds only when a second pass all over ends in the same one, for a goroutine that has not
 * moved; when anything has run in between, when 6 passes over more than a second do, or 25.
 *
 * It is not said of a goroutine that waits for what a variable of the program knows, even when no code
 * uses it any more.
 */
#pragma once
#include "base/err.h"
#include "go/goroutine.h"
#include "go/runtime.h"

enum go_verdict {
	GO_NOT_JUDGED, /* it could not be found out */
	GO_ALIVE,      /* it runs, or there may be somebody who wakes it */
	GO_LEAK,
};

struct go_leak_limits {
	uint64_t heap; /* bytes: programs with larger heaps are not judged */
	uint64_t ns;   /* time for all of it */
	const _Atomic uint64_t *until_ns; /* CLOCK_MONOTONIC; may be set meanwhile; 0 or NULL: no end but that */
};

/* Reading takes about a second for a GiB, twice at least, and up to a 32nd of the heap in memory. */
#define GO_LEAK_LIMITS ((struct go_leak_limits){ .heap = 8ULL << 30, .ns = 20000000000ULL })

struct go_leak_summary {
	/* of the list, but for the runtime's own; suspects: those that are blocked */
	size_t suspects, leaked, alive, not_judged;
	uint64_t heap, scannable;		    /* bytes: of it, and of the part that has pointers */
	uint64_t bytes_read, ns;		    /* by all passes */
	unsigned int passes;
};

/* What passes have found. { 0 } to start with. */
struct go_leaks {
	struct go_pass *last; /* without its marks; NULL: there was none */
	size_t open;	      /* goroutines that look leaked, which is not certain yet */
	unsigned int settled; /* passes before those of go_leaks_settle() */
	struct go_leak_summary summary;
};

struct go_pass;

/*
 * One pass, for go_leaks_add(). 0; or a negative errno with words in `e`, -E2BIG, the heap is too large; -ETIMEDOUT; -EOPNOTSUPP, the heap cannot be found; -EAGAIN, memory could not be read
 * consistently; -ESRCH, -EPERM, -ENOMEM. `limits` may be NULL.
 */
int go_leaks_pass(struct go_runtime *rt, const struct go_leak_limits *limits, struct go_pass **ret, struct err *e);
/* Takes the pass over. */
void go_leaks_add(struct go_leaks *leaks, struct go_pass *pass);
void go_pass_free(struct go_pass *pass);
/*
 * As many passes as it needs to be certain: of a program that is not at rest and has leaks that were not known
 * that takes a second and a half. When the limits end it before, it is as certain as it is, which is no error
 * unless there was no pass at all.
 */
int go_leaks_settle(struct go_leaks *leaks, struct go_runtime *rt, const struct go_leak_limits *limits,
		    struct err *e);
/* The verdict on each goroutine of a list, as far as it is certain after the passes so far: `ret` has room
 * for all. Those that have run since the last pass are alive. */
void go_leaks_judge(struct go_leaks *leaks, const struct go_runtime *rt, const struct goroutine_list *l,
		    enum go_verdict *ret);
void go_leaks_deinit(struct go_leaks *leaks);

/* Judges the goroutines of a list that was just read, once: all of the above. On errors none is judged.
 * `ret_summary` may be NULL. */
int go_leaks_find(struct go_runtime *rt, const struct goroutine_list *l,
		  const struct go_leak_limits *limits, enum go_verdict *ret,
		  struct go_leak_summary *ret_summary, struct err *e);
