/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Go runtime inside another process: its version, where it keeps what (user/go/layout.h), and
 * the addresses of its variables. Works on programs without symbols, position-independent or not,
 * with or without C; nothing in them is changed and nothing is stopped.
 */
#pragma once
#include "base/err.h"
#include "base/hashmap.h"
#include "elf/gopclntab.h"
#include "elf/image.h"
#include "go/layout.h"
#include "proc/memory.h"
#include "proc/opener.h"

#define GO_REASONS_MAX 96 /* of waiting that are read */
#define GO_REASON_SIZE 48

/* Of variables and parts of the program, in the process; 0: not found. Only `allgs`, the bounds and
 * the reasons of waiting are needed to open a runtime. */
struct go_addresses {
	uint64_t allgs;		   /* []*g: all goroutines that there ever were */
	uint64_t mheap;		   /* mheap */
	uint64_t mbuckets;	   /* *bucket: the first of the memory profile */
	uint64_t mprof_cycle;	   /* uint32: twice the cycle, and 1 when it is flushed */
	uint64_t mem_profile_rate; /* int */
	uint64_t wait_reasons;	   /* [...]string */
	uint64_t semtable;	   /* [251]struct{ semaRoot; pad to 64 bytes } */
	uint64_t work;		   /* workType */
	uint64_t allfin;	   /* *finBlock: the first of all blocks of finalizers to be run */
	uint64_t all_cleanups;	   /* *cleanupBlock, in gcCleanups: the same of cleanups, from 1.25 on */
	uint64_t heap_stats;	   /* consistentHeapStats: three of heapStatsDelta */
	uint64_t module;	   /* moduledata, and from it: */
	uint64_t text, etext, noptrdata, enoptrdata, data, edata, bss, ebss, noptrbss, enoptrbss;
};

/* The fields are for user/go/. */
struct go_runtime {
	struct memory memory;
	struct elf_image image;
	struct gopclntab table; /* addresses of the ELF file */
	uint64_t bias;		/* address in the process = address in the file + bias */
	unsigned int minor;	/* 23 of go1.23.5 */
	char version[64];
	const struct go_layout *layout;
	struct go_addresses at;
	bool keeps_profile; /* the program has code that reads the memory profile, so there is one
			     */
	char reasons[GO_REASONS_MAX][GO_REASON_SIZE];
	unsigned int n_reasons;
	struct hashmap frames; /* the frames at addresses that were met: user/go/unwind.c */
};

/*
 * The Go runtime of a process: of its program, or of a library in Go that it has loaded. 0; -ENOENT: not a
 * Go program (`e` is untouched); -EOPNOTSUPP: one whose release or layout is not known, or in which nothing
 * is where it should be, `e` says which; or another negative errno with words in `e`. `opener` opens the files.
 */
int go_runtime_open(pid_t pid, struct opener *opener, struct go_runtime **ret, struct err *e);
/* The same from a given memory, an open ELF file (which the caller keeps) and what its addresses
 * are moved by. */
int go_runtime_open_memory(const struct memory *m, int elf_fd, uint64_t bias,
			   struct go_runtime **ret, struct err *e);
void go_runtime_close(struct go_runtime *rt);
/* "go1.23.5", as the program says it. */
const char *go_runtime_version(const struct go_runtime *rt);

/* -- for user/go/ ----------------------------------------------------------------------------- */

/* Looks for the variables of a program of `rt->minor` whose layout, table, memory and bias are set.
 * What is not found stays 0. 0 or -ENOMEM. */
int go_variables_find(struct go_runtime *rt);
/* Do the process's goroutines look as `rt->layout` has them? 0; -EAGAIN: there are none yet;
 * -EOPNOTSUPP, and why, or another negative errno. */
int go_check(struct go_runtime *rt, struct err *e);

/* `r`, a negative errno of reading a process, in words; returns it. */
int go_cannot_read(int r, struct err *e);
/* A word, or 0 when it cannot be read. */
uint64_t go_read_word(const struct go_runtime *rt, uint64_t at);
/* `n` (1 to 8) bytes of `size` at `bytes`, which must hold them; GO_NONE is 0. */
uint64_t go_field(const uint8_t *bytes, size_t size, uint32_t offset, unsigned int n);

struct go_slice {
	uint64_t at, n;
};
/* The slice at `at`, when it is none that makes no sense: { 0, 0 } */
struct go_slice go_read_slice(const struct go_runtime *rt, uint64_t at);
