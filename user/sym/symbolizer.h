/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Address -> functions, files, lines, with inlined calls. Sources are tried in the order of the
 * table in symbolizer.c; to add one, write user/sym/NAME.c with one `const struct sym_source`
 * (sym/source.h) and add its row. Everything per module is loaded on first use and cached.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "proc/module.h"
#include "sym/kernel.h"

struct symbolizer;

struct symbol {
	const char *function; /* demangled; NULL: unknown. Owned by the symbolizer, as is `file` */
	const char *file;     /* NULL: unknown */
	unsigned int line;    /* 0: unknown */
	bool inlined;	      /* inlined into the following symbol */
};

#define SYMBOLS_MAX 32 /* inlined calls at one address */

int symbolizer_create(struct symbolizer **ret);
void symbolizer_destroy(struct symbolizer *s);

/*
 * The symbols at `vaddr` of the module's ELF file, innermost inlined call first; at least one
 * unless nothing is known. For a return address pass the address minus 1. Returns how many were
 * written to `ret` (0: unknown), or -ENOMEM.
 */
int symbolizer_module(struct symbolizer *s, const struct module *m, uint64_t vaddr,
		      struct symbol ret[SYMBOLS_MAX]);
/* What a return address in the kernel is; the strings are the symbolizer's. 0 or -ENOMEM. */
int symbolizer_kernel(struct symbolizer *s, uint64_t address, struct kernel_place *ret);
/* The same for code outside any module, through /tmp/perf-PID.map inside the process's root. */
int symbolizer_jit(struct symbolizer *s, pid_t pid, uint64_t address,
		   struct symbol ret[SYMBOLS_MAX]);
