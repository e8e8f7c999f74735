// SPDX-License-Identifier: Apache-2.0
/* Unwind rows: the records of .eh_frame, right and wrong ones. */
#include "cfi_check.h"

/* An FDE whose address `start` stands as it is in `n` bytes. */
static void put_encoded(struct eh_fixture *f, uint8_t version, const char *augmentation,
			const void *data, size_t data_size, uint64_t start, size_t n)
{
	uint64_t cie = eh_cie_as(f, version, augmentation, data, data_size, eh_usual_program,
				 sizeof(eh_usual_program));
	uint64_t record = eh_fde_begin(f, cie);

	eh_uint(f, start, n);
	eh_uint(f, SIZE, n);
	if (*augmentation == 'z')
		eh_uint(f, 0, 1);
	eh_end(f, record);
}

static void test_address_encodings(void **state)
{
	/* where the address will stand, from which pc-relative ones are counted */
	static const struct encoding {
		uint8_t encoding;
		uint8_t size;
		bool relative;
	} cases[] = {
		{ DW_EH_PE_absptr, 8, false },	 { DW_EH_PE_udata4, 4, false },
		{ DW_EH_PE_sdata4, 4, false },	 { DW_EH_PE_udata8, 8, false },
		{ DW_EH_PE_sdata8, 8, false },	 { DW_EH_PE_signed, 8, false },
		{ DW_EH_PE_udata4, 4, true },	 { DW_EH_PE_sdata4, 4, true },
		{ DW_EH_PE_sdata8, 8, true },	 { DW_EH_PE_sdata2, 2, true },
		{ DW_EH_PE_absptr, 8, true },
	};
	struct eh_fixture *f = *state;
	uint64_t cie, here;
	uint8_t encoding;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		encoding = cases[i].encoding | (cases[i].relative ? DW_EH_PE_pcrel : 0);
		eh_init(f);
		/* a first CIE of the same size tells where the FDE's address comes to stand */
		cie = eh_cie(f, "zR");
		here = EH_BASE + EH_OFFSET + (f->at - EH_OFFSET - cie) + 8;
		f->at = EH_OFFSET;
		if (encoding == (DW_EH_PE_udata4 | DW_EH_PE_pcrel))
			continue; /* cannot reach back; only forward */
		put_encoded(f, 1, "zR", &encoding, 1, START - (cases[i].relative ? here : 0),
			    cases[i].size);
		CHECK(f, 0, { 0, BY(RSP, 8) }, { SIZE, NONE });
	}
}

static void test_leb128_addresses(void **state)
{
	struct eh_fixture *f = *state;
	const uint8_t encoding = DW_EH_PE_uleb128, start[] = { 0x80, 0xa2, 0x80, 0x02 };
	uint64_t record;

	assert_int_equal(START, 0x401100);
	record = eh_fde_begin(f, eh_cie_as(f, 1, "zR", &encoding, 1, eh_usual_program,
					   sizeof(eh_usual_program)));
	eh_bytes(f, start, sizeof(start));
	eh_uint(f, SIZE, 1);
	eh_uint(f, 0, 1);
	eh_end(f, record);
	CHECK(f, 0, { 0, BY(RSP, 8) }, { SIZE, NONE });
}

static void test_aligned_addresses(void **state)
{
	const uint8_t encoding = DW_EH_PE_aligned;
	static const uint8_t program[16] = { DW_CFA_def_cfa, RSP, 8, OFFSET(RA), 1 };
	struct eh_fixture *f = *state;
	uint64_t record, padding = 0, size = SIZE;

	for (size_t n = 8; n <= 12; n += 4) {
		eh_init(f);
		record = eh_fde_begin(f, eh_cie_as(f, 1, "zR", &encoding, 1, program, n));
		for (; f->at & 7; padding++)
			eh_uint(f, 0xff, 1);
		eh_uint(f, START, 8);
		eh_uint(f, size, 8);
		eh_uint(f, 0, 1);
		eh_end(f, record);
		CHECK(f, 0, { 0, BY(RSP, 8) }, { SIZE, NONE });
	}
	assert_int_equal(padding, 4);
}

static void test_versions_and_augmentations(void **state)
{
	/* language-specific data: pointers of a CIE to a personality routine, by its encoding */
	static const uint8_t cxx[] = { DW_EH_PE_pcrel | DW_EH_PE_indirect | DW_EH_PE_sdata4,
				       1, 2, 3, 4, 0, DW_EH_PE_absptr };
	static const uint8_t cxx_large[] = { DW_EH_PE_absptr, 1, 2, 3, 4, 5, 6, 7, 8, 0,
					     DW_EH_PE_absptr };
	static const uint8_t no_personality[] = { DW_EH_PE_omit, 0, DW_EH_PE_absptr };
	static const uint8_t plain[] = { DW_EH_PE_absptr };
	static const struct {
		uint8_t version;
		const char *augmentation;
		const void *data;
		size_t size;
	} cases[] = {
		{ 1, "zPLR", cxx, sizeof(cxx) },
		{ 1, "zPLR", cxx_large, sizeof(cxx_large) },
		{ 1, "zPLR", no_personality, sizeof(no_personality) },
		{ 1, "", "", 0 },
		{ 3, "zR", plain, 1 },
		{ 4, "zR", plain, 1 },
		{ 1, "zRS", plain, 1 },
		{ 1, "z", "", 0 },
	};
	struct eh_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		eh_init(f);
		put_encoded(f, cases[i].version, cases[i].augmentation, cases[i].data,
			    cases[i].size, START, 8);
		CHECK(f, 0, { 0, BY(RSP, 8) }, { SIZE, NONE });
	}
}

