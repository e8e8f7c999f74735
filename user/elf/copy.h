/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A private copy of a file, filled in piece by piece where it is looked at. A mapping of the file itself
 * would change under a parser that has just checked it, and end leaktrace with SIGBUS when its owner cuts
 * it short: here neither can happen.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILE_COPY_MAX (192UL << 20) /* bytes that are read of one file */
#define FILE_SIZE_MAX (1ULL << 36)

struct file_copy {
	uint8_t *data; /* as large as the file; what was not asked for is not accessible */
	size_t size, room;
	int fd;
	size_t left;  /* bytes that may still be read */
	bool damaged; /* the file has become shorter, or cannot be read */
	bool over;    /* more was asked for than FILE_COPY_MAX */
	uint64_t there[]; /* a bit for each piece */
};

/* A copy of the file behind `fd`, of which it holds a duplicate. 0, -EFBIG or another negative errno. */
int file_copy_open(int fd, size_t size, struct file_copy **ret);
/* Whether the bytes [offset, offset + n), which lie in the file, are there now. */
bool file_copy_load(struct file_copy *c, size_t offset, size_t n);
void file_copy_close(struct file_copy *c);
