// SPDX-License-Identifier: Apache-2.0
/* Unwind rows: what call frame programs say. */
#include "cfi_check.h"

/* One function, START to START + SIZE, and the rows it gives; a rule of zeros ends them. */
static const struct program {
	const char *name;
	uint8_t program[32]; /* the rest are nops */
	struct row rows[6];
} programs[] = {
	{ "empty", { 0 }, { { 0, BY(RSP, 8) } } },
	{ "frame pointer",
	  { ADVANCE(1), CFA_OFFSET, 16, OFFSET(RBP), 2, ADVANCE(3), CFA_REGISTER, RBP,
	    ADVANCE(0x20), DW_CFA_def_cfa, RSP, 8 },
	  { { 0, BY(RSP, 8) },
	    { 1, BY(RSP, 16, SAVED(-16)) },
	    { 4, BY(RBP, 16, SAVED(-16)) },
	    { 0x24, BY(RSP, 8, SAVED(-16)) } } },
	{ "changes at one place make one row",
	  { ADVANCE(1), CFA_OFFSET, 16, ADVANCE(0), CFA_OFFSET, 24, DW_CFA_advance_loc1, 0,
	    CFA_OFFSET, 32 },
	  { { 0, BY(RSP, 8) }, { 1, BY(RSP, 32) } } },
	{ "rows that are equal are merged",
	  { ADVANCE(1), CFA_OFFSET, 16, ADVANCE(4), OFFSET(12), 3, ADVANCE(4), CFA_OFFSET, 24 },
	  { { 0, BY(RSP, 8) }, { 1, BY(RSP, 16) }, { 9, BY(RSP, 24) } } },
	{ "advances",
	  { DW_CFA_advance_loc1, 4, CFA_OFFSET, 16, DW_CFA_advance_loc2, 8, 0, CFA_OFFSET, 24,
	    DW_CFA_advance_loc4, 16, 0, 0, 0, CFA_OFFSET, 32 },
	  { { 0, BY(RSP, 8) }, { 4, BY(RSP, 16) }, { 12, BY(RSP, 24) }, { 28, BY(RSP, 32) } } },
	{ "nothing behind the end of the function",
	  { ADVANCE(1), CFA_OFFSET, 16, DW_CFA_advance_loc4, 0xff, 0xff, 0xff, 0xff, CFA_OFFSET,
	    24, DW_CFA_advance_loc4, 0xff, 0xff, 0xff, 0xff, CFA_OFFSET, 32 },
	  { { 0, BY(RSP, 8) }, { 1, BY(RSP, 16) } } },
	{ "remember, restore",
	  { ADVANCE(1), CFA_OFFSET, 16, OFFSET(RBP), 2, DW_CFA_remember_state, ADVANCE(1),
	    DW_CFA_remember_state, CFA_OFFSET, 8, RESTORE(RBP), ADVANCE(1),
	    DW_CFA_restore_state, ADVANCE(1), DW_CFA_restore_state, CFA_OFFSET, 32 },
	  { { 0, BY(RSP, 8) },
	    { 1, BY(RSP, 16, SAVED(-16)) },
	    { 2, BY(RSP, 8) },
	    { 3, BY(RSP, 16, SAVED(-16)) },
	    { 4, BY(RSP, 32, SAVED(-16)) } } },
	{ "restore, extended",
	  { OFFSET(RBP), 2, ADVANCE(1), DW_CFA_restore_extended, RBP },
	  { { 0, BY(RSP, 8, SAVED(-16)) }, { 1, BY(RSP, 8) } } },
	{ "offsets, extended and signed",
	  { DW_CFA_offset_extended, RBP, 3, ADVANCE(1), DW_CFA_offset_extended_sf, RBP, 0x7f,
	    ADVANCE(1), DW_CFA_GNU_negative_offset_extended, RBP, 4 },
	  { { 0, BY(RSP, 8, SAVED(-24)) },
	    { 1, BY(RSP, 8, SAVED(8)) },
	    { 2, BY(RSP, 8, SAVED(32)) } } },
	{ "CFA, signed",
	  { DW_CFA_def_cfa_sf, RBP, 0x7e, ADVANCE(1), DW_CFA_def_cfa_offset_sf, 0x7d },
	  { { 0, BY(RBP, 16) }, { 1, BY(RBP, 24) } } },
	{ "rbp said to be kept",
	  { OFFSET(RBP), 2, ADVANCE(1), DW_CFA_same_value, RBP },
	  { { 0, BY(RSP, 8, SAVED(-16)) }, { 1, BY(RSP, 8) } } },
	{ "rbp lost, in a register, or computed",
	  { DW_CFA_undefined, RBP, ADVANCE(1), DW_CFA_same_value, RBP, ADVANCE(1),
	    DW_CFA_register, RBP, 3, ADVANCE(1), DW_CFA_val_offset, RBP, 2, ADVANCE(1),
	    DW_CFA_val_expression, RBP, 2, DW_OP_breg6, 0, ADVANCE(1),
	    EXPRESSION(RBP, 2), DW_OP_breg7, 16 },
	  { { 0, BY(RSP, 8, LOST) }, { 1, BY(RSP, 8) }, { 2, BY(RSP, 8, LOST) } } },
	{ "rbp saved at *(rbp - 16)",
	  { EXPRESSION(RBP, 2), DW_OP_breg6, 0x70 },
	  { { 0, BY(RSP, 8, .rbp = LT_RBP_DEREF_RBP, .rbp_offset = -16) } } },
	{ "rbp saved too far away",
	  { DW_CFA_offset_extended, RBP, 0x80, 0x20, ADVANCE(1), DW_CFA_offset_extended, RBP,
	    0x81, 0x20 },
	  { { 0, BY(RSP, 8, SAVED(-32768)) }, { 1, BY(RSP, 8, LOST) } } },
	{ "other registers do not matter",
	  { OFFSET(3), 2, DW_CFA_undefined, 12, DW_CFA_register, 13, 3, RESTORE(14),
	    EXPRESSION(15, 1), DW_OP_nop, DW_CFA_GNU_args_size, 0x90, 1 },
	  { { 0, BY(RSP, 8) } } },
	{ "outermost frame",
	  { DW_CFA_undefined, RA, ADVANCE(1), CFA_OFFSET, 16 }, { { 0, STOP } } },
	{ "return address elsewhere",
	  { OFFSET(RA), 2, ADVANCE(1), DW_CFA_register, RA, 11, ADVANCE(1), DW_CFA_same_value,
	    RA, ADVANCE(1), EXPRESSION(RA, 2), DW_OP_breg6, 8, ADVANCE(1), RESTORE(RA) },
	  { { 0, UNSUPPORTED }, { 4, BY(RSP, 8) } } },
	{ "CFA by the register that realigns stacks",
	  { ADVANCE(1), DW_CFA_def_cfa, R10, 0, ADVANCE(4), CFA_REGISTER, RSP },
	  { { 0, BY(RSP, 8) }, { 1, BY(R10, 0) }, { 5, BY(RSP, 0) } } },
	{ "CFA by another register",
	  { ADVANCE(1), DW_CFA_def_cfa, R13, 0, ADVANCE(4), CFA_REGISTER, RSP },
	  { { 0, BY(RSP, 8) }, { 1, UNSUPPORTED }, { 5, BY(RSP, 0) } } },
	{ "a register that cannot be one",
	  { CFA_REGISTER, 0x87, 0x80, 0x80, 0x80, 0x10 }, { { 0, UNSUPPORTED } } }, /* 2^32 + 7 */
	{ "CFA of 2 GiB and of more",
	  { CFA_OFFSET, 0xff, 0xff, 0xff, 0xff, 7, ADVANCE(1), CFA_OFFSET, 0x80, 0x80, 0x80, 0x80,
	    8 },
	  { { 0, BY(RSP, INT32_MAX) }, { 1, UNSUPPORTED } } },
	{ "CFA = rsp + 16 by expression",
	  { CFA_EXPRESSION(4), DW_OP_breg7, 8, DW_OP_plus_uconst, 8 }, { { 0, BY(RSP, 16) } } },
	{ "CFA = *(rbp - 8) and *(rbp - 40) + 16: realigned stacks",
	  { CFA_EXPRESSION(3), DW_OP_breg6, 0x78, DW_OP_deref, ADVANCE(1), CFA_EXPRESSION(5),
	    DW_OP_breg6, 0x58, DW_OP_deref, DW_OP_plus_uconst, 16 },
	  { { 0, BY(DEREF_RBP, PAIR(-8, 0)) }, { 1, BY(DEREF_RBP, PAIR(-40, 16)) } } },
	{ "CFA = *(rsp + 152) + 8",
	  { CFA_EXPRESSION(6), DW_OP_breg7, 0x98, 1, DW_OP_deref, DW_OP_plus_uconst, 8 },
	  { { 0, BY(DEREF_RSP, PAIR(152, 8)) } } },
	{ "CFA = *(rsp + 32768): too far",
	  { CFA_EXPRESSION(5), DW_OP_breg7, 0x80, 0x80, 2, DW_OP_deref }, { { 0, UNSUPPORTED } } },
	{ "CFA = *rsp + 32768: too far",
	  { CFA_EXPRESSION(7), DW_OP_breg7, 0, DW_OP_deref, DW_OP_plus_uconst, 0x80, 0x80, 2 },
	  { { 0, UNSUPPORTED } } },
	{ "CFA = **rsp, *r10, an expression that ends early, an empty one",
	  { CFA_EXPRESSION(4), DW_OP_breg7, 0, DW_OP_deref, DW_OP_deref, ADVANCE(1),
	    CFA_EXPRESSION(3), DW_OP_breg10, 0, DW_OP_deref, ADVANCE(1), CFA_EXPRESSION(2),
	    DW_OP_breg7, 0x80, ADVANCE(1), CFA_EXPRESSION(0) },
	  { { 0, UNSUPPORTED } } },
	{ "an offset needs a register to be in force",
	  { CFA_EXPRESSION(3), DW_OP_breg6, 0, DW_OP_deref, ADVANCE(1), CFA_OFFSET, 16,
	    ADVANCE(1), CFA_REGISTER, RSP, ADVANCE(1), DW_CFA_def_cfa, RSP, 16 },
	  { { 0, BY(DEREF_RBP, 0) }, { 1, UNSUPPORTED }, { 3, BY(RSP, 16) } } },
	{ "lazy-binding stub", { PLT_EXPRESSION(11) }, { { 0, BY(PLT, 11) } } },
	{ "nearly a lazy-binding stub", { PLT_EXPRESSION(16) }, { { 0, UNSUPPORTED } } },
};

