// SPDX-License-Identifier: Apache-2.0
/* Unwind rows: functions side by side, and what is returned to without a call. */
#include "cfi_check.h"

/* -- functions side by side ------------------------------------------------------------------- */
static void test_gaps(void **state)
{
	static const uint8_t call[] = { 0xe8, 0, 0, 0, 0 };
	struct eh_fixture *f = *state;
	uint64_t cie = eh_cie(f, "zR");

	/* in any order; 15 bytes of padding, 16 bytes of something, 8 bytes with a call, no gap */
	eh_fde(f, cie, START + 0x28, 8, NO_PROGRAM);
	eh_fde(f, cie, START, 1, NO_PROGRAM);
	eh_fde(f, cie, START + 0x38, 8, NO_PROGRAM);
	eh_fde(f, cie, START + 0x10, 8, PROGRAM(CFA_OFFSET, 16));
	eh_fde(f, cie, START + 0x40, 8, PROGRAM(CFA_OFFSET, 32));
	eh_code(f, START + 0x32, call, sizeof(call));
	CHECK(f, 0, { 0, BY(RSP, 8) }, { 0x10, BY(RSP, 16) }, { 0x18, NONE }, { 0x28, BY(RSP, 8) },
	      { 0x30, NONE }, { 0x38, BY(RSP, 8) }, { 0x40, BY(RSP, 32) }, { 0x48, NONE });
}

/* Bytes around a gap that only look like a call together are none: it would end in a function. */
static void test_gap_between_lookalikes(void **state)
{
	static const uint8_t head[] = { 0xe8 }, tail[] = { 0xe8, 0x90, 0x90 };
	struct eh_fixture *f = *state;
	uint64_t cie = eh_cie(f, "zR");

	eh_fde(f, cie, START, 8, NO_PROGRAM);
	eh_fde(f, cie, START + 0x10, 8, NO_PROGRAM);
	eh_code(f, START + 7, head, sizeof(head));
	eh_code(f, START + 0xd, tail, sizeof(tail));
	CHECK(f, 0, { 0, BY(RSP, 8) }, { 0x18, NONE });
}

static void test_overlaps(void **state)
{
	struct eh_fixture *f = *state;
	uint64_t cie = eh_cie(f, "zR");

	eh_fde(f, cie, START, 0x80,
	       PROGRAM(ADVANCE(8), CFA_OFFSET, 16, ADVANCE(0x30), CFA_OFFSET, 64));
	eh_fde(f, cie, START + 0x20, 0x10, PROGRAM(CFA_OFFSET, 32));
	eh_fde(f, cie, START + 0x20, 0x20, PROGRAM(CFA_OFFSET, 48)); /* the same start: ignored */
	CHECK(f, 0, { 0, BY(RSP, 8) }, { 8, BY(RSP, 16) }, { 0x20, BY(RSP, 32) }, { 0x30, NONE });
}

static void test_bad_fde_between_good_ones(void **state)
{
	struct eh_fixture *f = *state;
	uint64_t cie = eh_cie(f, "zR");

	eh_fde(f, cie, START, 0x10, NO_PROGRAM);
	eh_fde(f, cie, START + 0x10, 0x10,
	       PROGRAM(ADVANCE(4), CFA_OFFSET, 16, ADVANCE(4), DW_CFA_restore_state));
	eh_fde(f, cie, START + 0x20, 0x10, NO_PROGRAM);
	CHECK(f, 1, { 0, BY(RSP, 8) }, { 0x10, NONE }, { 0x20, BY(RSP, 8) }, { 0x30, NONE });
}

/* -- returned to without a call --------------------------------------------------------------- */
static void test_signal_frame(void **state)
{
	struct eh_fixture *f = *state;
	uint64_t plain = eh_cie(f, "zR"), signal = eh_cie(f, "zRS");

	eh_fde(f, plain, START, 0x10, NO_PROGRAM);
	eh_fde(f, signal, START + 0x20, 9, PROGRAM(SIGFRAME));
	CHECK(f, 0, { 0, BY(RSP, 8) }, { 0x1f, SIGNAL }, { 0x29, NONE });
}

/* The byte before belongs to another function, which may call there. */
static void test_signal_frame_without_room(void **state)
{
	struct eh_fixture *f = *state;
	uint64_t plain = eh_cie(f, "zR"), signal = eh_cie(f, "zRS");

	eh_fde(f, plain, START, 0x20, NO_PROGRAM);
	eh_fde(f, signal, START + 0x20, 9, PROGRAM(SIGFRAME));
	CHECK(f, 0, { 0, BY(RSP, 8) }, { 0x20, SIGNAL }, { 0x29, NONE });
}

/* Marked as a signal frame, but not laid out like the kernel's: an ordinary rule. */
static void test_signal_frame_of_another_kind(void **state)
{
	struct eh_fixture *f = *state;

	eh_fde(f, eh_cie(f, "zRS"), START, 0x20, PROGRAM(CFA_OFFSET, 24));
	eh_fde(f, eh_cie(f, "zRS"), START + 0x20, 0x20,
	       PROGRAM(CFA_EXPRESSION(4), DW_OP_breg7, 0xa8, 1, DW_OP_deref));
	eh_fde(f, eh_cie(f, "zR"), START + 0x40, 0x20, PROGRAM(SIGFRAME)); /* not marked */
	CHECK(f, 0, { 0, BY(RSP, 24) }, { 0x20, BY(DEREF_RSP, PAIR(168, 0)) },
	      { 0x40, BY(DEREF_RSP, PAIR(160, 0)) }, { 0x60, NONE });
}

static void test_context_start(void **state)
{
	static const uint8_t plain[] = { 0x48, 0x89, 0xdc };
	static const uint8_t cet[] = { 0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x8b, 0xe3 };
	static const uint8_t other[] = { 0x48, 0x89, 0xe3 }; /* mov %rsp,%rbx */
	struct eh_fixture *f = *state;
	uint64_t cie = eh_cie(f, "zR");

	eh_fde(f, cie, START, 8, NO_PROGRAM);
	eh_fde(f, cie, START + 0x10, 8, NO_PROGRAM);
	eh_fde(f, cie, START + 0x20, 8, NO_PROGRAM);
	eh_fde(f, cie, START + 0x30, 8, NO_PROGRAM);
	eh_code(f, START + 0x10, plain, sizeof(plain));
	eh_code(f, START + 0x20, cet, sizeof(cet));
	eh_code(f, START + 0x30, other, sizeof(other));
	CHECK(f, 0, { 0, BY(RSP, 8) }, { 0xf, STOP }, { 0x10, BY(RSP, 8) }, { 0x1f, STOP },
	      { 0x20, BY(RSP, 8) }, { 0x38, NONE });
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_gaps),
		TEST(test_gap_between_lookalikes),
		TEST(test_overlaps),
		TEST(test_bad_fde_between_good_ones),
		TEST(test_signal_frame),
		TEST(test_signal_frame_without_room),
		TEST(test_signal_frame_of_another_kind),
		TEST(test_context_start),
	};

	return cmocka_run_group_tests_name("cfi_gaps", tests, NULL, NULL);
}
