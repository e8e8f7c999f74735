/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded reader over foreign bytes (the idea is drgn's binary_buffer). Reading past the end
 * yields 0 and sets `bad`, so a parser checks once after a group of reads, not after each.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct reader {
	const uint8_t *start, *p, *end;
	bool bad;
};

static inline struct reader reader_make(const void *data, size_t size)
{
	const uint8_t *p = data;

	return (struct reader){ .start = p, .p = p, .end = p ? p + size : p };
}

static inline size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->p);
}

static inline size_t reader_offset(const struct reader *r)
{
	return (size_t)(r->p - r->start);
}

static inline void reader_fail(struct reader *r)
{
	r->bad = true;
	r->p = r->end;
}

static inline void reader_skip(struct reader *r, uint64_t n)
{
	if (n > reader_left(r))
		reader_fail(r);
	else if (n) /* an empty reader may have no bytes to point at */
		r->p += n;
}

/* The next `n` bytes, or NULL (and `bad`) when fewer are left. */
static inline const void *reader_bytes(struct reader *r, uint64_t n)
{
	const uint8_t *at = r->p;

	reader_skip(r, n);
	return r->bad ? NULL : at;
}

/* A sub-reader over the next `n` bytes, which are consumed. */
static inline struct reader reader_sub(struct reader *r, uint64_t n)
{
	const uint8_t *at = reader_bytes(r, n);

	return at ? reader_make(at, n) : (struct reader){ .bad = true };
}

/* Little-endian unsigned of 1 to 8 bytes. */
static inline uint64_t reader_uint(struct reader *r, unsigned int n)
{
	uint64_t v = 0;
	const void *at = reader_bytes(r, n);

	if (at)
		memcpy(&v, at, n);
	return v;
}

#define reader_u8(r)  ((uint8_t)reader_uint((r), 1))
#define reader_u16(r) ((uint16_t)reader_uint((r), 2))
#define reader_u32(r) ((uint32_t)reader_uint((r), 4))
#define reader_u64(r) (reader_uint((r), 8))

static inline uint64_t reader_uleb128(struct reader *r)
{
	uint64_t v = 0;
	uint8_t b;

	for (unsigned int shift = 0;; shift += 7) {
		b = reader_u8(r);
		if (shift < 64)
			v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return v;
	}
}

static inline int64_t reader_sleb128(struct reader *r)
{
	uint64_t v = 0;
	unsigned int shift = 0;
	uint8_t b;

	do {
		b = reader_u8(r);
		if (shift < 64)
			v |= (uint64_t)(b & 0x7f) << shift;
		shift += 7;
	} while (b & 0x80);
	if (shift < 64 && (b & 0x40))
		v |= ~0ULL << shift;
	return (int64_t)v;
}

/* A NUL-terminated string inside the buffer, or NULL when none ends before the end. */
static inline const char *reader_cstr(struct reader *r)
{
	const char *s = (const char *)r->p;
	const uint8_t *nul = reader_left(r) ? memchr(r->p, 0, reader_left(r)) : NULL;

	if (!nul) {
		reader_fail(r);
		return NULL;
	}
	r->p = nul + 1;
	return s;
}
