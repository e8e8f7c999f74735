// SPDX-License-Identifier: Apache-2.0
#include "base/gzip.h"
#include <errno.h>
#include <stdint.h>
#include <zlib.h>

#define WINDOW_GZIP (15 + 16) /* the largest window, and gzip's header */
#define MEMORY	    8
#define CHUNK	    65536
#define INPUT_MAX   (1U << 30)

static int write_rest(z_stream *z, int flush, FILE *out)
{
	unsigned char chunk[CHUNK];
	size_t n;

	do {
		z->next_out = chunk;
		z->avail_out = sizeof(chunk);
		if (deflate(z, flush) == Z_STREAM_ERROR)
			return -EIO;
		n = sizeof(chunk) - z->avail_out;
		if (fwrite(chunk, 1, n, out) != n)
			return -EIO;
	} while (!z->avail_out);
	return 0;
}

int gzip_write(FILE *out, const void *bytes, size_t n)
{
	const unsigned char *at = bytes;
	z_stream z = { 0 };
	uInt some;
	int r = 0;

	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_GZIP, MEMORY,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	do {
		some = n < INPUT_MAX ? (uInt)n : INPUT_MAX;
		z.next_in = (z_const Bytef *)(uintptr_t)at;
		z.avail_in = some;
		at += some;
		n -= some;
		r = write_rest(&z, n ? Z_NO_FLUSH : Z_FINISH, out);
	} while (n && !r);
	deflateEnd(&z);
	return r;
}
