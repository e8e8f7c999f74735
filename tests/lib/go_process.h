/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small Go process, made up for any release: a program of a few functions, and a heap with goroutines.
 * Memory can be made to change while it is read.
 */
#pragma once
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#include "elf_fixture.h"
#include "go/goroutine.h"

#define GOP_BASE   0x400000ULL
#define GOP_HEAP   0xc000000000ULL
#define GOP_BYTES  65536 /* of the heap */
#define GOP_FRAME  24	 /* of each function but the outermost, without the return address */
#define GOP_CODE   0x40	 /* bytes of each function */
#define GOP_THREAD 4321

/* Places in the file, which is loaded as it is. */
enum { GOP_TEXT = 0x1000, GOP_TABLE = 0x2000, GOP_TREES = 0x5000, GOP_DATA = 0x6000, GOP_BSS = 0x6800,
       GOP_MODULE = 0x7000, GOP_STRINGS = 0x7800, GOP_BUILD = 0x8000, GOP_END = 0x9000 };
/* Parts of the table, from its start. */
enum { GOP_NAMES = 0x48, GOP_UNITS = 0x200, GOP_FILES = 0x210, GOP_VALUES = 0x240, GOP_FUNCS = 0x280 };
/* Places in the heap. */
enum { GOP_ALLGS = 0x100, GOP_M = 0x200, GOP_LABELS = 0x400, GOP_G = 0x1000, GOP_STACKS = 0x8000 };

enum gop_function { F_ALLGADD, F_MAIN, F_SWEEP, F_FORCE, F_START, F_WAIT, F_PARK, F_EXIT, F_N };
static const char *const gop_names[F_N] = { "runtime.allgadd", "runtime.main", "runtime.bgsweep",
					    "runtime.forcegchelper", "main.start", "main.wait[go.shape.int]",
					    "runtime.gopark", "runtime.goexit" };
static const char *const gop_reasons[] = { "", "GC assist marking", "IO wait", "one", "two", "three", "four",
					   "five", "six", "select", "seven", "eight" };

/* Six of them: 1 waits, two are the runtime's, 17 waits, is locked and has labels, 18 runs, one is dead. */
enum { GOP_GOROUTINES = 6, GOP_ALIVE = 5 };

struct gop_change {
	unsigned int when; /* from this read on */
	uint64_t at, value;
};

struct gop {
	struct elf_fixture file;
	uint8_t heap[GOP_BYTES];
	const struct go_layout *layout;
	struct gop_change changes[64];
	unsigned int n_changes, reads;
	int refused; /* a negative errno for all that is read */
};

/* -- memory ------------------------------------------------------------------------------------- */
static inline uint8_t *gop_at(struct gop *p, uint64_t at, size_t size)
{
	if (at >= GOP_HEAP && at - GOP_HEAP < GOP_BYTES && size <= GOP_BYTES - (at - GOP_HEAP))
		return p->heap + (at - GOP_HEAP);
	if (at >= GOP_BASE && at - GOP_BASE < GOP_END && size <= GOP_END - (at - GOP_BASE))
		return p->file.bytes + (at - GOP_BASE);
	return NULL;
}

static inline void gop_put(struct gop *p, uint64_t at, uint64_t value, size_t n)
{
	uint8_t *to = gop_at(p, at, n);

	assert(to);
	memcpy(to, &value, n);
}

static inline int gop_read(const struct memory *m, uint64_t at, void *to, size_t size)
{
	struct gop *p = (struct gop *)(uintptr_t)m->ctx;
	const uint8_t *from = gop_at(p, at, size);

	p->reads++;
	for (unsigned int i = 0; i < p->n_changes; i++)
		if (p->reads >= p->changes[i].when && gop_at(p, p->changes[i].at, 8))
			gop_put(p, p->changes[i].at, p->changes[i].value, 8);
	if (p->refused)
		return p->refused;
	if (!from)
		return -EFAULT;
	memcpy(to, from, size);
	return 0;
}

/* -- the program -------------------------------------------------------------------------------- */
static inline uint64_t gop_code(enum gop_function f, uint64_t offset)
{
	return GOP_BASE + GOP_TEXT + f * (uint64_t)GOP_CODE + offset;
}

