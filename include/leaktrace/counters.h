/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every number that the BPF side counts, listed once: X(NAME, "json_name", "what it means").
 * A new counter is one row here.
 */
#pragma once

/* Events that could not be recorded; all of them are shown in `coverage.lost`. */
#define LT_LOSSES(X)                                                                               \
	X(MAP_FULL, "map_full", "the table of outstanding blocks or of stacks was full")           \
	X(RING_FULL, "ring_full", "the ring buffer was full")                                      \
	X(STACK_READ, "stack_read", "no memory for the stack walk of a thread")                    \
	X(MISSED_RETURN, "missed_return", "a call was left without returning, or its return was missed") \
	X(MISSED_HOOK, "missed_hook", "a hook in the kernel was passed: its program ran already, or too many " \
				       "calls waited to return")                           \
	X(SHARER, "sharer", "a process that shares the target's memory (vfork, clone with CLONE_VM) met probes " \
			    "before it could be seen: what it allocated or freed then is not in the books") \
	X(CHILD, "child", "a child process could not be followed: there was no room for it")       \
	X(PROBES_AWAY, "probes_away", "the thread that probes were bound to ended: what was called since may " \
				       "be missing, until they were bound to another")

/* Why a stack walk ended before the outermost frame; shown in `coverage.stacks.stops`. */
#define LT_STOPS(X)                                                                                \
	X(NO_MAPPING, "no_mapping", "the address belongs to no known executable mapping")          \
	X(NO_TABLE, "no_table", "the module carries no unwind information for the address")        \
	X(UNSUPPORTED, "unsupported", "an unwind rule of a kind that is not handled")              \
	X(UNREADABLE, "unreadable", "the stack memory could not be read")                          \
	X(BAD_SP, "bad_sp", "the stack pointer did not grow: corrupt stack or wrong rule")         \
	X(TOO_DEEP, "too_deep", "more than 256 frames, also with recursion folded")

enum lt_stop {
	LT_STOP_NONE, /* walked to the outermost frame */
#define X(name, json, text) LT_STOP_##name,
	LT_STOPS(X)
#undef X
	LT_STOP_MAX
};

enum lt_counter {
	LT_COUNT_HITS,	    /* probe hits at a function's entry, in a traced process */
	LT_COUNT_STEPPED,   /* those of them on an instruction that is single-stepped */
	LT_COUNT_RETURNS,   /* return probe hits */
	LT_COUNT_PASSED,    /* runs of programs for those who share memory, in others: the owner's hits */
	LT_COUNT_EVENTS,    /* hits of hooks in the kernel, in a traced process */
	LT_COUNT_TIMED,     /* those of them that were timed */
	LT_COUNT_TIMED_NS,  /* what they took */
	LT_COUNT_SYSCALLS,  /* system calls of traced processes that hooks saw, but were no events */
	LT_COUNT_UNSETTLED, /* closings of which only a census can tell what they released */
	LT_COUNT_UNMATCHED, /* releases of something that was never seen acquired */
	LT_COUNT_CHILDREN,  /* children that are not traced and have begun to run on their own */
	LT_COUNT_OVERTAKEN, /* blocks handed out again although their release was never seen */
	/* the losses, in the order of LT_LOSSES */
#define X(name, json, text) LT_COUNT_LOST_##name,
	LT_LOSSES(X)
#undef X
	LT_COUNT_MAX
};
