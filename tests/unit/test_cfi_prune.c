// SPDX-License-Identifier: Apache-2.0
/* Pruning: only rows that no return address can lie in may go. */
#include <Zydis/Zydis.h>
#include "cfi_check.h"
#include "elf/cfi_prune.h"

#define CALL_REL32    0xe8, 0, 0, 0, 0
#define CALL_INDIRECT 0xff, 0x15, 0, 0, 0, 0 /* through the GOT */
#define CALL_REGISTER 0x41, 0xff, 0xd3
#define SYSCALL	      0x0f, 0x05

static void test_keeps_rows_with_calls(void **state)
{
	static const uint8_t calls[][6] = {
		{ CALL_REL32 }, { CALL_INDIRECT }, { CALL_REGISTER }, { SYSCALL },
	};
	static const uint8_t lengths[] = { 5, 6, 3, 2 };
	struct eh_fixture *f = *state;
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	_cleanup_(cfi_rows_deinit) struct cfi_rows rows = { 0 };

	/* rows of 8 bytes; a call in every second one, at its very end */
	eh_fde(f, eh_cie(f, "zR"), START, SIZE,
	       PROGRAM(CFA_OFFSET, 8, ADVANCE(8), CFA_OFFSET, 16, ADVANCE(8), CFA_OFFSET, 24,
		       ADVANCE(8), CFA_OFFSET, 32, ADVANCE(8), CFA_OFFSET, 40, ADVANCE(8),
		       CFA_OFFSET, 48, ADVANCE(8), CFA_OFFSET, 56, ADVANCE(8), CFA_OFFSET, 64));
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		eh_code(f, START + 16 * i + 16 - lengths[i], calls[i], lengths[i]);
	rows = build(f, &img);
	assert_int_equal(rows.n, 9);
	assert_int_equal(cfi_rows_prune(&img, &rows, NULL, 0), 0);
	assert_rows(__func__, &rows,
		    ROWS({ 8, BY(RSP, 16) }, { 24, BY(RSP, 32) }, { 40, BY(RSP, 48) },
			 { 56, BY(RSP, 64) }, { 64, NONE }),
		    5);
}

static void test_keeps_rows_without_calls_that_are_reached_otherwise(void **state)
{
	static const uint8_t context_start[] = { 0x48, 0x89, 0xdc };
	struct eh_fixture *f = *state;
	uint64_t cie = eh_cie(f, "zR");
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	_cleanup_(cfi_rows_deinit) struct cfi_rows rows = { 0 };

	eh_fde(f, cie, START, 0x20, PROGRAM(PLT_EXPRESSION(11)));
	eh_fde(f, cie, START + 0x20, 0x10, PROGRAM(CFA_OFFSET, 16));
	eh_fde(f, eh_cie(f, "zRS"), START + 0x38, 8, PROGRAM(SIGFRAME));
	eh_fde(f, cie, START + 0x48, 8, PROGRAM(CFA_OFFSET, 24));
	eh_code(f, START + 0x48, context_start, sizeof(context_start));
	eh_fde(f, cie, START + 0x50, 8, PROGRAM(CFA_OFFSET, 32, ADVANCE(4), DW_CFA_def_cfa, 10, 0));
	rows = build(f, &img);
	assert_int_equal(rows.n, 8);
	assert_int_equal(cfi_rows_prune(&img, &rows, NULL, 0), 0);
	assert_rows(__func__, &rows,
		    ROWS({ 0, BY(PLT, 11) }, { 0x37, SIGNAL }, { 0x47, STOP }, { 0x58, NONE }), 4);
}

static void test_merges_what_becomes_equal(void **state)
{
	static const uint8_t call[] = { CALL_REL32 };
	struct eh_fixture *f = *state;
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	_cleanup_(cfi_rows_deinit) struct cfi_rows rows = { 0 };

	eh_fde(f, eh_cie(f, "zR"), START, SIZE,
	       PROGRAM(ADVANCE(16), CFA_OFFSET, 16, ADVANCE(16), CFA_OFFSET, 8));
	eh_code(f, START, call, sizeof(call));
	eh_code(f, START + 32, call, sizeof(call));
	rows = build(f, &img);
	assert_int_equal(cfi_rows_prune(&img, &rows, NULL, 0), 0);
	assert_rows(__func__, &rows, ROWS({ 0, BY(RSP, 8) }, { SIZE, NONE }), 2);
}

