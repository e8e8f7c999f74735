/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the kernel takes the processor from a task that is in the kernel, so from BPF programs at
 * trampolines and, from Linux 7.0 on, at raw tracepoints. A program that has been preempted there
 * counts as running: the kernel passes over it when another task comes by on that processor, and the
 * event is lost (counted as missed_hook). Programs at kprobes cannot be preempted.
 */
#pragma once
#include <stdbool.h>

/* From what the kernel says itself. True as well when it does not say which of its modes holds. */
bool kernel_preempts(void);

/*
 * The same of given texts: the file sched/preempt of debugfs, where the mode that holds stands in
 * parentheses ("none voluntary (full) lazy"; NULL: it is not there), and /proc/version (NULL: as if
 * empty).
 */
bool preempt_mode_preempts(const char *modes, const char *version);