/* Programs that are malformed. */
static const struct bad_program {
	const char *name;
	uint8_t program[16];
	size_t n; /* cut here; 0: at the end */
} bad_programs[] = {
	{ "unknown instruction", { ADVANCE(1), 0x3f }, 0 },
	{ "nothing to restore", { ADVANCE(1), DW_CFA_restore_state }, 0 },
	{ "operand missing", { ADVANCE(1), CFA_OFFSET }, 2 },
	{ "second operand missing", { ADVANCE(1), DW_CFA_def_cfa, RSP }, 3 },
	{ "LEB128 without end", { ADVANCE(1), CFA_OFFSET, 0x80, 0x80 }, 4 },
	{ "expression longer than the program", { CFA_EXPRESSION(9), DW_OP_breg7, 0 }, 4 },
};

static void test_programs(void **state)
{
	struct eh_fixture *f = *state;
	struct row want[8];
	size_t n;

	for (const struct program *p = programs; p < programs + ARRAY_SIZE(programs); p++) {
		eh_init(f);
		eh_fde(f, eh_cie(f, "zR"), START, SIZE, p->program, sizeof(p->program));
		for (n = 0; n < ARRAY_SIZE(p->rows) && p->rows[n].rule.cfa; n++)
			want[n] = p->rows[n];
		want[n++] = (struct row){ SIZE, NONE };
		check(p->name, f, 0, want, n);
	}
}