static void test_bad_cies(void **state)
{
	static const uint8_t plain[] = { DW_EH_PE_absptr }, indirect[] = { DW_EH_PE_indirect },
			     datarel[] = { DW_EH_PE_datarel | DW_EH_PE_sdata4 }, omit[] = { 0xff },
			     unknown[] = { 0x05 };
	static const struct {
		uint8_t version;
		const char *augmentation;
		const void *data;
		size_t size;
	} cases[] = {
		{ 2, "zR", plain, 1 },	  { 1, "zXR", plain, 1 },   { 1, "R", plain, 1 },
		{ 1, "zR", indirect, 1 }, { 1, "zR", datarel, 1 },  { 1, "zR", omit, 1 },
		{ 1, "zR", unknown, 1 },  { 1, "zRLLLLL", plain, 1 },
	};
	struct eh_fixture *f = *state;
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(cfi_rows_deinit) struct cfi_rows rows = { 0 };

		eh_init(f);
		put_encoded(f, cases[i].version, cases[i].augmentation, cases[i].data,
			    cases[i].size, START, 8);
		elf_image_deinit(&img);
		rows = build(f, &img);
		assert_int_equal(rows.n, 0);
		assert_int_equal(rows.bad_fdes, 1);
	}
}

/* The CIE's own program is malformed: its functions are code without a rule. */
static void test_bad_cie_program(void **state)
{
	struct eh_fixture *f = *state;
	const uint8_t encoding = DW_EH_PE_pcrel | DW_EH_PE_sdata4;
	uint64_t good = eh_cie(f, "zR"), bad = eh_cie_as(f, 1, "zR", &encoding, 1, PROGRAM(0x3f));

	eh_fde(f, good, START, SIZE, NO_PROGRAM);
	eh_fde(f, bad, START + SIZE, 8, NO_PROGRAM);
	eh_fde(f, good, START + SIZE + 8, SIZE, NO_PROGRAM);
	CHECK(f, 1, { 0, BY(RSP, 8) }, { SIZE, NONE }, { SIZE + 8, BY(RSP, 8) },
	      { 2 * SIZE + 8, NONE });
}

static void test_bad_cie_pointers(void **state)
{
	struct eh_fixture *f = *state;
	uint64_t cie = eh_cie(f, "zR"), record;

	for (uint64_t i = 0; i < 3; i++) {
		record = eh_begin(f);
		/* before the section; into the middle of the CIE; to this FDE itself */
		eh_uint(f, i == 0 ? 0x100000 : i == 1 ? f->at - EH_OFFSET - cie - 4 : 4, 4);
		eh_uint(f, START - (EH_BASE + f->at), 4);
		eh_uint(f, SIZE, 4);
		eh_uint(f, 0, 1);
		eh_end(f, record);
	}
	eh_fde(f, cie, START, SIZE, NO_PROGRAM);
	CHECK(f, 3, { 0, BY(RSP, 8) }, { SIZE, NONE });
}

/* What looks like a CIE in all but its id is an FDE, and no good one. */
static void test_cie_that_is_none(void **state)
{
	struct eh_fixture *f = *state;
	uint64_t good = eh_cie(f, "zR"), fake = eh_cie(f, "zR");

	f->elf.bytes[EH_OFFSET + fake + 4] = 3;
	eh_fde(f, good, START, SIZE, NO_PROGRAM);
	eh_fde(f, fake, START + SIZE, SIZE, PROGRAM(CFA_OFFSET, 16));
	CHECK(f, 2, { 0, BY(RSP, 8) }, { SIZE, NONE });
}

static void test_records_that_do_not_end(void **state)
{
	struct eh_fixture *f = *state;
	uint64_t cie = eh_cie(f, "zR"), record;

	eh_fde(f, cie, START, SIZE, NO_PROGRAM);
	record = f->at - EH_OFFSET;
	eh_fde(f, cie, START + SIZE, SIZE, NO_PROGRAM);
	f->elf.bytes[EH_OFFSET + record] = 0x7c;
	CHECK(f, 1, { 0, BY(RSP, 8) }, { SIZE, NONE });
}

