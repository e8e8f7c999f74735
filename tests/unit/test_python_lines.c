// SPDX-License-Identifier: Apache-2.0
/* Location tables, by hand and against what the interpreter itself makes of those of its library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "sym/python_lines.h"

#define SHORT(units)	  (0x80 | 3 << 3 | ((units) - 1))
#define ONE_LINE(n, units) (0x80 | (10 + (n)) << 3 | ((units) - 1))
#define NO_COLUMNS(units) (0x80 | 13 << 3 | ((units) - 1))
#define LONG(units)	  (0x80 | 14 << 3 | ((units) - 1))
#define NONE(units)	  (0x80 | 15 << 3 | ((units) - 1))

static void test_every_form(void **state)
{
	static const uint8_t table[] = {
		SHORT(1), 0x12,			    /* 0: line 100 */
		ONE_LINE(2, 2), 1, 2,		    /* 2: line 102 */
		NO_COLUMNS(8), 0x40 | 2, 1,	    /* 6: 33 lines on: 66 is 2 and 1 << 6 */
		NONE(1),			    /* 22 */
		LONG(1), 5, 1, 2, 0x7f, 0x7f, 0x01, /* 24: 2 lines back */
		ONE_LINE(0, 1), 1, 2,		    /* 26: the same line */
	};
	static const struct {
		uint64_t offset;
		unsigned int line;
	} rows[] = { { 0, 100 }, { 1, 100 }, { 2, 102 }, { 5, 102 }, { 6, 135 }, { 21, 135 },
		     { 22, 0 },	 { 24, 133 }, { 26, 133 }, { 27, 133 }, { 28, 0 }, { UINT64_MAX, 0 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(python_line(table, sizeof(table), 100, rows[i].offset), rows[i].line);
}

static void test_what_is_cut_or_wrong(void **state)
{
	static const uint8_t cut[] = { SHORT(1), 0x12, LONG(1), 5, 1 };
	static const uint8_t headless[] = { 0x12, 0x12 };
	static const uint8_t endless[] = { NO_COLUMNS(1), 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f,
					   0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f };
	static const uint8_t negative[] = { NO_COLUMNS(1), 0x40 | 63, 3 };

	assert_int_equal(python_line(NULL, 0, 1, 0), 0);
	assert_int_equal(python_line(cut, sizeof(cut), 1, 0), 1);
	assert_int_equal(python_line(cut, sizeof(cut), 1, 2), 0);
	assert_int_equal(python_line(headless, sizeof(headless), 1, 0), 0);
	assert_int_equal(python_line(endless, sizeof(endless), 1, 0), 0);
	assert_int_equal(python_line(negative, sizeof(negative), 100, 0), 0);
	assert_int_equal(python_line(negative, sizeof(negative), 1000, 0), 1000 - 127);
}

/* For each code object: first line, table, and a line for each code unit, 0 for none. */
static const char program[] =
	"import sys, types, argparse, asyncio.base_events, inspect, typing, subprocess, dataclasses\n"
	"if sys.version_info < (3, 11): sys.exit()\n"
	"def dump(code):\n"
	"    lines = [0] * (len(code.co_code) // 2)\n"
	"    for start, end, line in code.co_lines():\n"
	"        for i in range(start // 2, end // 2): lines[i] = line or 0\n"
	"    print(code.co_firstlineno, code.co_linetable.hex() or '-', len(lines), *lines)\n"
	"    for c in code.co_consts:\n"
	"        if isinstance(c, types.CodeType): dump(c)\n"
	"for m in argparse, asyncio.base_events, inspect, typing, subprocess, dataclasses:\n"
	"    dump(compile(open(m.__file__).read(), m.__file__, 'exec'))\n";

static size_t unhex(const char *hex, uint8_t *ret)
{
	size_t n = 0;
	unsigned int byte;

	for (; sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
		ret[n] = (uint8_t)byte;
	return n;
}

static void check_code(char *text)
{
	char *save, *first = strtok_r(text, " ", &save), *hex = strtok_r(NULL, " ", &save);
	size_t n = strtoul(strtok_r(NULL, " ", &save), NULL, 10);
	uint8_t *table = malloc(strlen(hex) + 1);
	size_t size = unhex(hex, table);

	for (size_t i = 0; i < n; i++) {
		unsigned long want = strtoul(strtok_r(NULL, " ", &save), NULL, 10);

		assert_int_equal(python_line(table, size, (unsigned int)strtoul(first, NULL, 10), 2 * i),
				 want);
	}
	free(table);
}

static void test_the_library(void **state)
{
	char path[] = "/tmp/python-lines.XXXXXX", command[256], *text = NULL;
	size_t cap = 0, n = 0;
	int fd = mkstemp(path);
	FILE *f;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, program, strlen(program)), strlen(program));
	close(fd);
	snprintf(command, sizeof(command), "python3 %s 2>/dev/null", path);
	f = popen(command, "r");
	assert_non_null(f);
	while (getline(&text, &cap, f) > 0) {
		check_code(text);
		n++;
	}
	pclose(f);
	remove(path);
	free(text);
	if (!n)
		skip();
	assert_in_range(n, 500, 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_form),
		cmocka_unit_test(test_what_is_cut_or_wrong),
		cmocka_unit_test(test_the_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
