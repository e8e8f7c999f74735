/* SPDX-License-Identifier: Apache-2.0 */
/* What a process holds at this moment, from /proc and sock_diag. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/hashmap.h"
#include "base/vec.h"
#include "proc/sockdiag.h"

struct id_vec {
	VEC_OF(uint64_t);
};

struct census_fd {
	unsigned int fd;
	uint64_t socket; /* inode number when it is a socket, else 0 */
	char *target;	 /* of the link: a path, "socket:[7]", "anon_inode:[eventfd]"; NULL: not
			  * readable; owned */
	mode_t format;	 /* S_IFREG, ..., of what has a path; 0: not known */
	uint64_t memory; /* bytes that the file takes, when it lies in memory alone; else 0 */
	char *protocol;	 /* of a socket that is not in `sockets`, as the kernel calls it: "TCP"; NULL:
			  * not known; owned */
};

struct census_thread {
	pid_t tid;
	char name[16 + 1];
};

struct census_child {
	pid_t pid;
	bool zombie;
	char state; /* as in /proc/PID/stat */
	char name[64 + 1]; /* comm */
};

struct census {
	pid_t pid;
	pid_t living; /* the thread whose /proc tells of the process: see task_living() */
	uint64_t began_ns; /* CLOCK_MONOTONIC; what has come since is younger by the books' clock */
	struct {
		VEC_OF(struct census_fd);
	} fds; /* by fd */
	struct hashmap by_socket; /* inode number -> index in `fds` of the lowest descriptor of it */
	struct {
		VEC_OF(struct census_thread);
	} threads; /* by tid */
	struct {
		VEC_OF(struct census_child);
	} children; /* by pid */
	struct socket_table sockets; /* of the process's network namespace */
};

/* Takes the census of what the kinds in `kinds` (bits of enum lt_kind) need. -ESRCH: the process has
 * gone; or another negative errno, then there is nothing in `ret`. What goes while it is being read
 * may be in it or not. */
int census_take(pid_t pid, uint32_t kinds, struct census *ret);
void census_deinit(struct census *c);
/* The descriptor that is this number, or NULL. */
const struct census_fd *census_fd(const struct census *c, unsigned int fd);
/* The lowest descriptor of the socket with this inode number, or NULL. */
const struct census_fd *census_socket_fd(const struct census *c, uint64_t inode);
const struct census_thread *census_thread(const struct census *c, pid_t tid);
const struct census_child *census_child(const struct census *c, pid_t pid);
