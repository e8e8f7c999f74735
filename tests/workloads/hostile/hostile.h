/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs share that attack the one who traces them. They run as an unprivileged user,
 * print "ready PID" and live until a line or the end comes on stdin; meanwhile they allocate a
 * little, so that there is something to report.
 */
#pragma once
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "../workload.h"

#define PAGE	4096
#define TURN_MS 20

/* Whether stdin wants the program to end; waits for it for so long. */
static inline bool is_told_to_end(int ms)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&in, 1, ms) == 1;
}

static NOINLINE void *hold_block(void)
{
	return keep(malloc(77));
}

/* Allocates 77 bytes 50 times a second until it is told to end. */
static inline void live(void)
{
	say("ready %d\n", getpid());
	while (!is_told_to_end(TURN_MS))
		hold_block();
	say("done\n");
}

static inline int open_or_fail(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0700);

	expect(fd >= 0, path);
	return fd;
}

/* Maps `size` bytes of the file from `offset` on as code. */
static inline void *map_code(int fd, off_t offset, size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, offset);

	expect(at != MAP_FAILED, "mmap of code failed");
	return at;
}
