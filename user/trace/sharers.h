/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that share a traced one's memory (leaktrace/space.h), and the probes that see them.
 *
 * Probes that run for the threads of one process do not. So a process of which somebody shares the memory,
 * and is not just on the way to exec, gets a second set, which sees all who share it, now and later. It stays
 * until the process ends or execs: one that does this once will do it again, and does not wait for us then.
 *
 *	vfork, posix_spawn		nothing, as long as the child meets no probe and execs or ends soon
 *	clone(CLONE_VM), or a child
 *	that takes longer		the second set, at once
 *	a child that met a probe before	counted as LT_COUNT_LOST_SHARER; the second set, for the next ones
 *	one from before tracing		the second set, before anything is recorded
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/vec.h"

struct tracer;
struct traced_process;

/* Of one process: its second set of probes. */
struct sharing {
	bool due; /* it is wanted */
	bool on, refused;
	bool own; /* it serves for the process's own threads as well */
	struct {
		VEC_OF(uint32_t);
	} attached; /* ids of the modules that have it */
	struct {
		VEC_OF(uint32_t);
	} before; /* who shared its memory when it was first looked at */
};

/* Before the process's modules are read, which takes a while, and then before anything is recorded of it: who
 * shares its memory at both times does so for longer than a child that is on the way to exec. */
void sharers_prepare(struct tracer *t, struct traced_process *p);
void sharers_begin(struct tracer *t, struct traced_process *p);

/* Whether two processes have one memory. */
bool sharers_are(pid_t a, pid_t b);

/* To be called often: attaches what is due. */
void sharers_tick(struct tracer *t, uint64_t now_ns);
/* Before a report: what those who are not seen have done so far is counted. */
void sharers_look(struct tracer *t);
/*
 * The thread that the process's probes are bound to has ended, and they are of a kind that cannot be bound to
 * another one: the second set serves for its own threads as well from now on, and the first is taken away.
 */
void sharers_take_over(struct tracer *t, struct traced_process *p);
/* The process has ended or runs another program: who shares its memory still is not followed. Its
 * attachments are given back with all others of it. */
void sharers_forget(struct tracer *t, struct traced_process *p);
void sharing_deinit(struct sharing *s);
