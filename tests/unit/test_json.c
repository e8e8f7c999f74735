// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/json.h"
#include "base/utf8.h"

/* A document into memory: begin, write into `json`, end. */
struct document {
	struct json json;
	FILE *file;
	char *text;
	size_t n;
};

static void begin(struct document *d, bool one_line)
{
	d->file = open_memstream(&d->text, &d->n);
	assert_non_null(d->file);
	d->json = json_make(d->file, one_line);
}

static void end(struct document *d, const char *want)
{
	assert_int_equal(json_finish(&d->json), 0);
	assert_int_equal(fclose(d->file), 0);
	assert_string_equal(d->text, want);
	free(d->text);
}

static void write_nested(struct json *j)
{
	json_object(j, NULL);
	json_array(j, "empty");
	json_end(j);
	json_object(j, "none");
	json_end(j);
	json_array(j, "list");
	json_uint(j, NULL, 1);
	json_array(j, NULL);
	json_bool(j, NULL, true);
	json_end(j);
	json_object_line(j, NULL);
	json_null(j, "a");
	json_array(j, "b");
	json_uint(j, NULL, 2);
	json_uint(j, NULL, 3);
	json_end(j);
	json_end(j);
	json_end(j);
	json_bool(j, "last", false);
	json_end(j);
}

static void test_nesting(void **state)
{
	struct document d;

	begin(&d, false);
	write_nested(&d.json);
	end(&d, "{\n"
		"  \"empty\": [],\n"
		"  \"none\": {},\n"
		"  \"list\": [\n"
		"    1,\n"
		"    [\n"
		"      true\n"
		"    ],\n"
		"    { \"a\": null, \"b\": [2, 3] }\n"
		"  ],\n"
		"  \"last\": false\n"
		"}\n");
	begin(&d, true);
	write_nested(&d.json);
	end(&d,
	    "{ \"empty\": [], \"none\": {}, \"list\": [1, [true], { \"a\": null, \"b\": [2, 3] }], "
	    "\"last\": false }\n");
}

static void check_string(const char *s, const char *want)
{
	struct document d;

	begin(&d, true);
	json_string(&d.json, NULL, s);
	end(&d, want);
}

static void test_strings(void **state)
{
	check_string("", "\"\"\n");
	check_string("plain / text", "\"plain / text\"\n");
	check_string("\"\\\b\f\n\r\t", "\"\\\"\\\\\\b\\f\\n\\r\\t\"\n");
	check_string("\001\037\033[0m\177", "\"\\u0001\\u001f\\u001b[0m\\u007f\"\n");
	check_string("caf\xc3\xa9 \xf0\x9f\x92\xa7", "\"caf\xc3\xa9 \xf0\x9f\x92\xa7\"\n");
	check_string("\xe2\x80\xae"
		     "a\xe2\x80\xa8",
		     "\"\\u202ea\\u2028\"\n");
	check_string(NULL, "null\n");
}

/* The examples of the Unicode standard, section 3.9, tables 3-8 to 3-11. */
static void test_invalid_utf8(void **state)
{
#define R "\xef\xbf\xbd"
	check_string("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41", "\"" R R R R R R R R "A\"\n");
	check_string("\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41", "\"" R R R R R R R R "A\"\n");
	check_string("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42", "\"" R R R R R "A" R R "B\"\n");
	check_string("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", "\"" R R R R "A\"\n");
	check_string("\xc3", "\"" R "\"\n");
	check_string("\xf0\x9f\x92", "\"" R "\"\n");
#undef R
}

static void check_double(double v, const char *want)
{
	struct document d;

	begin(&d, true);
	json_double(&d.json, NULL, v);
	end(&d, want);
}

static void test_numbers(void **state)
{
	struct document d;

	check_double(0, "0.0\n");
	check_double(-0.0, "0.0\n");
	check_double(4.8, "4.8\n");
	check_double(1.25, "1.25\n");
	check_double(0.0014, "0.001\n");
	check_double(0.9996, "1.0\n");
	check_double(0.05, "0.05\n");
	check_double(-2.5, "-2.5\n");
	check_double(-0.0001, "0.0\n");
	check_double(1e18, "1000000000000000000.0\n");
	check_double(12345678.9996, "12345679.0\n");
	check_double(999999999999999.0, "999999999999999.0\n");
	check_double(NAN, "null\n");
	check_double(INFINITY, "null\n");
	check_double(-INFINITY, "null\n");
	begin(&d, true);
	json_uint(&d.json, NULL, UINT64_MAX);
	end(&d, "18446744073709551615\n");
	begin(&d, true);
	json_hex(&d.json, NULL, 0x11a9);
	end(&d, "\"0x11a9\"\n");
}

static void test_stream_failure(void **state)
{
	FILE *f = fopen("/dev/full", "we");
	struct json j;

	assert_non_null(f);
	j = json_make(f, true);
	json_uint(&j, NULL, 1);
	assert_int_equal(json_finish(&j), -EIO);
	fclose(f);
}

static void check_printable(const char *s, const char *want)
{
	struct strbuf b = { 0 };
	char *got;

	utf8_add_printable(&b, s);
	got = strbuf_steal(&b);
	assert_non_null(got);
	assert_string_equal(got, want);
	free(got);
}

static void test_printable(void **state)
{
	check_printable("", "");
	check_printable("caf\xc3\xa9\n", "caf\xc3\xa9\\x0a");
	check_printable("\033]0;x\007", "\\x1b]0;x\\x07");
	check_printable("\xc2\x9b"
			"31m",
			"\\x9b31m");
	check_printable("\xe2\x80\xae"
			"x",
			"\\u202ex");
	check_printable("\xe2\x80x\xff", "\\xe2\\x80x\\xff");
}

static void test_columns(void **state)
{
	const char *s = "a\xc3\xa9\xf0\x9f\x92\xa7z";

	assert_int_equal(utf8_columns(s), 4);
	assert_int_equal(utf8_head(s, 0), 0);
	assert_int_equal(utf8_head(s, 2), 3);
	assert_int_equal(utf8_head(s, 9), 8);
	assert_int_equal(utf8_tail(s, 0), 0);
	assert_int_equal(utf8_tail(s, 2), 5);
	assert_int_equal(utf8_tail(s, 9), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nesting),	       cmocka_unit_test(test_strings),
		cmocka_unit_test(test_invalid_utf8),   cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_stream_failure), cmocka_unit_test(test_printable),
		cmocka_unit_test(test_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
