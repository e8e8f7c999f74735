/* SPDX-License-Identifier: Apache-2.0 */
/* A process to trace, checked and held by a pidfd. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"
#include "proc/cgroup.h"

struct target {
	pid_t pid;
	pid_t ns_pid;	      /* in its own pid namespace; 0: not known */
	uint64_t start_ticks; /* procfs_start_ticks() */
	uint64_t opened_ns;   /* CLOCK_MONOTONIC: it was alive then */
	int pidfd; /* -1: not needed any more */
	char *comm, *exe; /* exe as the process itself sees it */
	struct cgroup cgroup;
};

/*
 * Opens the process `pid`. Refuses, with the reason in `e`: one that does not exist (-ESRCH), a
 * thread that is not its process's first, a kernel thread, a zombie, and one of another architecture
 * (-EINVAL, -ENOEXEC).
 */
int target_open(pid_t pid, struct target *ret, struct err *e);
void target_deinit(struct target *t);
bool target_alive(const struct target *t);
/* Reads comm, exe and cgroup again, after the process ran exec. */
int target_refresh(struct target *t);
/* Reads its cgroup again: it may have been moved. Of one that is ending the last one stays. */
void target_read_cgroup(struct target *t);