static void test_keep_list(void **state)
{
	/* in no order; twice in one row; outside of everything */
	static const uint64_t keep[] = { START + 39, START + 8, START + 32, 0, START + SIZE };
	struct eh_fixture *f = *state;
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	_cleanup_(cfi_rows_deinit) struct cfi_rows rows = { 0 };

	eh_fde(f, eh_cie(f, "zR"), START, SIZE,
	       PROGRAM(ADVANCE(8), CFA_OFFSET, 16, ADVANCE(8), CFA_OFFSET, 24, ADVANCE(16),
		       CFA_OFFSET, 32, ADVANCE(8), CFA_OFFSET, 40));
	rows = build(f, &img);
	assert_int_equal(cfi_rows_prune(&img, &rows, keep, ARRAY_SIZE(keep)), 0);
	assert_rows(__func__, &rows,
		    ROWS({ 8, BY(RSP, 16) }, { 32, BY(RSP, 32) }, { SIZE, NONE }), 3);
	assert_int_equal(cfi_rows_prune(&img, &rows, keep, 1), 0);
	assert_rows(__func__, &rows, ROWS({ 32, BY(RSP, 32) }, { SIZE, NONE }), 2);
}

static bool is_lookalike(uint8_t byte)
{
	return byte == 0xe8 || byte == 0xff || byte == 0x0f;
}

static bool is_near_call(const ZydisDecodedInstruction *insn)
{
	return insn->mnemonic == ZYDIS_MNEMONIC_CALL &&
	       insn->meta.branch_type != ZYDIS_BRANCH_TYPE_FAR;
}

/* Every form of FF with its operands: a call is as long as Zydis says, and none without its last
 * byte; nothing else is a call. */
static void test_every_indirect_call(void **state)
{
	struct eh_fixture *f = *state;
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	uint8_t *code = f->elf.bytes + (START - EH_BASE);
	ZydisDecodedInstruction insn;
	ZydisDecoder decoder;
	size_t n = 0;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	assert_int_equal(eh_open(f, &img), 0);
	memset(code, 0x90, 16);
	code[0] = 0xff;
	for (unsigned int form = 0; form < 0x10000; form++) {
		code[1] = form & 0xff;
		code[2] = form >> 8;
		if (is_lookalike(code[1]) || is_lookalike(code[2]) ||
		    !ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, code, 16, &insn)))
			continue;
		if (!is_near_call(&insn)) {
			assert_false(cfi_has_call(&img, START, START + 16));
			continue;
		}
		assert_true(cfi_has_call(&img, START, START + insn.length));
		assert_false(cfi_has_call(&img, START, START + insn.length - 1));
		n++;
	}
	assert_int_equal(n, 32 * (256 - 3)); /* ModRM bytes with /2, times what may follow */
}

static void test_unreadable_code_may_have_calls(void **state)
{
	struct eh_fixture *f = *state;
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };

	assert_int_equal(eh_open(f, &img), 0);
	assert_false(cfi_has_call(&img, EH_TEXT, EH_TEXT + EH_TEXT_SIZE));
	assert_true(cfi_has_call(&img, EH_TEXT + 1, EH_TEXT + EH_TEXT_SIZE + 1));
	assert_true(cfi_has_call(&img, 0x10, 0x20));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_keeps_rows_with_calls),
		TEST(test_keeps_rows_without_calls_that_are_reached_otherwise),
		TEST(test_merges_what_becomes_equal),
		TEST(test_keep_list),
		TEST(test_every_indirect_call),
		TEST(test_unreadable_code_may_have_calls),
	};

	return cmocka_run_group_tests_name("cfi_prune", tests, NULL, NULL);
}
