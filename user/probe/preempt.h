/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the kernel takes the processor from a task that is in the kernel, so from BPF programs at
 * trampolines and, from Linux 7.0 on, at raw tracepoints. A program that has been preempted there
 * counts as running: the kernel passes over it when another task comes by on that processor, and the
 * event is lost (counted as missed_hook). Programs at kprobes cannot be preempted.
 */
#pragma once

enum preemption {
	PREEMPTION_NEVER,
	PREEMPTION_MAYBE, /* the kernel has more modes, and does not say which of them holds */
	PREEMPTION_SURE,
};

/* From what the kernel says itself. */
enum preemption kernel_preemption(void);

/*
 * The same of given texts: the file sched/preempt of debugfs, where the mode that holds stands in
 * parentheses ("none voluntary (full) lazy"; NULL: it is not there), and /proc/version (NULL: as if
 * empty).
 */
enum preemption preemption_of(const char *modes, const char *version);