static inline void gop_file(struct gop *p, uint64_t at, uint64_t value, size_t n)
{
	gop_put(p, GOP_BASE + at, value, n);
}

/* main.start has a call inlined; main.wait has one argument of 8 bytes. */
static inline void gop_put_function(struct gop *p, enum gop_function f, uint32_t name)
{
	const bool early = p->layout->minor < 20;
	const uint64_t funcs = GOP_TABLE + GOP_FUNCS, at = funcs + 0x60 + f * 0x60;
	const uint64_t size = early ? 40 : 44, data = at + size + 12;

	gop_file(p, funcs + f * 8, f * GOP_CODE, 4);
	gop_file(p, funcs + f * 8 + 4, at - funcs, 4);
	gop_file(p, funcs + f * 8 + 8, (f + 1) * GOP_CODE, 4);
	gop_file(p, at, f * GOP_CODE, 4);
	gop_file(p, at + 4, name, 4);
	gop_file(p, at + 16, f == F_EXIT ? 5 : 1, 4);
	gop_file(p, at + 20, 9, 4);
	gop_file(p, at + 24, 13, 4);
	gop_file(p, at + 28, 3, 4);
	gop_file(p, at + size - 3, f == F_EXIT ? GO_FUNC_TOP : 0, 1);
	gop_file(p, at + size - 1, 6, 1);
	for (unsigned int i = 0; i < 6; i++)
		gop_file(p, data + i * 4, UINT32_MAX, 4);
	if (f == F_START)
		gop_file(p, data + GO_FUNCDATA_INLINED * 4, 0, 4);
	if (f == F_WAIT)
		gop_file(p, data + GO_FUNCDATA_ARGS_INFO * 4, 0x40, 4);
}

static inline void gop_put_table(struct gop *p)
{
	static const uint64_t parts[] = { GOP_NAMES, GOP_UNITS, GOP_FILES, GOP_VALUES, GOP_FUNCS };
	static const uint8_t values[] = { 0,  50, GOP_CODE, 0, 0,	 2, GOP_CODE, 0,
					  0,  2,  GOP_CODE, 0, 0,	 22, GOP_CODE, 0 };
	const bool early = p->layout->minor < 20;
	uint32_t name = 1;

	gop_file(p, GOP_TABLE, early ? 0xfffffff0 : 0xfffffff1, 4);
	gop_file(p, GOP_TABLE + 6, 0x0801, 2);
	gop_file(p, GOP_TABLE + 8, F_N, 8);
	gop_file(p, GOP_TABLE + 16, 1, 8);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		gop_file(p, GOP_TABLE + 32 + i * 8, parts[i], 8);
	fixture_put(&p->file, GOP_TABLE + GOP_FILES, "/src/main.go", 13);
	fixture_put(&p->file, GOP_TABLE + GOP_VALUES, values, sizeof(values));
	for (enum gop_function f = 0; f < F_N; f++) {
		gop_put_function(p, f, name);
		fixture_put(&p->file, GOP_TABLE + GOP_NAMES + name, gop_names[f], strlen(gop_names[f]) + 1);
		name += strlen(gop_names[f]) + 1;
	}
	/* the inlined call has the name of the first function, and is made from its first line */
	gop_file(p, GOP_TREES + (early ? 12 : 4), 1, 4);
	gop_file(p, GOP_TREES + 0x40, 0xff0800, 4); /* the argument: offset 0, 8 bytes, end */
}

