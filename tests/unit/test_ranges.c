// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "leak/ranges.h"

#define SPACE 512 /* addresses of the model */

struct seen {
	uint64_t bytes, whole, last_stack;
};

static void note(void *ctx, uint64_t stack, uint64_t bytes, bool whole)
{
	struct seen *s = ctx;

	s->bytes += bytes;
	s->whole += whole;
	s->last_stack = stack;
}

static void test_hole_counts_once(void **state)
{
	struct range_set set = { 0 };
	struct seen seen = { 0 };

	assert_int_equal(range_set_add(&set, 100, 50, 7, 1), 0);
	assert_int_equal(range_set_remove(&set, 120, 10, note, &seen), 10);
	assert_int_equal(seen.bytes, 10);
	assert_int_equal(seen.whole, 0);
	assert_int_equal(set.n, 2);
	assert_int_equal(range_set_remove(&set, 100, 20, note, &seen), 20);
	assert_int_equal(seen.whole, 0);
	assert_int_equal(range_set_remove(&set, 0, 1000, note, &seen), 20);
	assert_int_equal(seen.whole, 1);
	assert_int_equal(seen.bytes, 50);
	assert_int_equal(seen.last_stack, 7);
	assert_int_equal(set.n, 0);
	range_set_deinit(&set);
}

static void test_take_and_restore(void **state)
{
	struct range_set set = { 0 }, taken = { 0 };
	struct seen seen = { 0 };

	range_set_add(&set, 0, 10, 1, 1);
	range_set_add(&set, 20, 10, 2, 1);
	assert_int_equal(range_set_take(&set, 5, 20, &taken), 10);
	assert_int_equal(taken.n, 2);
	assert_int_equal(range_set_restore(&set, &taken), 0);
	assert_int_equal(range_set_remove(&set, 0, 100, note, &seen), 20);
	assert_int_equal(seen.whole, 2);
	range_set_deinit(&taken);
	range_set_deinit(&set);
}

static void test_nonsense_is_harmless(void **state)
{
	struct range_set set = { 0 };
	struct seen seen = { 0 };

	assert_int_equal(range_set_add(&set, 10, 0, 1, 1), 0);
	assert_int_equal(range_set_add(&set, UINT64_MAX - 5, 10, 1, 1), 0);
	assert_int_equal(set.n, 0);
	assert_int_equal(range_set_add(&set, UINT64_MAX - 50, 40, 1, 1), 0);
	assert_int_equal(range_set_remove(&set, UINT64_MAX - 20, 100, note, &seen), 10);
	range_set_deinit(&set);
}

/* Against a model that keeps the owner of every single address. */
static void test_random_against_model(void **state)
{
	unsigned int owner[SPACE] = { 0 }, next = 1, left[4096] = { 0 };
	struct range_set set = { 0 };
	uint64_t whole = 0, bytes = 0;
	struct seen seen = { 0 };

	srand(17);
	for (int step = 0; step < 4000; step++) {
		unsigned int at = (unsigned int)rand() % SPACE, len = 1 + (unsigned int)rand() % 60;

		len = at + len > SPACE ? SPACE - at : len;
		for (unsigned int i = at; i < at + len; i++) {
			bytes += owner[i] != 0;
			whole += owner[i] && --left[owner[i]] == 0;
			owner[i] = 0;
		}
		assert_true(range_set_remove(&set, at, len, note, &seen) >= 0);
		if (rand() % 3 && next < 4096) {
			for (unsigned int i = at; i < at + len; i++)
				owner[i] = next;
			left[next] = len;
			assert_int_equal(range_set_add(&set, at, len, next++, 1), 0);
		}
		assert_int_equal(seen.bytes, bytes);
		assert_int_equal(seen.whole, whole);
		for (size_t i = 0; i < set.n; i++)
			for (uint64_t a = set.items[i].start; a < set.items[i].end; a++)
				assert_int_equal(owner[a], set.items[i].mapping->stack);
	}
	range_set_deinit(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hole_counts_once),
		cmocka_unit_test(test_take_and_restore),
		cmocka_unit_test(test_nonsense_is_harmless),
		cmocka_unit_test(test_random_against_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
