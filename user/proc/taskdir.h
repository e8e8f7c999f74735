/* SPDX-License-Identifier: Apache-2.0 */
/* Directories of /proc whose entries are numbers, and what /proc/PID/stat says of a task. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/vec.h"

struct number_vec {
	VEC_OF(uint64_t);
};

/* Sorts them, ascending, each once. */
void number_vec_sort(struct number_vec *v);
/* Whether the number is among them, which are sorted. */
bool number_vec_has(const struct number_vec *v, uint64_t number);

/* Adds the numbers that name entries of the directory /proc/PATH, ascending. -ESRCH when there is no
 * such directory (any more), else 0 or a negative errno. */
int taskdir_list(const char *path, struct number_vec *ret);
/* The same of the directory PATH. */
int taskdir_list_at(const char *path, struct number_vec *ret);

struct task_stat {
	pid_t pid, ppid;
	char state; /* 'R', 'S', 'Z', ... */
	unsigned int flags; /* kernel: PF_* of include/linux/sched.h */
	char name[64 + 1];
};

/* Reads "PID (NAME) STATE PPID ...", `n` bytes and a NUL, where the name may hold anything; without flags there
 * are none. 0, or -EBADMSG. */
int task_stat_parse(const char *text, size_t n, struct task_stat *ret);
/* Of a process or a thread. -ESRCH when it is gone, else 0 or a negative errno. */
int task_stat_read(pid_t tid, struct task_stat *ret);
/* Whether it runs no more and is, at most, waited for. */
bool task_stat_ended(const struct task_stat *t);
/* Whether it is on its way there, and may have given up what it had: its memory, descriptors, control groups. */
bool task_stat_is_ending(const struct task_stat *t);
/* Whether it is a thread of the kernel's own, and no process at all. */
bool task_stat_is_kernels(const struct task_stat *t);
/* The process itself while its first thread runs; when that one has ended before the others, which
 * leaves /proc/PID/fd and its like empty, the first thread that runs. -ESRCH when none does. */
int task_living(pid_t pid, pid_t *ret);
/* The same for those who read on whatever there is: the process itself when no thread runs. */
pid_t task_proc(pid_t pid);
