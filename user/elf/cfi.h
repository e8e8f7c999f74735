/* SPDX-License-Identifier: Apache-2.0 */
/*
 * .eh_frame -> unwind rows: for every stretch of code, the rule that leads to the caller's frame.
 * Encoding: System V ABI, DWARF 5 section 6.4, LSB "Exception Frames". Functions of Go, which are not
 * in it, have rows from Go's own table (gopclntab.h).
 */
#pragma once
#include <leaktrace/unwind.h>
#include "base/vec.h"
#include "elf/image.h"

/*
 * Return addresses are looked up at the byte before them, the last of their call. What is returned
 * to without a call (a signal's restorer, the start of a makecontext() stack) therefore has a row
 * that starts one byte early. Code without an FDE is LT_CFA_NONE, except padding between functions
 * (under 16 bytes and without a call), which is left to the row before it.
 */
struct cfi_row {
	uint64_t pc; /* first address; the row holds up to the next row's pc */
	struct lt_rule rule;
};

/* Several times those of the largest programs. */
#define CFI_ROWS_MAX (6U << 20)
#define CFI_WORK_MAX (128ULL << 20) /* bytes of programs that are run, of tables that are gone through */

struct cfi_rows {
	VEC_OF(struct cfi_row);	 /* sorted, neighbours differ */
	uint64_t fdes, bad_fdes; /* read; skipped as malformed */
	bool cut;		 /* there was more than the above: the code behind has no rule */
};

/* All rows of the image, as far as the limits reach. 0 (also when it has none), or -ENOMEM. Malformed FDEs are never fatal:
 * they are counted, and their code becomes LT_CFA_NONE. */
int cfi_rows_build(const struct elf_image *img, struct cfi_rows *ret);
/*
 * Drops the rows that no return address can lie in: those in whose range there is no call or
 * syscall instruction (a conservative byte scan; over 90 % of rows go). Their range falls to the
 * row before. `keep` are addresses, in any order, that must keep their own row: probe sites and
 * other places that are not behind a call. 0, or -ENOMEM with the rows as they were.
 */
int cfi_rows_prune(const struct elf_image *img, struct cfi_rows *rows, const uint64_t *keep,
		   size_t n_keep);
/* The row that holds `pc`, or NULL. */
const struct cfi_row *cfi_rows_at(const struct cfi_rows *rows, uint64_t pc);
void cfi_rows_deinit(struct cfi_rows *rows);
