// SPDX-License-Identifier: Apache-2.0
/* Code objects, and the interpreter itself, in the memory of a process that is made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "python_fixture.h"

#define RUNTIME	    (BASE + 0x800)
#define INTERPRETER (BASE + 0x900)
#define THREAD	    (BASE + 0xa00)
#define PTHREAD	    (BASE + 0xb00)
#define CFRAME	    (BASE + 0xc00)
#define FRAME	    (BASE + 0xd00)

struct fixture {
	struct area area;
	struct memory memory;
	struct python python;
	struct strpool strings;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	f->memory = area_memory(&f->area);
	f->python = (struct python){ .memory = f->memory, .code_type = CODE_TYPE };
	if (python_layout_find(PYTHON_VERSION(3, 11), &f->memory, RUNTIME, &f->python.layout))
		return -1;
	area_code(&f->area);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	strpool_deinit(&f->strings);
	free(f);
	return 0;
}

static int symbol_at(struct fixture *f, uint64_t instr, struct symbol *ret)
{
	return python_symbol(&f->python, CODE, instr, &f->strings, ret);
}

static void test_a_frame(void **state)
{
	struct fixture *f = *state;
	struct symbol s;

	assert_int_equal(symbol_at(f, INSTRS, &s), 0);
	assert_string_equal(s.function, "f");
	assert_string_equal(s.file, "a.py");
	assert_int_equal(s.line, 10);
	assert_int_equal(symbol_at(f, INSTRS + 2, &s), 0);
	assert_int_equal(s.line, 12);
	assert_int_equal(symbol_at(f, INSTRS - 2, &s), 0);
	assert_int_equal(s.line, 10);
	assert_int_equal(symbol_at(f, INSTRS + 4, &s), 0);
	assert_int_equal(s.line, 0);
}

static void test_other_alphabets(void **state)
{
	static const uint16_t two[] = { 0x43a, 0x20ac, 0xdc80, 0 };
	static const uint32_t four[] = { 0x1f40d, 'x', 0x110000 };
	struct fixture *f = *state;
	struct symbol s;

	area_string(&f->area, NAME, "caf\xe9", 4, 1, false);
	assert_int_equal(symbol_at(f, INSTRS, &s), 0);
	assert_string_equal(s.function, "caf\xc3\xa9");
	area_string(&f->area, NAME, two, 4, 2, false);
	assert_int_equal(symbol_at(f, INSTRS, &s), 0);
	assert_string_equal(s.function, "\xd0\xba\xe2\x82\xac\xef\xbf\xbd\xef\xbf\xbd");
	area_string(&f->area, NAME, four, 3, 4, false);
	assert_int_equal(symbol_at(f, INSTRS, &s), 0);
	assert_string_equal(s.function, "\xf0\x9f\x90\x8dx\xef\xbf\xbd");
}

/* One word at a time is something else: a frame is refused, or at worst loses its line. */
static void test_what_is_no_code(void **state)
{
	static const struct {
		uint64_t at, word;
		int r;
	} rows[] = {
		{ CODE + 8, CODE_TYPE + 8, -ENOENT },	   { CODE + 128, 0, -ENOENT },
		{ CODE + 128, BASE - 8, -ENOENT },	   { CODE + 112, ~0ULL, -ENOENT },
		{ CODE + 112, BASE + AREA_BYTES - 8, -ENOENT }, { NAME + 16, 0, -ENOENT },
		{ NAME + 16, ~0ULL, -ENOENT },		   { NAME + 16, AREA_BYTES, 0 },
		{ NAME + 32, 3 << 2 | 1 << 5, -ENOENT },   { NAME + 32, 1 << 2, -ENOENT },
		{ CODE + 136, 0, 0 },			   { LINES + 16, ~0ULL, 0 },
		{ LINES + 16, 1U << 20, 0 },
	};
	struct fixture *f = *state;
	struct symbol s;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct area before = f->area;

		area_word(&f->area, rows[i].at, rows[i].word);
		assert_int_equal(symbol_at(f, INSTRS, &s), rows[i].r);
		f->area = before;
	}
	assert_int_equal(python_symbol(&f->python, 0, 0, &f->strings, &s), -ENOENT);
	assert_int_equal(python_symbol(&f->python, BASE + AREA_BYTES - 16, 0, &f->strings, &s), -ENOENT);
}

