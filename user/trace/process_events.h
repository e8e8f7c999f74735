/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What has happened to processes, in the order in which it was heard of. It is put down here at once, which may
 * be in the middle of anything, and dealt with later, when nobody goes through the table of processes: see
 * tracer_handle_events().
 *
 * To add one: a type here, and a row in user/trace/tracer_events.c that says what is done.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/vec.h"

enum process_event_type {
	EVENT_BORN,	    /* it has come of `parent`, and is traced from here on */
	EVENT_EXECED,	    /* it runs another program now */
	EVENT_STOPPED,	    /* a command of ours is being stopped till we have looked */
	EVENT_LOADED,	    /* its loader has changed the list of modules */
	EVENT_UNKNOWN_CODE, /* a stack went through an address in no known mapping */
	EVENT_SHARED,	    /* somebody shares its memory whom its probes do not see */
	EVENT_LEADER_ENDED, /* its first thread, while others go on */
	EVENT_LAST_WORDS,   /* it is about to end, having used `cpu_ns` */
	EVENT_EXITED,	    /* it has ended */
	EVENT_MAX
};

struct process_event {
	enum process_event_type type;
	pid_t pid;
	uint64_t cpu_ns;
	pid_t parent;
	uint64_t ns; /* CLOCK_MONOTONIC, of its birth or exec */
	bool held;   /* at its birth it was stopped */
	bool recorded; /* what it has done since its exec is in the books */
};

struct process_events {
	VEC_OF(struct process_event);
};

/* The same once more, with nothing in between, is put down once. 0 or -ENOMEM. */
int process_events_put(struct process_events *events, const struct process_event *e);
