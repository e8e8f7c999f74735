/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of unwind rows share: short names for rules and instructions, and a check of all
 * rows of a file. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "eh_frame_fixture.h"
#include "elf/cfi.h"

#define START (EH_TEXT + 0x100) /* of the usual function */
#define SIZE  0x40

/* -- rules ------------------------------------------------------------------------------------ */
#define BY(how, off, ...)                                                                          \
	{                                                                                          \
		.cfa = LT_CFA_##how, .cfa_offset = (int32_t)(off), ##__VA_ARGS__                   \
	}
#define NONE	       BY(NONE, 0)
#define STOP	       BY(STOP, 0)
#define SIGNAL	       BY(SIGNAL, 0)
#define UNSUPPORTED    BY(UNSUPPORTED, 0)
#define SAVED(slot)    .rbp = LT_RBP_CFA, .rbp_offset = (slot)
#define LOST	       .rbp = LT_RBP_UNKNOWN
#define PAIR(off, add) ((uint32_t)(add) << 16 | (uint16_t)(off))

struct row {
	uint64_t at; /* from START */
	struct lt_rule rule;
};

/* -- call frame instructions ------------------------------------------------------------------ */
#define ADVANCE(n)	      DW_CFA_advance_loc | (n)
#define OFFSET(reg)	      DW_CFA_offset | (reg)
#define RESTORE(reg)	      DW_CFA_restore | (reg)
#define CFA_OFFSET	      DW_CFA_def_cfa_offset
#define CFA_REGISTER	      DW_CFA_def_cfa_register
#define CFA_EXPRESSION(n)     DW_CFA_def_cfa_expression, (n)
#define EXPRESSION(reg, n)    DW_CFA_expression, (reg), (n)
#define RBP		      EH_REG_RBP
#define RSP		      EH_REG_RSP
#define RA		      EH_REG_RA
#define R10		      10
#define R13		      13
#define BYTES(...)	      (const uint8_t[]){ __VA_ARGS__ }
#define PROGRAM(...)	      BYTES(__VA_ARGS__), sizeof(BYTES(__VA_ARGS__))
#define NO_PROGRAM	      "", 0

#define PLT_EXPRESSION(n)                                                                          \
	CFA_EXPRESSION(11), DW_OP_breg7, 8, DW_OP_breg16, 0, DW_OP_lit15, DW_OP_and,               \
		DW_OP_lit0 + (n), DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus

/* The registers that a signal has interrupted, as the kernel lays them out. */
#define SIGFRAME	      CFA_EXPRESSION(4), DW_OP_breg7, 0xa0, 1, DW_OP_deref

/* -- checks ----------------------------------------------------------------------------------- */
static inline void fail_row(const char *name, const char *what, size_t i,
			    const struct cfi_rows *rows)
{
	print_error("%s: row %zu: %s\n", name, i, what);
	vec_foreach(row, rows)
		print_error("  %#lx cfa %u%+d rbp %u%+d\n", (unsigned long)row->pc, row->rule.cfa,
			    row->rule.cfa_offset, row->rule.rbp, row->rule.rbp_offset);
	fail();
}

static inline void assert_rows(const char *name, const struct cfi_rows *rows,
			       const struct row *want, size_t n)
{
	for (size_t i = 0; i < n && i < rows->n; i++) {
		if (rows->items[i].pc != START + want[i].at)
			fail_row(name, "address", i, rows);
		if (memcmp(&rows->items[i].rule, &want[i].rule, sizeof(want[i].rule)))
			fail_row(name, "rule", i, rows);
	}
	if (rows->n != n)
		fail_row(name, "number of rows", n, rows);
}

/* Builds the rows of the fixture's file; its sections are written now. */
static inline struct cfi_rows build(struct eh_fixture *f, struct elf_image *img)
{
	struct cfi_rows rows = { 0 };

	assert_int_equal(eh_open(f, img), 0);
	assert_int_equal(cfi_rows_build(img, &rows), 0);
	return rows;
}

#define ROWS(...) ((const struct row[]){ __VA_ARGS__ })
#define CHECK(f, n_bad, ...)                                                                       \
	check(__func__, (f), (n_bad), ROWS(__VA_ARGS__), ARRAY_SIZE(ROWS(__VA_ARGS__)))

/* The whole file gives these rows, and so many malformed FDEs. */
static inline void check(const char *name, struct eh_fixture *f, uint64_t n_bad,
			 const struct row *want, size_t n)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	_cleanup_(cfi_rows_deinit) struct cfi_rows rows = build(f, &img);

	assert_rows(name, &rows, want, n);
	assert_int_equal(rows.bad_fdes, n_bad);
}

/* A fixture for every test. */
static inline int setup(void **state)
{
	struct eh_fixture *f = malloc(sizeof(*f));

	eh_init(f);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	free(*state);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
