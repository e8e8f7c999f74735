/* SPDX-License-Identifier: Apache-2.0 */
/* Another process's memory, which is only ever read. What is read may be changing: nothing in it is
 * to be trusted. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct memory {
	/* All `size` bytes at `at`: 0; else -EFAULT, -ESRCH or another negative errno. */
	int (*read)(const struct memory *m, uint64_t at, void *to, size_t size);
	/* What is at several places, one behind the other, as process_vm_readv() does it: how many
	 * bytes there were up to the first that could not be read, or a negative errno. NULL:
	 * `read` does it. */
	ssize_t (*read_places)(const struct memory *m, const struct iovec *places, size_t n,
			       void *to);
	pid_t pid;
	const void *ctx; /* of other ways to read */
};

/* A piece of memory that is wanted. */
struct memory_part {
	uint64_t at;
	size_t size;
	const uint8_t *bytes; /* after memory_gather(); NULL: not all of it could be read */
	size_t owner;	      /* whose it is: the caller's own */
};

/* What the parts' bytes are in; to be used again, which needs no more memory. { 0 } to start with.
 */
struct memory_buffer {
	uint8_t *bytes;
	struct memory_run *runs;
	size_t bytes_cap, runs_cap;
};

struct memory memory_of(pid_t pid);

static inline int memory_read(const struct memory *m, uint64_t at, void *to, size_t size)
{
	return m->read(m, at, to, size);
}

/*
 * Reads many parts with few calls: parts that are close to each other are read as one. Their bytes
 * stay until the buffer is used again. Sorts the parts by address. 0, also when parts could not be
 * read; -ESRCH, -EPERM or -ENOMEM.
 */
int memory_gather(const struct memory *m, struct memory_part *parts, size_t n,
		  struct memory_buffer *buffer);
void memory_buffer_deinit(struct memory_buffer *buffer);
