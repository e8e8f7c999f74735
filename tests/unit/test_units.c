// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "base/units.h"

#define MS 1000000ULL
#define S  1000000000ULL

struct parsed {
	const char *text;
	int r;
	uint64_t value;
};

static const struct parsed times[] = {
	{ "30", 0, 30 * S },
	{ "30s", 0, 30 * S },
	{ "5m", 0, 300 * S },
	{ "500ms", 0, 500 * MS },
	{ "1.5h", 0, 5400 * S },
	{ "0.1", 0, 100 * MS },
	{ "0.000000001", 0, 1 },
	{ "0.0000000019", 0, 1 },
	{ "0", 0, 0 },
	{ "18446744073.709551615", 0, UINT64_MAX },
	{ "18446744073.709551616", -ERANGE, 0 },
	{ "5124096h", -ERANGE, 0 },
	{ "99999999999999999999999999999999999999999", -ERANGE, 0 },
	{ "", -EINVAL, 0 },
	{ "s", -EINVAL, 0 },
	{ "-1", -EINVAL, 0 },
	{ "+1", -EINVAL, 0 },
	{ " 1", -EINVAL, 0 },
	{ "1 s", -EINVAL, 0 },
	{ "1.", -EINVAL, 0 },
	{ ".5", -EINVAL, 0 },
	{ "1.5.5", -EINVAL, 0 },
	{ "1e3", -EINVAL, 0 },
	{ "1S", -EINVAL, 0 },
	{ "1K", -EINVAL, 0 },
	{ "inf", -EINVAL, 0 },
	{ "0x10", -EINVAL, 0 },
};

static const struct parsed sizes[] = {
	{ "0", 0, 0 },
	{ "4096", 0, 4096 },
	{ "64K", 0, 65536 },
	{ "64k", 0, 65536 },
	{ "1.5MiB", 0, 1572864 },
	{ "0.99K", 0, 1013 }, /* 1013.76 */
	{ "3G", 0, 3221225472 },
	{ "2T", 0, 2199023255552 },
	{ "18446744073709551615", 0, UINT64_MAX },
	{ "18446744073709551616", -ERANGE, 0 },
	{ "16777216T", -ERANGE, 0 },
	{ "1.1111111111111111111111111111111", 0, 1 },
	{ "1KB", -EINVAL, 0 }, /* 1000 or 1024? */
	{ "K", -EINVAL, 0 },
	{ "1,000", -EINVAL, 0 },
	{ "-5", -EINVAL, 0 },
};

static void check_parsed(const struct parsed *table, size_t n,
			 int (*parse)(const char *, uint64_t *))
{
	for (size_t i = 0; i < n; i++) {
		uint64_t v = 4711;
		int r = parse(table[i].text, &v);

		if (r != table[i].r || v != (r ? 4711 : table[i].value))
			fail_msg("'%s' gives %d, %llu", table[i].text, r, (unsigned long long)v);
	}
}

static void test_times(void **state)
{
	check_parsed(times, ARRAY_SIZE(times), units_parse_time);
}

static void test_sizes(void **state)
{
	check_parsed(sizes, ARRAY_SIZE(sizes), units_parse_size);
}

static void test_numbers(void **state)
{
	uint64_t v;

	assert_int_equal(units_parse_uint("007", 7, &v), 0);
	assert_int_equal(v, 7);
	assert_int_equal(units_parse_uint("8", 7, &v), -ERANGE);
	assert_int_equal(units_parse_uint("1K", 9999, &v), -EINVAL);
	assert_int_equal(units_parse_uint("1.0", 9, &v), -EINVAL);
	assert_int_equal(units_parse_uint("", 9, &v), -EINVAL);
	assert_int_equal(v, 7);
}

static void test_bytes(void **state)
{
	assert_string_equal(units_bytes(0).s, "0 B");
	assert_string_equal(units_bytes(1023).s, "1023 B");
	assert_string_equal(units_bytes(1024).s, "1.0 KiB");
	assert_string_equal(units_bytes(27648).s, "27.0 KiB");
	assert_string_equal(units_bytes(1024 * 1024 - 1).s, "1.0 MiB");
	assert_string_equal(units_bytes(1023 * 1024).s, "1023.0 KiB");
	assert_string_equal(units_bytes(UINT64_MAX).s, "16.0 EiB");
}

static void test_durations(void **state)
{
	assert_string_equal(units_duration(0).s, "0 ms");
	assert_string_equal(units_duration(-1).s, "0 ms");
	assert_string_equal(units_duration(0.0314).s, "31 ms");
	assert_string_equal(units_duration(0.9994).s, "999 ms");
	assert_string_equal(units_duration(0.9996).s, "1.0 s");
	assert_string_equal(units_duration(4.8).s, "4.8 s");
	assert_string_equal(units_duration(59.94).s, "59.9 s");
	assert_string_equal(units_duration(59.96).s, "1m 00s");
	assert_string_equal(units_duration(312).s, "5m 12s");
	assert_string_equal(units_duration(3599.6).s, "1h 00m");
	assert_string_equal(units_duration(11100).s, "3h 05m");
	assert_string_equal(units_duration(187200).s, "2d 04h");
	assert_string_equal(units_duration(1e300).s, units_duration(1e15).s);
}

static void test_counts(void **state)
{
	assert_string_equal(units_count(0).s, "0");
	assert_string_equal(units_count(999).s, "999");
	assert_string_equal(units_count(1000).s, "1,000");
	assert_string_equal(units_count(120034).s, "120,034");
	assert_string_equal(units_count(UINT64_MAX).s, "18,446,744,073,709,551,615");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),	  cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_numbers),	  cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_durations), cmocka_unit_test(test_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
