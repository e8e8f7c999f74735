/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small Go program as far as its table goes: three functions, the second of which has a call
 * inlined into it. Made for either layout of the table.
 */
#pragma once
#include "elf_fixture.h"
#include "elf/gopclntab.h"

#define GO_BASE	    0x400000ULL
#define GO_TEXT	    0x1000 /* places in the file, which is loaded as it is */
#define GO_TABLE    0x2000
#define GO_TREES    0x4000
#define GO_MODULE   0x5000
#define GO_LOADED   0x6000
#define GO_FUNCTION 0x40 /* bytes of code of each */
#define GO_FUNCTIONS 3

/* Parts of the table, from its start. */
enum { GO_NAMES = 0x48, GO_UNITS = 0xc0, GO_FILES = 0x100, GO_VALUES = 0x180, GO_FUNCS = 0x200 };
/* Names and files, from the start of their part. */
enum { GO_NAME_START = 1, GO_NAME_GENERIC = 16, GO_NAME_CALLED = 48, GO_NAME_EXIT = 64 };
/* Tables of values, likewise. */
enum { GO_PCSP = 1, GO_PCFILE = 16, GO_PCLN = 24, GO_CALLS = 40 };

static inline void go_put_u32(struct elf_fixture *f, uint64_t at, uint32_t value)
{
	fixture_put(f, at, &value, sizeof(value));
}

static inline void go_put_u64(struct elf_fixture *f, uint64_t at, uint64_t value)
{
	fixture_put(f, at, &value, sizeof(value));
}

static inline void go_put_function(struct elf_fixture *f, bool early, uint32_t i, uint32_t name,
				   uint8_t flags)
{
	const uint64_t funcs = GO_TABLE + GO_FUNCS, at = funcs + 0x40 + i * 0x60;
	const uint64_t size = early ? 40 : 44;
	const uint8_t small[] = { flags, 0, 0, 4 };

	go_put_u32(f, funcs + i * 8, i * GO_FUNCTION);
	go_put_u32(f, funcs + i * 8 + 4, at - funcs);
	go_put_u32(f, funcs + i * 8 + 8, (i + 1) * GO_FUNCTION);
	go_put_u32(f, at, i * GO_FUNCTION);
	go_put_u32(f, at + 4, name);
	go_put_u32(f, at + 16, GO_PCSP);
	go_put_u32(f, at + 20, GO_PCFILE);
	go_put_u32(f, at + 24, GO_PCLN);
	go_put_u32(f, at + 28, 3);
	fixture_put(f, at + size - 3, small, 1);
	fixture_put(f, at + size - 1, &small[3], 1);
	go_put_u32(f, at + size + 8, i == 1 ? GO_CALLS : 0);
	for (int data = 0; data < 4; data++)
		go_put_u32(f, at + size + 12 + data * 4, i == 1 && data == 3 ? 0 : UINT32_MAX);
}

static inline void go_put_header(struct elf_fixture *f, bool early)
{
	static const uint64_t parts[] = { GO_NAMES, GO_UNITS, GO_FILES, GO_VALUES, GO_FUNCS };
	const uint8_t magic[] = { early ? 0xf0 : 0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8 };

	fixture_put(f, GO_TABLE, magic, sizeof(magic));
	go_put_u64(f, GO_TABLE + 8, GO_FUNCTIONS);
	go_put_u64(f, GO_TABLE + 16, 1);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		go_put_u64(f, GO_TABLE + 32 + i * 8, parts[i]);
}

static inline void go_put_values(struct elf_fixture *f)
{
	const uint64_t at = GO_TABLE + GO_VALUES;
	/* changes are folded: twice the change, or one less than minus twice */
	const uint8_t pcsp[] = { 2, 1, 16, 3, 32, 0x20, 31, 0x1c, 0 };	  /* 0, 8, 24, 8 */
	const uint8_t pcfile[] = { 2, 0x40, 0 };			  /* 0 */
	const uint8_t pcln[] = { 22, 0x10, 4, 0x10, 5, 0x20, 0 };	  /* 10, 12, 9 */
	const uint8_t calls[] = { 0, 0x10, 2, 0x10, 1, 0x20, 0 };	  /* -1, 0, -1 */

	fixture_put(f, at + GO_PCSP, pcsp, sizeof(pcsp));
	fixture_put(f, at + GO_PCFILE, pcfile, sizeof(pcfile));
	fixture_put(f, at + GO_PCLN, pcln, sizeof(pcln));
	fixture_put(f, at + GO_CALLS, calls, sizeof(calls));
}

/* The inlined call is made from the third line. */
static inline void go_put_tree(struct elf_fixture *f, bool early)
{
	go_put_u32(f, GO_TREES + (early ? 12 : 4), GO_NAME_CALLED);
	go_put_u32(f, GO_TREES + (early ? 16 : 8), 0x28);
}

static inline void go_put_module(struct elf_fixture *f, bool early)
{
	const uint64_t text = GO_BASE + GO_TEXT;

	go_put_u64(f, GO_MODULE, GO_BASE + GO_TABLE);
	go_put_u64(f, GO_MODULE + 8, GO_BASE + GO_TABLE + GO_NAMES);
	go_put_u64(f, GO_MODULE + 160, text);
	go_put_u64(f, GO_MODULE + 168, text + GO_FUNCTIONS * GO_FUNCTION);
	go_put_u64(f, GO_MODULE + 176, text);
	go_put_u64(f, GO_MODULE + 296, text); /* not what trees are relative to */
	go_put_u64(f, GO_MODULE + (early ? 304 : 344), GO_BASE + GO_TREES);
}

static inline void go_fixture_init(struct elf_fixture *f, bool early)
{
	static const uint8_t push_rbp = 0x55;

	fixture_init(f);
	fixture_phdr(f, PT_LOAD, 0, GO_BASE, GO_TABLE, PF_R | PF_X);
	fixture_phdr(f, PT_LOAD, GO_TABLE, GO_BASE + GO_TABLE, GO_LOADED - GO_TABLE, PF_R | PF_W);
	for (int i = 0; i < GO_FUNCTIONS; i++)
		fixture_put(f, GO_TEXT + i * GO_FUNCTION, &push_rbp, 1);
	go_put_header(f, early);
	fixture_put(f, GO_TABLE + GO_NAMES + GO_NAME_START, "main.start", 11);
	fixture_put(f, GO_TABLE + GO_NAMES + GO_NAME_GENERIC, "main.f[go.shape.[]int].func1", 29);
	fixture_put(f, GO_TABLE + GO_NAMES + GO_NAME_CALLED, "main.called", 12);
	fixture_put(f, GO_TABLE + GO_NAMES + GO_NAME_EXIT, "runtime.goexit", 15);
	fixture_put(f, GO_TABLE + GO_FILES, "/src/main.go", 13);
	go_put_values(f);
	go_put_function(f, early, 0, GO_NAME_START, 0);
	go_put_function(f, early, 1, GO_NAME_GENERIC, 0);
	go_put_function(f, early, 2, GO_NAME_EXIT, GO_FUNC_TOP);
	go_put_tree(f, early);
	go_put_module(f, early);
}
