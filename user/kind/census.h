/* SPDX-License-Identifier: Apache-2.0 */
/* What a process holds at this moment, from /proc and sock_diag. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/vec.h"
#include "proc/sockdiag.h"

struct id_vec {
	VEC_OF(uint64_t);
};

struct census_fd {
	unsigned int fd;
	uint64_t socket; /* inode number when it is a socket, else 0 */
	char *target;	 /* of the link: a path, "socket:[7]", "anon_inode:[eventfd]"; owned */
};

struct census_thread {
	pid_t tid;
	char name[16 + 1];
};

struct census_child {
	pid_t pid;
	bool zombie;
	char name[64 + 1]; /* comm */
};

struct census {
	pid_t pid;
	uint64_t began_ns; /* CLOCK_MONOTONIC, before anything was read */
	struct {
		VEC_OF(struct census_fd);
	} fds; /* by fd */
	struct {
		VEC_OF(struct census_thread);
	} threads; /* by tid */
	struct {
		VEC_OF(struct census_child);
	} children; /* by pid */
	struct socket_table sockets; /* of the process's network namespace */
};

/* Takes the census of what the kinds in `kinds` (bits of enum lt_kind) need. -ESRCH: the process has
 * gone; or another negative errno, then there is nothing in `ret`. */
int census_take(pid_t pid, uint32_t kinds, struct census *ret);
void census_deinit(struct census *c);
/* The descriptor that is this number, or NULL. */
const struct census_fd *census_fd(const struct census *c, unsigned int fd);
