/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that come of traced ones, by fork, vfork or posix_spawn. What the kernel's hooks see of them is booked
 * from their first instruction on. Their probes come a little later: those of a command of ours are held until
 * then, at their birth and, as the command itself is, at exec and while their loaders are at work; of others it is
 * told how long that took (struct traced_process.unseen_ns).
 */
#pragma once
#include "trace/process.h"
#include "trace/process_events.h"

/* EVENT_BORN. One that cannot be traced is counted: struct tracer.unfollowed. */
void follow_born(struct tracer *t, const struct process_event *e);
/* A process that is held has been stopped by us: looks at it and continues it. */
void follow_stopped(struct tracer *t, struct traced_process *p);
/* News of a process that is not known, or not any more: should it have been stopped by us, it goes on. */
void follow_stray(const struct tracer *t, const struct process_event *e);
/* Nobody is held any more: whoever is still stopped goes on. */
void follow_end(struct tracer *t);
