// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "sym/addr_ranges.h"

static void test_nested(void **state)
{
	struct addr_ranges t = { 0 };
	const struct addr_range *r;

	addr_ranges_add(&t, 100, 200, 1);
	addr_ranges_add(&t, 120, 150, 2);
	addr_ranges_add(&t, 120, 130, 3);
	addr_ranges_add(&t, 300, 310, 4);
	addr_ranges_add(&t, 310, 320, 4);
	assert_int_equal(addr_ranges_settle(&t), 0);
	assert_int_equal(t.n, 4); /* neighbours of one owner are one */
	assert_null(addr_ranges_at(&t, 99));
	assert_null(addr_ranges_at(&t, 200));
	assert_int_equal(addr_ranges_at(&t, 160)->to, 1);
	assert_int_equal(addr_ranges_at(&t, 140)->to, 2);
	assert_int_equal(addr_ranges_at(&t, 315)->to, 4);
	r = addr_ranges_at(&t, 125);
	assert_int_equal(r->to, 3);
	r = addr_ranges_around(&t, r, 125);
	assert_int_equal(r->to, 2);
	r = addr_ranges_around(&t, r, 125);
	assert_int_equal(r->to, 1);
	assert_null(addr_ranges_around(&t, r, 125));
	addr_ranges_deinit(&t);
	assert_null(addr_ranges_at(&t, 100));
	assert_int_equal(addr_ranges_settle(&t), 0);
}

/* Random ones, nested or not: all that cover an address are found, each once. */
static void test_random(void **state)
{
	unsigned int seed = 815;
	uint64_t low[200], high[200];
	struct addr_ranges t = { 0 };

	for (uint32_t i = 0; i < 200; i++) {
		low[i] = rand_r(&seed) % 1000;
		high[i] = low[i] + 1 + rand_r(&seed) % 90;
		addr_ranges_add(&t, low[i], high[i], i);
	}
	assert_int_equal(addr_ranges_settle(&t), 0);
	for (uint64_t at = 0; at < 1200; at++) {
		const struct addr_range *r = addr_ranges_at(&t, at);
		bool seen[200] = { false };

		for (; r; r = addr_ranges_around(&t, r, at)) {
			assert_false(seen[r->to]);
			seen[r->to] = true;
		}
		for (uint32_t i = 0; i < 200; i++)
			assert_int_equal(seen[i], low[i] <= at && at < high[i]);
	}
	addr_ranges_deinit(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
