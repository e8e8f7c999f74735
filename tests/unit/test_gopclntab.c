// SPDX-License-Identifier: Apache-2.0
/* Go's table of functions: what is read of a small one, and of broken ones. Real programs: see
 * tests/e2e/go-symbols.t. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "elf/cfi.h"
#include "go_fixture.h"
#include "sym_fixture.h"
#include "sym/symbolizer.h"

#define TEXT (GO_BASE + GO_TEXT)

static struct elf_fixture file;

static void open_go(bool early, struct elf_image *img, struct gopclntab *t)
{
	go_fixture_init(&file, early);
	assert_int_equal(fixture_open(&file, img), 0);
	assert_int_equal(gopclntab_find(img, t), 0);
}

static void check_line(const struct gopclntab *t, uint64_t at, unsigned int line)
{
	struct go_function f;
	struct go_line found;

	assert_true(gopclntab_at(t, TEXT + at, &f));
	found = gopclntab_line(t, &f, TEXT + at);
	assert_string_equal(found.file, "/src/main.go");
	assert_int_equal(found.line, line);
}

static void check_table(bool early)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	struct gopclntab t;
	struct go_function f;
	struct go_inlined call;

	open_go(early, &img, &t);
	assert_int_equal(t.n, GO_FUNCTIONS);
	assert_int_equal(t.early, early);
	assert_int_equal(t.text, TEXT);
	assert_int_equal(t.gofunc, GO_BASE + GO_TREES);
	assert_false(gopclntab_at(&t, TEXT - 1, &f));
	assert_false(gopclntab_at(&t, TEXT + GO_FUNCTIONS * GO_FUNCTION, &f));
	assert_true(gopclntab_at(&t, TEXT + GO_FUNCTION - 1, &f));
	assert_string_equal(f.name, "main.start");
	assert_false(gopclntab_inlined(&t, &f, TEXT + 0x10, &call));
	check_line(&t, 0, 10);
	check_line(&t, 0x10, 12);
	check_line(&t, GO_FUNCTION + 0x3f, 9);
	assert_true(gopclntab_at(&t, TEXT + GO_FUNCTION, &f));
	assert_int_equal(f.entry, TEXT + GO_FUNCTION);
	assert_false(gopclntab_inlined(&t, &f, f.entry + 0xf, &call));
	assert_true(gopclntab_inlined(&t, &f, f.entry + 0x10, &call));
	assert_string_equal(call.name, "main.called");
	assert_int_equal(call.caller, f.entry + 0x28);
	assert_false(gopclntab_inlined(&t, &f, f.entry + 0x20, &call));
}

static void reads_tables(void **state)
{
	check_table(true);
	check_table(false);
}

static void check_row(const struct cfi_rows *rows, uint64_t at, struct lt_rule rule)
{
	const struct cfi_row *row = cfi_rows_at(rows, TEXT + at);

	assert_non_null(row);
	assert_memory_equal(&row->rule, &rule, sizeof(rule));
}

static void makes_rows(void **state)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	_cleanup_(cfi_rows_deinit) struct cfi_rows rows = { 0 };
	struct gopclntab t;

	open_go(false, &img, &t);
	assert_int_equal(cfi_rows_build(&img, &rows), 0);
	assert_null(cfi_rows_at(&rows, TEXT - 1));
	check_row(&rows, 0, (struct lt_rule){ LT_CFA_RSP, LT_RBP_SAME, 0, 8 });
	check_row(&rows, 1, (struct lt_rule){ LT_CFA_RSP, LT_RBP_CFA, -16, 16 });
	check_row(&rows, 4, (struct lt_rule){ LT_CFA_RSP, LT_RBP_CFA, -16, 32 });
	check_row(&rows, 0x24, (struct lt_rule){ LT_CFA_RSP, LT_RBP_CFA, -16, 16 });
	check_row(&rows, GO_FUNCTION, (struct lt_rule){ LT_CFA_RSP, LT_RBP_SAME, 0, 8 });
	check_row(&rows, 2 * GO_FUNCTION, (struct lt_rule){ .cfa = LT_CFA_STOP });
	check_row(&rows, 3 * GO_FUNCTION, (struct lt_rule){ .cfa = LT_CFA_NONE });
}

static void names_as_profiles_do(void **state)
{
	struct symbol found[SYMBOLS_MAX];
	struct symbolizer *s;
	struct module m;

	go_fixture_init(&file, false);
	fixture_write(*state, "program", file.bytes, sizeof(file.bytes));
	m = fixture_module(*state, "program", NULL);
	assert_int_equal(symbolizer_create(&s), 0);
	assert_int_equal(symbolizer_module(s, &m, TEXT + GO_FUNCTION + 0x18, found), 2);
	assert_string_equal(found[0].function, "main.called");
	assert_true(found[0].inlined);
	assert_int_equal(found[0].line, 12);
	assert_string_equal(found[1].function, "main.f[...].func1");
	assert_false(found[1].inlined);
	assert_int_equal(found[1].line, 9);
	assert_string_equal(found[1].file, "/src/main.go");
	assert_int_equal(symbolizer_module(s, &m, TEXT - 1, found), 0);
	symbolizer_destroy(s);
	fixture_module_deinit(&m);
}

/* Whatever byte of it is wrong, it is refused or read within its bounds. */
static void survives_any_byte(void **state)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	struct gopclntab t;
	struct go_function f;
	unsigned int refused = 0;

	go_fixture_init(&file, false);
	assert_int_equal(fixture_open(&file, &img), 0);
	for (uint64_t at = GO_TABLE; at < GO_TABLE + GO_FUNCS + 0x200; at++) {
		_cleanup_(cfi_rows_deinit) struct cfi_rows rows = { 0 };

		file.bytes[at] ^= 0xff;
		refused += gopclntab_find(&img, &t) != 0;
		if (!gopclntab_find(&img, &t) && gopclntab_at(&t, TEXT + GO_FUNCTION + 0x18, &f))
			gopclntab_line(&t, &f, TEXT + GO_FUNCTION + 0x18);
		assert_int_equal(cfi_rows_build(&img, &rows), 0);
		file.bytes[at] ^= 0xff;
	}
	assert_true(refused > 40);
	assert_int_equal(gopclntab_find(&img, &t), 0);
}

static void refuses_what_is_not_its_own(void **state)
{
	static const uint64_t places[] = { GO_TABLE + 4, GO_MODULE, GO_MODULE + 8, GO_MODULE + 160,
					   GO_MODULE + 168, GO_MODULE + 176 };
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	struct gopclntab t;

	go_fixture_init(&file, true);
	assert_int_equal(fixture_open(&file, &img), 0);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		file.bytes[places[i]] ^= 1;
		assert_int_equal(gopclntab_find(&img, &t), -ENOENT);
		file.bytes[places[i]] ^= 1;
	}
	file.bytes[GO_TREES + 16] = 0xff; /* a tree that is none */
	file.bytes[GO_TREES + 17] = 0xff;
	assert_int_equal(gopclntab_find(&img, &t), 0);
	assert_int_equal(t.gofunc, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_tables),
		cmocka_unit_test(makes_rows),
		cmocka_unit_test_setup_teardown(names_as_profiles_do, fixture_setup,
						fixture_teardown),
		cmocka_unit_test(survives_any_byte),
		cmocka_unit_test(refuses_what_is_not_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