static inline void gop_put_module(struct gop *p)
{
	const struct go_layout *l = p->layout;
	const uint64_t at = GOP_MODULE, text = GOP_BASE + GOP_TEXT;

	gop_file(p, at, GOP_BASE + GOP_TABLE, 8);
	gop_file(p, at + 8, GOP_BASE + GOP_TABLE + GOP_NAMES, 8);
	gop_file(p, at + l->moduledata.minpc, text, 8);
	gop_file(p, at + l->moduledata.maxpc, text + F_N * GOP_CODE, 8);
	gop_file(p, at + l->moduledata.text, text, 8);
	gop_file(p, at + l->moduledata.etext, text + F_N * GOP_CODE, 8);
	gop_file(p, at + l->moduledata.data, GOP_BASE + GOP_DATA, 8);
	gop_file(p, at + l->moduledata.edata, GOP_BASE + GOP_BSS, 8);
	gop_file(p, at + l->moduledata.bss, GOP_BASE + GOP_BSS, 8);
	gop_file(p, at + l->moduledata.ebss, GOP_BASE + GOP_MODULE, 8);
	gop_file(p, at + l->moduledata.gofunc, GOP_BASE + GOP_TREES, 8);
}

/* mov %rax,disp(%rip) to where the slice of goroutines, its length and its capacity are */
static inline void gop_put_code(struct gop *p)
{
	for (unsigned int i = 0; i < 3; i++) {
		const uint64_t at = GOP_TEXT + i * 7;

		gop_file(p, at, 0x058948, 3);
		gop_file(p, at + 3, GOP_BSS + 0x100 + i * 8 - (at + 7), 4);
	}
}

static inline void gop_put_data(struct gop *p)
{
	uint64_t at = GOP_STRINGS;

	for (size_t i = 0; i < ARRAY_SIZE(gop_reasons); i++) {
		const size_t n = strlen(gop_reasons[i]);

		gop_file(p, GOP_DATA + 0x40 + i * 16, n ? GOP_BASE + at : 0, 8);
		gop_file(p, GOP_DATA + 0x40 + i * 16 + 8, n, 8);
		fixture_put(&p->file, at, gop_reasons[i], n);
		at += n;
	}
	gop_file(p, GOP_BSS + 0x100, GOP_HEAP + GOP_ALLGS, 8);
	gop_file(p, GOP_BSS + 0x108, GOP_GOROUTINES, 8);
	gop_file(p, GOP_BSS + 0x110, GOP_GOROUTINES, 8);
}

static inline void gop_put_version(struct gop *p, const char *version)
{
	const size_t n = strlen(version);

	fixture_put(&p->file, GOP_BUILD, "\xff Go buildinf:\x08\x02", 16);
	gop_file(p, GOP_BUILD + 32, n, 1);
	fixture_put(&p->file, GOP_BUILD + 33, version, n);
}

/* -- the heap ----------------------------------------------------------------------------------- */
static inline uint64_t gop_g(unsigned int i)
{
	return GOP_HEAP + GOP_G + i * 0x400ULL;
}

static inline uint64_t gop_stack_end(unsigned int i)
{
	return GOP_HEAP + GOP_STACKS + (i + 1) * 0x1000ULL;
}

static inline void gop_field(struct gop *p, unsigned int i, uint32_t field, uint64_t value, size_t n)
{
	if (field != GO_NONE)
		gop_put(p, gop_g(i) + field, value, n);
}

/* A stack that stands in gopark(), called by main.wait(0x2a), by the function it started with. */
static inline void gop_put_stack(struct gop *p, unsigned int i, enum gop_function start)
{
	const uint64_t frame = GOP_FRAME + 8, end = gop_stack_end(i) - 0x80, sp = end - 3 * frame;
	const struct go_layout *l = p->layout;

	gop_put(p, sp + frame - 8, gop_code(F_WAIT, 0x10), 8);
	gop_put(p, sp + frame * 2 - 8, gop_code(start, 0x20), 8);
	gop_put(p, sp + frame * 2, 0x2a, 8);
	gop_put(p, sp + frame * 3 - 8, gop_code(F_EXIT, 1), 8);
	gop_field(p, i, l->g.sched + l->gobuf.sp, sp, 8);
	gop_field(p, i, l->g.sched + l->gobuf.pc, gop_code(F_PARK, 8), 8);
}

static inline void gop_put_goroutine(struct gop *p, unsigned int i, uint64_t id, uint32_t status,
				     enum gop_function start)
{
	const struct go_layout *l = p->layout;