static void test_long_records(void **state)
{
	struct eh_fixture *f = *state;
	uint64_t cie = eh_cie(f, "zR"), length_at;

	eh_uint(f, 0xffffffff, 4);
	length_at = f->at;
	eh_uint(f, 0, 8);
	eh_uint(f, f->at - EH_OFFSET - cie, 4);
	eh_uint(f, START - (EH_BASE + f->at), 4);
	eh_uint(f, SIZE, 4);
	eh_uint(f, 0, 4);
	f->elf.bytes[length_at] = f->at - length_at - 8;
	eh_fde(f, cie, START + SIZE, SIZE, PROGRAM(CFA_OFFSET, 16));
	CHECK(f, 0, { 0, BY(RSP, 8) }, { SIZE, BY(RSP, 16) }, { 2 * SIZE, NONE });
}

/* Linkers leave terminators of single object files in the middle of a section. */
static void test_terminator_in_the_middle(void **state)
{
	struct eh_fixture *f = *state;
	uint64_t cie = eh_cie(f, "zR");

	eh_fde(f, cie, START, SIZE, NO_PROGRAM);
	eh_uint(f, 0, 4);
	eh_fde(f, cie, START + SIZE, SIZE, PROGRAM(CFA_OFFSET, 16));
	CHECK(f, 0, { 0, BY(RSP, 8) }, { SIZE, BY(RSP, 16) }, { 2 * SIZE, NONE });
}

static void test_outside_of_code(void **state)
{
	struct eh_fixture *f = *state;
	uint64_t cie = eh_cie(f, "zR");

	eh_fde(f, cie, EH_BASE, SIZE, NO_PROGRAM);
	eh_fde(f, cie, EH_TEXT + EH_TEXT_SIZE - 1, 2, NO_PROGRAM);
	eh_fde(f, cie, START, UINT32_MAX, NO_PROGRAM);
	eh_fde(f, cie, START + SIZE, 0, NO_PROGRAM); /* discarded by the linker: not malformed */
	eh_fde(f, cie, 0, SIZE, NO_PROGRAM);
	eh_fde(f, cie, START, SIZE, NO_PROGRAM);
	CHECK(f, 3, { 0, BY(RSP, 8) }, { SIZE, NONE });
}

/* Without section headers .eh_frame is found through PT_GNU_EH_FRAME; it ends at a terminator. */
static void test_through_eh_frame_hdr(void **state)
{
	struct eh_fixture *f = *state;
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	uint64_t hdr = 0x2000, cie = eh_cie(f, "zR"), end;

	eh_fde(f, cie, START, SIZE, NO_PROGRAM);
	eh_uint(f, 0, 4);
	eh_fde(f, cie, START + SIZE, SIZE, PROGRAM(CFA_OFFSET, 16));
	end = f->at;
	fixture_phdr(&f->elf, PT_GNU_EH_FRAME, hdr, EH_BASE + hdr, 12, PF_R);
	for (int version = 1; version <= 2; version++) {
		_cleanup_(cfi_rows_deinit) struct cfi_rows rows = { 0 };

		f->at = hdr;
		eh_uint(f, version, 1);
		eh_uint(f, DW_EH_PE_pcrel | DW_EH_PE_sdata4, 1);
		eh_uint(f, 0xffff, 2);
		eh_uint(f, EH_OFFSET - f->at, 4);
		assert_int_equal(fixture_open(&f->elf, &img), 0);
		assert_int_equal(cfi_rows_build(&img, &rows), 0);
		assert_int_equal(rows.n, version == 1 ? 2 : 0);
		assert_int_equal(rows.bad_fdes, 0);
		elf_image_deinit(&img);
	}
	f->at = end;
	CHECK(f, 0, { 0, BY(RSP, 8) }, { SIZE, BY(RSP, 16) }, { 2 * SIZE, NONE });
}

static void test_none(void **state)
{
	struct eh_fixture *f = *state;
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	_cleanup_(cfi_rows_deinit) struct cfi_rows rows = { 0 };

	assert_int_equal(fixture_open(&f->elf, &img), 0);
	assert_int_equal(cfi_rows_build(&img, &rows), 0);
	assert_int_equal(rows.n, 0);
	assert_null(cfi_rows_at(&rows, START));
	assert_int_equal(cfi_rows_prune(&img, &rows, NULL, 0), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_address_encodings),
		TEST(test_leb128_addresses),
		TEST(test_aligned_addresses),
		TEST(test_versions_and_augmentations),
		TEST(test_bad_cies),
		TEST(test_bad_cie_program),
		TEST(test_bad_cie_pointers),
		TEST(test_cie_that_is_none),
		TEST(test_records_that_do_not_end),
		TEST(test_long_records),
		TEST(test_terminator_in_the_middle),
		TEST(test_outside_of_code),
		TEST(test_through_eh_frame_hdr),
		TEST(test_none),
	};

	return cmocka_run_group_tests_name("cfi_records", tests, NULL, NULL);
}
