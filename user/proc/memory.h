/* SPDX-License-Identifier: Apache-2.0 */
/* Another process's memory, which is only ever read. What is read may be changing: nothing in it is to
 * be trusted. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct memory {
	/* All `size` bytes at `at`: 0; else -EFAULT, -ESRCH or another negative errno. */
	int (*read)(const struct memory *m, uint64_t at, void *to, size_t size);
	pid_t pid;
	const void *ctx; /* of other ways to read */
};

struct memory memory_of(pid_t pid);

static inline int memory_read(const struct memory *m, uint64_t at, void *to, size_t size)
{
	return m->read(m, at, to, size);
}
