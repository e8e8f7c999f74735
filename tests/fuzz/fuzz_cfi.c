// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as unwind information. The first byte says how: an .eh_frame inside an ELF file of our
 * own (found through its section, or through .eh_frame_hdr), or a whole ELF file.
 */
#include <dwarf.h>
#include <stdlib.h>
#include "base/cleanup.h"
#include "elf/cfi.h"
#include "elf_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BASE	  0x400000ULL
#define HDR	  0x7f00
#define EH_FRAME  0x8000 /* in the middle, so that it can point to both sides */
#define LOADED	  0xe000
#define TEXT_SEED 0x1000 /* code: a pattern with every kind of call in it */

#define EXPECT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

enum { THROUGH_SECTION, THROUGH_HEADER, WHOLE_FILE, N_WAYS };

static bool same(struct lt_rule a, struct lt_rule b)
{
	return !memcmp(&a, &b, sizeof(a));
}

static void check_rule(const struct lt_rule *rule)
{
	bool bare = rule->cfa == LT_CFA_NONE || rule->cfa >= LT_CFA_SIGNAL;

	EXPECT(rule->cfa <= LT_CFA_UNSUPPORTED && rule->rbp <= LT_RBP_UNKNOWN);
	EXPECT(!bare || (!rule->rbp && !rule->rbp_offset && !rule->cfa_offset));
	EXPECT((rule->rbp != LT_RBP_SAME && rule->rbp != LT_RBP_UNKNOWN) || !rule->rbp_offset);
}

static void check_rows(const struct elf_image *img, const struct cfi_rows *rows)
{
	const struct cfi_row *row;

	for (size_t i = 0; i < rows->n; i++) {
		row = &rows->items[i];
		check_rule(&row->rule);
		EXPECT(!i || (row[-1].pc < row->pc && !same(row[-1].rule, row->rule)));
		EXPECT(cfi_rows_at(rows, row->pc) == row);
	}
	EXPECT(!rows->n || rows->items[rows->n - 1].rule.cfa == LT_CFA_NONE);
}

static void check_image(const struct elf_image *img)
{
	_cleanup_(cfi_rows_deinit) struct cfi_rows full = { 0 }, pruned = { 0 };
	uint64_t keep[4] = { 0, BASE + 0x100, UINT64_MAX, img->entry };
	const struct cfi_row *before, *after;

	if (cfi_rows_build(img, &full) || cfi_rows_build(img, &pruned))
		return;
	check_rows(img, &full);
	if (full.n)
		keep[0] = full.items[full.n / 2].pc;
	EXPECT(!cfi_rows_prune(img, &pruned, keep, ARRAY_SIZE(keep)));
	check_rows(img, &pruned);
	EXPECT(pruned.n <= full.n);
	vec_foreach(row, &pruned)
	{
		before = cfi_rows_at(&full, row->pc);
		EXPECT(before && before->pc == row->pc && same(before->rule, row->rule));
	}
	for (size_t i = 0; i < ARRAY_SIZE(keep); i++) {
		before = cfi_rows_at(&full, keep[i]);
		after = cfi_rows_at(&pruned, keep[i]);
		EXPECT(!before || (after && same(before->rule, after->rule)));
	}
}

/* An ELF file all of which is code. */
static void make_file(struct elf_fixture *f, const uint8_t *data, size_t size, bool section)
{
	const uint8_t hdr[] = { 1, DW_EH_PE_pcrel | DW_EH_PE_sdata4, 0xff, 0xff };
	const int32_t to_frame = EH_FRAME - HDR - 4;
	const uint8_t pattern[] = { 0xe8, 1,	2,    3,    4,	  0x90, 0xff,
				    0xd0, 0x55, 0x0f, 0x05, 0x48, 0x89, 0xdc };

	fixture_init(f);
	fixture_phdr(f, PT_LOAD, 0, BASE, LOADED, PF_R | PF_X);
	for (size_t at = TEXT_SEED; at + 64 < HDR; at += 64 + (at >> 6) % 7)
		fixture_put(f, at, pattern, sizeof(pattern));
	if (size > LOADED - EH_FRAME)
		size = LOADED - EH_FRAME;
	fixture_put(f, EH_FRAME, data, size);
	if (section) {
		fixture_section(f, ".eh_frame", SHT_PROGBITS, EH_FRAME, BASE + EH_FRAME, size);
		return;
	}
	fixture_put(f, HDR, hdr, sizeof(hdr));
	fixture_put(f, HDR + sizeof(hdr), &to_frame, sizeof(to_frame));
	fixture_phdr(f, PT_GNU_EH_FRAME, HDR, BASE + HDR, sizeof(hdr) + sizeof(to_frame), PF_R);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct elf_fixture f;
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	int way = size ? data[0] % N_WAYS : WHOLE_FILE;

	if (!size)
		return 0;
	if (way == WHOLE_FILE) {
		if (elf_image_open_mem(data + 1, size - 1, &img))
			return 0;
	} else {
		make_file(&f, data + 1, size - 1, way == THROUGH_SECTION);
		EXPECT(!fixture_open(&f, &img));
	}
	check_image(&img);
	return 0;
}
