// SPDX-License-Identifier: Apache-2.0
/*
 * The table (CPython: Objects/locations.md) is a sequence of entries, each for one to eight code units
 * of two bytes. Bytes with the top bit set begin an entry: 1, four bits of its form, three bits of its
 * length less one. What follows depends on the form, and holds, besides columns, by how much the line
 * differs from that of the entry before.
 */
#include "sym/python_lines.h"
#include <limits.h>
#include "base/reader.h"

#define UNIT 2 /* bytes of code */

enum form {
	FORM_SHORT_LAST = 9, /* up to it: a byte of columns, on the same line */
	FORM_ONE_LINE,	     /* two bytes of columns, on the same line; the next two forms: 1 and 2 lines on */
	FORM_ONE_LINE_LAST = 12,
	FORM_NO_COLUMNS,
	FORM_LONG,
	FORM_NONE, /* no line at all */
};

/* Six bits a byte, the lowest first; bit 6 says that there are more. */
static uint64_t read_varint(struct reader *r)
{
	uint64_t v = 0;
	uint8_t b;

	for (unsigned int shift = 0;; shift += 6) {
		b = reader_u8(r);
		if (shift < 64)
			v |= (uint64_t)(b & 0x3f) << shift;
		if (!(b & 0x40))
			return v;
	}
}

/* The sign is the lowest bit. */
static int64_t read_svarint(struct reader *r)
{
	uint64_t v = read_varint(r);
	int64_t n = (int64_t)(v >> 1);

	return v & 1 ? -n : n;
}

/* By how many lines the entry differs; reads all of it that is no column. */
static int64_t read_line_delta(struct reader *r, int form)
{
	int64_t delta;

	if (form <= FORM_SHORT_LAST) {
		reader_skip(r, 1);
		return 0;
	}
	if (form <= FORM_ONE_LINE_LAST) {
		reader_skip(r, 2);
		return form - FORM_ONE_LINE;
	}
	if (form == FORM_NONE)
		return 0;
	delta = read_svarint(r);
	for (int i = 0; form == FORM_LONG && i < 3; i++) /* end line, and columns */
		read_varint(r);
	return delta;
}

unsigned int python_line(const void *table, size_t size, unsigned int first_line, uint64_t offset)
{
	struct reader r = reader_make(table, size);
	int64_t line = first_line;
	uint64_t end = 0;

	while (reader_left(&r)) {
		uint8_t head = reader_u8(&r);
		int form = head >> 3 & 15;
		int64_t delta = read_line_delta(&r, form);

		if (r.bad || !(head & 0x80) || __builtin_add_overflow(line, delta, &line))
			return 0;
		end += ((head & 7) + 1) * UNIT;
		if (offset < end)
			return form == FORM_NONE || line <= 0 || line > INT_MAX ? 0 : (unsigned int)line;
	}
	return 0;
}