static void test_bad_programs(void **state)
{
	static const struct row none[] = { { 0, NONE } };
	const struct bad_program *p;
	struct eh_fixture *f = *state;
	uint64_t record;

	for (p = bad_programs; p < bad_programs + ARRAY_SIZE(bad_programs); p++) {
		eh_init(f);
		record = eh_fde_begin(f, eh_cie(f, "zR"));
		eh_uint(f, START - (EH_BASE + f->at), 4);
		eh_uint(f, SIZE, 4);
		/* through the augmentation data the program ends at the record's end, unpadded */
		eh_uint(f, -(f->at + 1 + (p->n ? p->n : sizeof(p->program))) & 3, 1);
		while ((f->at + (p->n ? p->n : sizeof(p->program))) & 3)
			eh_uint(f, 0, 1);
		eh_bytes(f, p->program, p->n ? p->n : sizeof(p->program));
		eh_end(f, record);
		check(p->name, f, 1, none, 1);
	}
}

static void test_remembers_deeply_but_not_forever(void **state)
{
	struct eh_fixture *f = *state;
	uint8_t program[400];
	uint64_t cie = eh_cie(f, "zR");

	memset(program, DW_CFA_remember_state, sizeof(program));
	memset(program + 40, DW_CFA_restore_state, 40);
	eh_fde(f, cie, START, SIZE, program, 80);
	memset(program, DW_CFA_remember_state, sizeof(program));
	eh_fde(f, cie, START + SIZE, SIZE, program, sizeof(program));
	CHECK(f, 1, { 0, BY(RSP, 8) }, { SIZE, NONE });
}

