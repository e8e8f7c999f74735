/* SPDX-License-Identifier: Apache-2.0 */
/* A process's memory, made up: one area at BASE, with objects as CPython 3.11 has them. */
#pragma once
#include <errno.h>
#include <string.h>
#include "sym/python.h"

#define BASE	   0x7f0000000000ULL
#define AREA_BYTES 8192
#define CODE_TYPE  (BASE + 0x10)
#define CODE	   (BASE + 0x100)
#define NAME	   (BASE + 0x400)
#define FILE_NAME  (BASE + 0x500)
#define LINES	   (BASE + 0x600)
#define INSTRS	   (CODE + 184)

struct area {
	uint8_t bytes[AREA_BYTES];
};

static inline int area_read(const struct memory *m, uint64_t at, void *to, size_t size)
{
	const struct area *a = m->ctx;

	if (at < BASE || at - BASE > AREA_BYTES || size > AREA_BYTES - (at - BASE))
		return -EFAULT;
	memcpy(to, a->bytes + (at - BASE), size);
	return 0;
}

static inline struct memory area_memory(const struct area *a)
{
	return (struct memory){ .read = area_read, .ctx = a };
}

static inline void area_put(struct area *a, uint64_t at, const void *from, size_t size)
{
	memcpy(a->bytes + (at - BASE), from, size);
}

static inline void area_word(struct area *a, uint64_t at, uint64_t word)
{
	area_put(a, at, &word, sizeof(word));
}

/* A compact str of `n` characters of `kind` bytes each. */
static inline void area_string(struct area *a, uint64_t at, const void *chars, size_t n, unsigned int kind,
			       bool ascii)
{
	area_word(a, at + 16, n);
	area_word(a, at + 32, kind << 2 | 1U << 5 | (unsigned int)ascii << 6);
	area_put(a, at + (ascii ? 48 : 72), chars, n * kind);
}

/* f() of a.py, which begins in line 10, with an instruction for line 10 and one for line 12. */
static inline void area_code(struct area *a)
{
	static const uint8_t lines[] = { 0x80, 0x12, 0x80 | 12 << 3, 1, 2 };

	area_word(a, CODE + 8, CODE_TYPE);
	area_word(a, CODE + 72, 10);
	area_word(a, CODE + 112, FILE_NAME);
	area_word(a, CODE + 128, NAME);
	area_word(a, CODE + 136, LINES);
	area_string(a, NAME, "f", 1, 1, true);
	area_string(a, FILE_NAME, "a.py", 4, 1, true);
	area_word(a, LINES + 16, sizeof(lines));
	area_put(a, LINES + 32, lines, sizeof(lines));
}