static int open_version(struct fixture *f, unsigned int version, struct python *ret)
{
	const struct python_module m = { .version = version, .runtime = 0x800, .code_type = 0x10 };

	return python_open(&m, BASE, &f->memory, ret);
}

static void test_an_interpreter(void **state)
{
	struct fixture *f = *state;
	struct python p;

	/* not begun yet */
	assert_int_equal(open_version(f, PYTHON_VERSION(3, 11), &p), 0);
	assert_int_equal(p.code_type, CODE_TYPE);
	assert_int_equal(python_row(&p).interpreters, RUNTIME + 40);
	area_word(&f->area, RUNTIME + 40, INTERPRETER);
	assert_int_equal(open_version(f, PYTHON_VERSION(3, 11), &p), 0);
	/* a thread whose id is none */
	area_word(&f->area, INTERPRETER + 16, THREAD);
	area_word(&f->area, THREAD + 152, PTHREAD);
	assert_int_equal(open_version(f, PYTHON_VERSION(3, 11), &p), -EAGAIN);
	/* one that runs no Python */
	area_word(&f->area, PTHREAD, PTHREAD);
	assert_int_equal(open_version(f, PYTHON_VERSION(3, 11), &p), 0);
	/* one with a frame that is none, or is */
	area_word(&f->area, THREAD + 56, CFRAME);
	area_word(&f->area, CFRAME + 8, FRAME);
	area_word(&f->area, FRAME + 32, NAME);
	assert_int_equal(open_version(f, PYTHON_VERSION(3, 11), &p), -EAGAIN);
	area_word(&f->area, FRAME + 32, CODE);
	assert_int_equal(open_version(f, PYTHON_VERSION(3, 11), &p), 0);
	/* threads in a circle */
	area_word(&f->area, FRAME + 32, NAME);
	area_word(&f->area, THREAD + 8, THREAD);
	assert_int_equal(open_version(f, PYTHON_VERSION(3, 11), &p), -EAGAIN);
}

static void test_versions(void **state)
{
	static const unsigned int unknown[] = { 0, PYTHON_VERSION(3, 10), PYTHON_VERSION(3, 14),
						PYTHON_VERSION(4, 0), PYTHON_VERSION(3, 13) };
	struct fixture *f = *state;
	struct python p;

	assert_int_equal(open_version(f, PYTHON_VERSION(3, 12), &p), 0);
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		assert_int_equal(open_version(f, unknown[i], &p), -EOPNOTSUPP);
	/* the table that 3.13 has itself */
	area_put(&f->area, RUNTIME, "xdebugpy", 8);
	area_word(&f->area, RUNTIME + 8 * 5, 632);
	area_word(&f->area, RUNTIME + 8 * 23, 72);
	area_word(&f->area, RUNTIME + 8 * 33, 70);
	assert_int_equal(open_version(f, PYTHON_VERSION(3, 13), &p), 0);
	assert_int_equal(python_row(&p).interpreters, RUNTIME + 632);
	assert_int_equal(python_row(&p).thread_frame, 72);
	assert_int_equal(python_row(&p).frame_entry, 70);
	area_word(&f->area, RUNTIME + 8 * 33, 4000); /* beyond what BPF reads */
	assert_int_equal(open_version(f, PYTHON_VERSION(3, 13), &p), -EOPNOTSUPP);
	area_word(&f->area, RUNTIME + 8 * 33, 1ULL << 40);
	assert_int_equal(open_version(f, PYTHON_VERSION(3, 13), &p), -EOPNOTSUPP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_frame, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_alphabets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_no_code, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_interpreter, setup, teardown),
		cmocka_unit_test_setup_teardown(test_versions, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
