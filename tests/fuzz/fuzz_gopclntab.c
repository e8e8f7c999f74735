// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as Go's table of functions. The first byte says how: changes to a small program that is
 * right (each a place in it and a byte), a table of which only the pointers to it are right, or a
 * whole ELF file.
 */
#include <stdlib.h>
#include "base/cleanup.h"
#include "elf/cfi.h"
#include "elf/gopclntab.h"
#include "go_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXPECT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

#define INLINED_MAX 64

enum { CHANGED, CHANGED_EARLY, TABLE, WHOLE_FILE, N_WAYS };

static void check_string(const char *s)
{
	EXPECT(!s || strlen(s) < 65536);
}

static void check_address(const struct gopclntab *t, uint64_t vaddr)
{
	struct go_function f;
	struct go_inlined call;
	struct go_line line;

	if (!gopclntab_at(t, vaddr, &f))
		return;
	EXPECT(vaddr - f.entry < f.end - f.entry);
	check_string(f.name);
	for (int i = 0; i < INLINED_MAX && gopclntab_inlined(t, &f, vaddr, &call); i++) {
		line = gopclntab_line(t, &f, vaddr);
		check_string(line.file);
		check_string(call.name);
		EXPECT(call.caller - f.entry < f.end - f.entry);
		vaddr = call.caller;
	}
	line = gopclntab_line(t, &f, vaddr);
	check_string(line.file);
}

static void check_rows(const struct elf_image *img)
{
	_cleanup_(cfi_rows_deinit) struct cfi_rows rows = { 0 };

	if (cfi_rows_build(img, &rows))
		return;
	for (size_t i = 1; i < rows.n; i++)
		EXPECT(rows.items[i - 1].pc < rows.items[i].pc &&
		       memcmp(&rows.items[i - 1].rule, &rows.items[i].rule,
			      sizeof(struct lt_rule)));
	EXPECT(!rows.n || rows.items[rows.n - 1].rule.cfa == LT_CFA_NONE);
}

static void check_image(const struct elf_image *img)
{
	struct gopclntab t;
	struct go_function f;

	check_rows(img);
	if (gopclntab_find(img, &t))
		return;
	for (uint32_t i = 0; i < t.n && i < 64; i++)
		if (gopclntab_function(&t, i, &f))
			for (uint64_t pc = f.entry; pc < f.end && pc - f.entry < 256; pc += 5)
				check_address(&t, pc);
	check_address(&t, UINT64_MAX);
	check_address(&t, t.text - 1);
}

static void make_program(struct elf_fixture *f, int way, const uint8_t *data, size_t size)
{
	go_fixture_init(f, way == CHANGED_EARLY);
	if (way == TABLE) {
		size = size < GO_TREES - GO_TABLE ? size : GO_TREES - GO_TABLE;
		fixture_put(f, GO_TABLE, data, size);
		return;
	}
	for (; size >= 3; data += 3, size -= 3)
		f->bytes[GO_TABLE + (data[0] | data[1] << 8) % (GO_LOADED - GO_TABLE)] = data[2];
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
		make_program(&f, way, data + 1, size - 1);
		EXPECT(!fixture_open(&f, &img));
	}
	check_image(&img);
	return 0;
}
