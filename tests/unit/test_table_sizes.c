// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <leaktrace/books.h>
#include "probe/table_sizes.h"

#define MIB (1ULL << 20)

static const uint32_t kinds[] = { 1U << LT_KIND_MEMORY, LT_KINDS_MEMORY, LT_KINDS_SYSTEM, LT_KINDS_ALL, 0 };

static bool is_power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

static void test_limits(void **state)
{
	struct table_sizes s, all;

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		const uint64_t least = table_sizes_least(kinds[k]);

		assert_int_equal(table_sizes_choose(kinds[k], least - 1, &s), -ERANGE);
		for (uint64_t limit = least; limit < 2048 * MIB; limit += limit / 7) {
			assert_int_equal(table_sizes_choose(kinds[k], limit, &s), 0);
			assert_in_range(s.bytes, 1, s.bytes_full);
			assert_in_range(s.bytes_full, 1, limit);
			assert_in_range(s.chunks, 16, LT_MAX_CHUNKS);
			for (size_t i = 0; i < TABLE_MAX; i++)
				assert_true(is_power_of_two(s.entries[i]));
			/* what windows of arrays and rings need */
			assert_in_range(s.entries[TABLE_OUTSTANDING], 1024, LT_HOLDING_SETS);
			assert_in_range(s.entries[TABLE_EVENTS], 4096, 16 * MIB);
		}
		assert_int_equal(table_sizes_choose(kinds[k], 1024 * MIB, &s), 0);
		assert_int_equal(table_sizes_choose(kinds[k], 0, &all), 0);
		for (size_t i = 0; i < TABLE_MAX; i++)
			assert_int_equal(s.entries[i], all.entries[i]);
	}
}

static void test_no_limit(void **state)
{
	struct table_sizes memory, system, all;

	assert_int_equal(table_sizes_choose(LT_KINDS_MEMORY, 0, &memory), 0);
	assert_int_equal(table_sizes_choose(LT_KINDS_SYSTEM, 0, &system), 0);
	assert_int_equal(table_sizes_choose(LT_KINDS_ALL, 0, &all), 0);
	assert_int_equal(memory.entries[TABLE_OUTSTANDING], LT_HOLDING_SETS);
	assert_int_equal(memory.chunks, LT_MAX_CHUNKS);
	assert_true(system.entries[TABLE_SOCKETS] > memory.entries[TABLE_SOCKETS]);
	assert_true(system.bytes < memory.bytes / 2);
	for (size_t i = 0; i < TABLE_MAX; i++) {
		assert_true(all.entries[i] >= memory.entries[i]);
		assert_true(all.entries[i] >= system.entries[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_no_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
