// SPDX-License-Identifier: Apache-2.0
#include "elf/cfi_prune.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "elf/cfi.h"

/* Bytes of the indirect call (FF /2) at `p`, or 0 when it is something else. */
static size_t indirect_call_length(const uint8_t *p, size_t left)
{
	uint8_t mod, rm, base;
	size_t length = 2;

	if (left < 2 || (p[1] >> 3 & 7) != 2)
		return 0;
	mod = p[1] >> 6;
	rm = p[1] & 7;
	base = rm;
	if (mod != 3 && rm == 4) {
		base = left > 2 ? p[2] & 7 : 0;
		length++;
	}
	if (mod == 1)
		length += 1;
	else if (mod == 2 || (mod == 0 && base == 5))
		length += 4;
	return length;
}

/* Bytes of the call (E8 rel32, FF /2) or syscall (0F 05) at `p`, prefixes aside, or 0. */
static size_t call_length(const uint8_t *p, size_t left)
{
	switch (*p) {
	case 0xe8:
		return 5;
	case 0xff:
		return indirect_call_length(p, left);
	case 0x0f:
		return left > 1 && p[1] == 0x05 ? 2 : 0;
	}
	return 0;
}

bool cfi_has_call(const struct elf_image *img, uint64_t from, uint64_t to)
{
	const uint8_t *p = elf_image_at(img, from, to - from), *end;
	size_t length;

	if (!p)
		return true;
	for (end = p + (to - from); p < end; p++) {
		length = call_length(p, end - p);
		if (length && length <= (size_t)(end - p))
			return true;
	}
	return false;
}

/* Rows that are reached in other ways than by a return. */
static bool is_always_kept(const struct lt_rule *rule)
{
	return rule->cfa == LT_CFA_NONE || rule->cfa == LT_CFA_PLT || rule->cfa == LT_CFA_SIGNAL ||
	       rule->cfa == LT_CFA_STOP;
}

static void rows_shrink(struct cfi_rows *rows)
{
	struct cfi_row *less = rows->n ? reallocarray(rows->items, rows->n, sizeof(*less)) : NULL;

	if (less) {
		rows->items = less;
		rows->cap = rows->n;
	}
}

int cfi_rows_prune(const struct elf_image *img, struct cfi_rows *rows, const uint64_t *keep,
		   size_t n_keep)
{
	_cleanup_free_ bool *kept = calloc(rows->n + 1, sizeof(*kept));
	struct cfi_row *row, *out = rows->items;
	const struct cfi_row *at;

	if (!kept)
		return -ENOMEM;
	for (size_t i = 0; i < n_keep; i++) {
		at = cfi_rows_at(rows, keep[i]);
		if (at)
			kept[at - rows->items] = true;
	}
	for (size_t i = 0; i < rows->n; i++) {
		row = &rows->items[i];
		if (!kept[i] && !is_always_kept(&row->rule) && i + 1 < rows->n &&
		    !cfi_has_call(img, row->pc, row[1].pc))
			continue;
		if (out == rows->items || memcmp(&out[-1].rule, &row->rule, sizeof(row->rule)))
			*out++ = *row;
	}
	rows->n = out - rows->items;
	rows_shrink(rows);
	return 0;
}
