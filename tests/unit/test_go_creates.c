// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "go_fixture.h"
#include "runtime/go/creates.h"

#define NAME	88 /* a place for one */
#define TEXT	(GO_BASE + GO_TEXT)
#define NEWPROC (TEXT + 2 * GO_FUNCTION)

/* A program whose first function has this name and code; its third is newproc. */
struct program {
	struct elf_fixture file;
	struct elf_image img;
	struct gopclntab table;
};

static void program_open(struct program *p, const char *name, const uint8_t *code, size_t size)
{
	go_fixture_init(&p->file, false);
	fixture_put(&p->file, GO_TABLE + GO_NAMES + GO_NAME_EXIT, "runtime.newproc", 16);
	fixture_put(&p->file, GO_TABLE + GO_NAMES + NAME, name, strlen(name) + 1);
	go_put_function(&p->file, false, 0, NAME, 0);
	fixture_put(&p->file, GO_TEXT, code, size);
	assert_int_equal(elf_image_open_mem(p->file.bytes, sizeof(p->file.bytes), &p->img), 0);
	assert_int_equal(gopclntab_find(&p->img, &p->table), 0);
}

static void program_close(struct program *p)
{
	elf_image_deinit(&p->img);
}

/* push %rbp; call newproc; ret */
static const uint8_t calls_once[] = { 0x55, 0xe8, 0x7a, 0, 0, 0, 0xc3 };
/* movabs with the bytes of such a call in it; then a call of something else */
static const uint8_t calls_never[] = { 0x48, 0xb8, 0xe8, 0x79, 0, 0, 0, 0, 0, 0, 0xe8, 0x10, 0, 0, 0, 0xc3 };
/* twice, the second being the last instruction of its code */
static const uint8_t calls_twice[] = { 0xe8, 0x7b, 0, 0, 0, 0x90, 0xe8, 0x75, 0, 0, 0 };

static const struct {
	const char *name;
	const uint8_t *code;
	size_t size, rare; /* rare: calls that are followed from the beginning */
	uint64_t at[2];	   /* offsets of the calls in the code, + 1; 0: none that may be followed */
} cases[] = {
	{ "net.(*sysDialer).f", calls_once, sizeof(calls_once), 1, { 2 } },
	{ "net.(*sysDialer).f", calls_never, sizeof(calls_never), 0, { 0 } },
	{ "net.(*sysDialer).f", calls_twice, sizeof(calls_twice), 2, { 1, 7 } },
	{ "main.f", calls_once, sizeof(calls_once), 0, { 2 } },
	{ "net.(*sysDialer)", calls_once, sizeof(calls_once), 0, { 2 } },
	{ "database/sql.(*DB).conn", calls_once, sizeof(calls_once), 1, { 2 } },
	{ "database/sql.(*DB).beginDC", calls_once, sizeof(calls_once), 0, { 0 } },
	{ "net/http.(*connReader).f", calls_once, sizeof(calls_once), 0, { 0 } },
};

static void test_calls(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct go_creates rare = { 0 };
		struct program p;

		program_open(&p, cases[i].name, cases[i].code, cases[i].size);
		assert_int_equal(go_creates_newproc(&p.table), NEWPROC);
		assert_int_equal(go_creates_rare(&p.img, &p.table, &rare), 0);
		if (rare.n != cases[i].rare)
			fail_msg("%s: %zu calls", cases[i].name, rare.n);
		for (size_t k = 0; k < rare.n; k++) {
			assert_int_equal(rare.items[k].offset, GO_TEXT + cases[i].at[k] - 1);
			assert_int_equal(rare.items[k].pc, TEXT + cases[i].at[k] - 1 + 5);
		}
		vec_free(&rare);
		program_close(&p);
	}
}

/* Of every address of the function only those are taken that a call returns to. */
static void test_at(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct program p;

		program_open(&p, cases[i].name, cases[i].code, cases[i].size);
		for (uint64_t at = 0; at < GO_FUNCTION; at++) {
			bool wanted = at >= 5 && (at - 5 == cases[i].at[0] - 1 || at - 5 == cases[i].at[1] - 1);
			struct go_create c;

			if (go_creates_at(&p.img, &p.table, NEWPROC, TEXT + at, &c) != wanted)
				fail_msg("%s: +%u", cases[i].name, (unsigned int)at);
			if (wanted)
				assert_int_equal(c.offset, GO_TEXT + at - 5);
		}
		assert_false(go_creates_at(&p.img, &p.table, 0, TEXT + 6, &(struct go_create){ 0 }));
		assert_false(go_creates_at(&p.img, &p.table, NEWPROC, GO_BASE, &(struct go_create){ 0 }));
		program_close(&p);
	}
}

static void test_no_newproc(void **state)
{
	struct go_creates rare = { 0 };
	struct program p;

	program_open(&p, "net.(*sysDialer).f", calls_once, sizeof(calls_once));
	fixture_put(&p.file, GO_TABLE + GO_NAMES + GO_NAME_EXIT, "runtime.newprac", 16);
	assert_int_equal(go_creates_rare(&p.img, &p.table, &rare), -ENOENT);
	program_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_at),
		cmocka_unit_test(test_no_newproc),
	};

	return cmocka_run_group_tests_name("go_creates", tests, NULL, NULL);
}
