/* SPDX-License-Identifier: Apache-2.0 */
/* Small reads below /proc/PID. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The whole of /proc/PID/NAME, NUL-terminated, owned by the caller; its length in `*ret_size` unless
 * that is NULL. -ESRCH when the process is gone, else a negative errno. */
int procfs_read(pid_t pid, const char *name, char **ret, size_t *ret_size);
/* The target of the link /proc/PID/NAME, owned by the caller. */
int procfs_readlink(pid_t pid, const char *name, char **ret);
/* The value of "Field:" in /proc/PID/status as a number; -ENOENT when there is no such field. */
int procfs_status(pid_t pid, const char *field, uint64_t *ret);
/* The number of a process, or a thread, in its own pid namespace, from the text of its "status"; 0: not known. */
uint64_t procfs_inner_id(const char *status);
/* CPU time the process has used so far, user and system, in ns: by its own clock, also that of threads
 * that have ended, and where it has none in ticks of 10 ms. */
int procfs_cpu_ns(pid_t pid, uint64_t *ret);
/* When the process began, in ticks since the machine did: with its id it tells it from all others. */
int procfs_start_ticks(pid_t pid, uint64_t *ret);
