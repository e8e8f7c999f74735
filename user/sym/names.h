/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What code is called: the questions that a report asks, answered by a helper in which the symbolizer
 * (symbolizer.h) runs. Should reading a module's symbols take too long, take too much memory or crash, the
 * helper is given up, and another one reads only that module's own symbol tables; should that fail as well,
 * the module goes without names. The rest of the report is as it would be, and says what was left out.
 */
#pragma once
#include <stdatomic.h>
#include "base/left_out.h"
#include "proc/module.h"
#include "sym/jit_names.h"
#include "sym/kernel.h"
#include "sym/symbolizer.h"

struct names;

/* What is left out is added to `left_out`, which must outlive the names. 0 or a negative errno. */
int names_create(struct left_out *left_out, struct names **ret);
void names_destroy(struct names *n);

/*
 * A report begins: what could not be read in the time for the one before is tried again. It waits for names
 * until `*until_ns`, which may be set meanwhile (CLOCK_MONOTONIC; 0 or NULL: as long as they take), and for
 * some seconds more if others have the CPU; what has none by then is left out.
 */
void names_begin(struct names *n, const _Atomic uint64_t *until_ns);
/*
 * Has the module opened ahead of the first question about it, while other things are done: call it again
 * until it returns true. `vaddr` as below; what it is called is remembered.
 */
bool names_ahead(struct names *n, const struct module *m, uint64_t vaddr);
/*
 * The symbols at `vaddr` of the module's ELF file, innermost inlined call first. For a return address pass
 * the address minus 1. Returns how many were written to `ret` (0: unknown), or -ENOMEM. The strings are
 * owned by `n`.
 */
int names_module(struct names *n, const struct module *m, uint64_t vaddr, struct symbol ret[SYMBOLS_MAX]);
/* To ask for names of JITs' code ahead; owned by `n`. */
struct jit_names *names_of_jits(struct names *n);
/* The same for code outside any module, as the JIT of the process has written it down by now. An answer to what
 * was asked ahead is waited for, and kept. */
int names_jit(struct names *n, pid_t pid, uint64_t address, struct symbol ret[SYMBOLS_MAX]);
/* What a return address in the kernel is. 0 or -ENOMEM. */
int names_kernel(struct names *n, uint64_t address, struct kernel_place *ret);