/* An FDE that jumps to `target` after three bytes. */
static void put_set_loc(struct eh_fixture *f, uint64_t target)
{
	static const uint8_t before[] = { ADVANCE(3), DW_CFA_set_loc };
	static const uint8_t after[] = { CFA_OFFSET, 16 };
	uint64_t record = eh_fde_begin(f, eh_cie(f, "zR"));

	eh_uint(f, START - (EH_BASE + f->at), 4);
	eh_uint(f, SIZE, 4);
	eh_uint(f, 0, 1);
	eh_bytes(f, before, sizeof(before));
	eh_uint(f, target - (EH_BASE + f->at), 4);
	eh_bytes(f, after, sizeof(after));
	eh_end(f, record);
}

static void test_set_loc(void **state)
{
	struct eh_fixture *f = *state;

	put_set_loc(f, START + 0x21);
	CHECK(f, 0, { 0, BY(RSP, 8) }, { 0x21, BY(RSP, 16) }, { SIZE, NONE });
	eh_init(f);
	put_set_loc(f, START + 3);
	CHECK(f, 0, { 0, BY(RSP, 8) }, { 3, BY(RSP, 16) }, { SIZE, NONE });
	eh_init(f);
	put_set_loc(f, START + SIZE);
	CHECK(f, 0, { 0, BY(RSP, 8) }, { SIZE, NONE });
	eh_init(f);
	put_set_loc(f, START + 2); /* back in time */
	CHECK(f, 1, { 0, NONE });
}

static void test_code_factor(void **state)
{
	struct eh_fixture *f = *state;
	uint64_t cie = eh_cie(f, "zR");

	f->elf.bytes[EH_OFFSET + cie + 12] = 4;
	eh_fde(f, cie, START, SIZE, PROGRAM(ADVANCE(2), CFA_OFFSET, 16));
	CHECK(f, 0, { 0, BY(RSP, 8) }, { 8, BY(RSP, 16) }, { SIZE, NONE });
}

static void test_lookup(void **state)
{
	struct eh_fixture *f = *state;
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	_cleanup_(cfi_rows_deinit) struct cfi_rows rows = { 0 };

	eh_fde(f, eh_cie(f, "zR"), START, SIZE, PROGRAM(ADVANCE(4), CFA_OFFSET, 16));
	rows = build(f, &img);
	assert_null(cfi_rows_at(&rows, START - 1));
	assert_int_equal(cfi_rows_at(&rows, START)->rule.cfa_offset, 8);
	assert_int_equal(cfi_rows_at(&rows, START + 3)->rule.cfa_offset, 8);
	assert_int_equal(cfi_rows_at(&rows, START + 4)->rule.cfa_offset, 16);
	assert_int_equal(cfi_rows_at(&rows, START + SIZE - 1)->rule.cfa_offset, 16);
	assert_int_equal(cfi_rows_at(&rows, UINT64_MAX)->rule.cfa, LT_CFA_NONE);
	assert_int_equal(rows.fdes, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_programs),
		TEST(test_bad_programs),
		TEST(test_remembers_deeply_but_not_forever),
		TEST(test_set_loc),
		TEST(test_code_factor),
		TEST(test_lookup),
	};

	return cmocka_run_group_tests_name("cfi", tests, NULL, NULL);
}
