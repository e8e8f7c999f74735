// SPDX-License-Identifier: Apache-2.0
#include "elf/copy.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PIECE 65536UL

int file_copy_open(int fd, size_t size, struct file_copy **ret)
{
	const size_t pieces = (size + PIECE - 1) / PIECE;
	struct file_copy *c;

	if (size > FILE_SIZE_MAX)
		return -EFBIG;
	c = calloc(1, sizeof(*c) + (pieces / 64 + 1) * sizeof(c->there[0]));
	if (!c)
		return -ENOMEM;
	c->size = size;
	c->room = pieces * PIECE;
	c->left = FILE_COPY_MAX;
	c->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	/* without access it costs addresses only */
	c->data = mmap(NULL, c->room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (c->data == MAP_FAILED)
		c->data = NULL;
	if (c->fd < 0 || !c->data) {
		int r = c->fd < 0 ? -errno : -ENOMEM;

		file_copy_close(c);
		return r;
	}
	*ret = c;
	return 0;
}

static bool is_there(const struct file_copy *c, size_t piece)
{
	return c->there[piece / 64] >> piece % 64 & 1;
}

/* Reads the pieces [from, to). */
static bool load(struct file_copy *c, size_t from, size_t to)
{
	size_t at = from * PIECE, end = to * PIECE < c->size ? to * PIECE : c->size;

	c->over |= end - at > c->left;
	if (c->over || c->damaged || mprotect(c->data + at, (to - from) * PIECE, PROT_READ | PROT_WRITE))
		return false;
	c->left -= end - at;
	while (at < end) {
		ssize_t n = pread(c->fd, c->data + at, end - at, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		c->damaged = n <= 0;
		if (c->damaged)
			return false;
		at += (size_t)n;
	}
	for (size_t i = from; i < to; i++)
		c->there[i / 64] |= 1ULL << i % 64;
	return true;
}

bool file_copy_load(struct file_copy *c, size_t offset, size_t n)
{
	const size_t end = n ? (offset + n - 1) / PIECE + 1 : 0;
	size_t to;

	for (size_t piece = offset / PIECE; piece < end; piece = to) {
		to = piece + 1;
		if (is_there(c, piece))
			continue;
		while (to < end && !is_there(c, to))
			to++;
		if (!load(c, piece, to))
			return false;
	}
	return true;
}

void file_copy_close(struct file_copy *c)
{
	if (!c)
		return;
	if (c->data)
		munmap(c->data, c->room);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}
