/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that are in the scope of a trace and are not traced, with the reason. What is asked of them again is
 * asked less and less often: many a reason goes away, with an exec or when there is room.
 *
 * Each reason keeps its count when its processes have gone.
 */
#pragma once
#include <stdbool.h>
#include "base/vec.h"
#include "proc/target.h"
#include "proc/taskdir.h"

struct refusal_reason {
	char *why; /* in words, without a process id */
	uint64_t count;
};

struct refusal {
	struct target who; /* without a pidfd */
	size_t reason;	   /* which one, + 1; 0: none that is told, as it is none of the scope's processes */
	uint64_t again_ns; /* CLOCK_MONOTONIC, when it is to be asked for again */
	unsigned int times;
};

struct refusals {
	VEC_OF(struct refusal); /* of those that are there, by pid */
	struct {
		VEC_OF(struct refusal_reason);
	} reasons;
};

void refusals_deinit(struct refusals *r);

/* The process's refusal; NULL: there is none. */
struct refusal *refusals_find(const struct refusals *r, pid_t pid);
/* It is not traced, once more or for the first time; `why`: as errors put it, "pid 7: no memory", or NULL: it is none
 * of the scope's processes. 0 or -ENOMEM. */
int refusals_put(struct refusals *r, pid_t pid, const char *why, uint64_t now_ns);
/* It is being traced: what was counted of it does not count. */
void refusals_drop(struct refusals *r, pid_t pid);
/* Forgets those that are not among `pids`, which are ascending. */
void refusals_keep(struct refusals *r, const struct number_vec *pids);
/* Counts a process that is gone already. 0 or -ENOMEM. */
int refusals_count(struct refusals *r, const char *why);