	gop_put(p, GOP_HEAP + GOP_ALLGS + i * 8, gop_g(i), 8);
	gop_field(p, i, l->g.stack, gop_stack_end(i) - 0x1000, 8);
	gop_field(p, i, l->g.stack + 8, gop_stack_end(i), 8);
	gop_field(p, i, l->g.sched + l->gobuf.g, gop_g(i), 8);
	gop_field(p, i, l->g.atomicstatus, status, 4);
	gop_field(p, i, l->g.goid, id, 8);
	gop_field(p, i, l->g.parentGoid, id == 1 ? 0 : 1, 8);
	gop_field(p, i, l->g.waitreason, (status & ~GO_SCAN) == GO_WAITING ? 9 : 0, 1);
	gop_field(p, i, l->g.gopc, id == 1 ? 0 : gop_code(F_MAIN, 0x30), 8);
	gop_field(p, i, l->g.startpc, gop_code(start, 0), 8);
	gop_put_stack(p, i, start);
}

/* {"k": "v"}, in the shape of the release. */
static inline void gop_put_labels(struct gop *p, unsigned int i)
{
	const uint64_t at = GOP_HEAP + GOP_LABELS, bucket = at + 0x80, text = at + 0x300;
	const bool map = p->layout->minor < 24;
	const uint64_t pair = map ? bucket + 8 : at + 0x40;

	gop_field(p, i, p->layout->g.labels, at, 8);
	gop_put(p, at, map ? at + 0x20 : pair, 8);
	gop_put(p, at + 8, 1, 8);
	gop_put(p, at + 16, 1, 8);
	if (map) {
		gop_put(p, at + 0x20, 1, 8);		/* count; 2^0 buckets */
		gop_put(p, at + 0x20 + 16, bucket, 8);
		gop_put(p, bucket, 0x81, 1);
	}
	gop_put(p, pair, text, 8);
	gop_put(p, pair + 8, 1, 8);
	gop_put(p, map ? pair + 128 : pair + 16, text + 1, 8);
	gop_put(p, (map ? pair + 128 : pair + 16) + 8, 1, 8);
	gop_put(p, text, 'k' | 'v' << 8, 2);
}

static inline void gop_put_heap(struct gop *p)
{
	const struct go_layout *l = p->layout;

	gop_put_goroutine(p, 0, 1, GO_WAITING, F_MAIN);
	gop_put_goroutine(p, 1, 2, GO_WAITING, F_SWEEP);
	gop_put_goroutine(p, 2, 3, GO_WAITING, F_FORCE);
	gop_put_goroutine(p, 3, 17, GO_WAITING | GO_SCAN, F_START);
	gop_field(p, 3, l->g.lockedm, GOP_HEAP + GOP_M, 8);
	gop_put_labels(p, 3);
	gop_put_goroutine(p, 4, 18, GO_RUNNING, F_START);
	gop_field(p, 4, l->g.m, GOP_HEAP + GOP_M, 8);
	gop_put_goroutine(p, 5, 19, GO_DEAD, F_START);
	gop_put(p, GOP_HEAP + GOP_M + l->m.procid, GOP_THREAD, 8);
}

/* -- all of it ---------------------------------------------------------------------------------- */
static inline void gop_init(struct gop *p, const struct go_layout *l, const char *version)
{
	memset(p, 0, sizeof(*p));
	p->layout = l;
	fixture_init(&p->file);
	fixture_phdr(&p->file, PT_LOAD, 0, GOP_BASE, GOP_TABLE, PF_R | PF_X);
	fixture_phdr(&p->file, PT_LOAD, GOP_TABLE, GOP_BASE + GOP_TABLE, GOP_END - GOP_TABLE, PF_R | PF_W);
	gop_put_code(p);
	gop_put_table(p);
	gop_put_module(p);
	gop_put_data(p);
	gop_put_version(p, version);
	gop_put_heap(p);
}

/* The program as a file, to be closed; -1: there can be none. */
static inline int gop_fd(const struct gop *p)
{
	int fd = memfd_create("go", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, p->file.bytes, sizeof(p->file.bytes)) != sizeof(p->file.bytes)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static inline struct memory gop_memory(struct gop *p)
{
	return (struct memory){ .read = gop_read, .ctx = p };
}
