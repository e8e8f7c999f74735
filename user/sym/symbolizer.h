/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Address -> functions, files, lines, with inlined calls. Sources are tried in the order of the
 * table in symbolizer.c; to add one, write user/sym/NAME.c with one `const struct sym_source`
 * (sym/source.h) and add its row. Everything per module is loaded on first use and kept.
 *
 * It maps files that others may change, and hands them to libraries that trust them: so leaktrace has it in
 * a helper, and asks that (names.h).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/left_out.h"
#include "proc/module.h"

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

/* Whether a module of this id has been opened. */
bool symbolizer_knows(const struct symbolizer *s, uint32_t id);
/* The module, when it is opened, is opened plainly: only its own symbol tables are read. */
int symbolizer_open_plainly(struct symbolizer *s, const struct module *m);
/*
 * The symbols at `vaddr` of the module's ELF file, innermost inlined call first; at least one
 * unless nothing is known. For a return address pass the address minus 1. Returns how many were
 * written to `ret` (0: unknown), or -ENOMEM. Once the module is known, only its id is needed.
 */
int symbolizer_module(struct symbolizer *s, const struct module *m, uint64_t vaddr,
		      struct symbol ret[SYMBOLS_MAX]);
/*
 * What code outside any module is called, through /tmp/perf-PID.map inside the process's root, as it is now:
 * a name or NULL for each of the `n` addresses. `ret_overridden`: how often so far the map has given
 * another name to an address that had been asked for and had one. 0 or -ENOMEM.
 */
int symbolizer_jit(struct symbolizer *s, pid_t pid, const uint64_t *addresses, size_t n, const char **ret,
		   uint64_t *ret_overridden);
/* What has been left out so far. */
const struct left_out *symbolizer_left_out(const struct symbolizer *s);
