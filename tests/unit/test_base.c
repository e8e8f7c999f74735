// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/hashmap.h"
#include "base/reader.h"
#include "base/strbuf.h"

static void test_hashmap_many(void **state)
{
	struct hashmap m = { 0 };

	assert_null(hashmap_get(&m, 0));
	for (uint64_t i = 0; i < 10000; i++)
		assert_int_equal(hashmap_put(&m, i << 32, i), 0);
	assert_int_equal(hashmap_put(&m, 5ULL << 32, 42), 0);
	assert_int_equal(m.n, 10000);
	for (uint64_t i = 0; i < 10000; i++)
		assert_int_equal(*hashmap_get(&m, i << 32), i == 5 ? 42 : i);
	assert_null(hashmap_get(&m, 1));
	hashmap_deinit(&m);
}

/* Against an array that has the same, at many loads and in an order without a pattern. */
static void test_hashmap_removes(void **state)
{
	static uint64_t mirror[4096]; /* 0: not there */
	const size_t n = sizeof(mirror) / sizeof(mirror[0]);
	struct hashmap m = { 0 };
	uint64_t random = 1;
	size_t there = 0;

	assert_false(hashmap_remove(&m, 1));
	for (uint64_t i = 1; i < 200000; i++) {
		size_t key;

		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		key = (random >> 33) % n;
		if (mirror[key] && (i / 20000 % 2 || random >> 63)) {
			assert_true(hashmap_remove(&m, key << 32));
			mirror[key] = 0;
			there--;
		} else if (!(i / 20000 % 2)) {
			assert_int_equal(hashmap_put(&m, key << 32, i), 0);
			there += !mirror[key];
			mirror[key] = i;
		} else {
			assert_false(hashmap_remove(&m, key << 32));
		}
		assert_int_equal(m.n, there);
		if (i % 1000)
			continue;
		for (key = 0; key < n; key++) {
			const uint64_t *value = hashmap_get(&m, key << 32);

			assert_int_equal(value ? *value : 0, mirror[key]);
		}
	}
	hashmap_deinit(&m);
}

/* Keys that come and go for ever take no more room than those that are there at a time. */
static void test_hashmap_stays_small(void **state)
{
	struct hashmap m = { 0 };

	for (uint64_t i = 0; i < 100000; i++) {
		assert_int_equal(hashmap_put(&m, i, i), 0);
		if (i >= 40)
			assert_true(hashmap_remove(&m, i - 40));
	}
	assert_int_equal(m.n, 40);
	assert_int_equal(m.cap, 64);
	hashmap_deinit(&m);
}

static void test_reader_stops_at_the_end(void **state)
{
	static const uint8_t bytes[] = { 0xe5, 0x8e, 0x26, 0x7f, 'a', 'b', 0, 'c' };
	struct reader r = reader_make(bytes, sizeof(bytes));

	assert_int_equal(reader_uleb128(&r), 624485); /* the example of the DWARF standard */
	assert_int_equal(reader_sleb128(&r), -1);
	assert_string_equal(reader_cstr(&r), "ab");
	assert_null(reader_cstr(&r));
	assert_true(r.bad);
	assert_int_equal(reader_u32(&r), 0);

	r = reader_make(bytes, 3);
	assert_int_equal(reader_u32(&r), 0);
	assert_true(r.bad);
	r = reader_make(bytes, 3);
	assert_true(reader_sub(&r, 4).bad);
	r = reader_make(bytes, 4);
	assert_int_equal(reader_u32(&r), 0x7f268ee5);
	assert_false(r.bad);
}

static void test_strbuf_grows(void **state)
{
	struct strbuf b = { 0 };
	char *s;

	for (int i = 0; i < 1000; i++)
		strbuf_addf(&b, "%03d,", i);
	assert_int_equal(b.n, 4000);
	s = strbuf_steal(&b);
	assert_memory_equal(s + 3996, "999,", 5);
	free(s);
	s = strbuf_steal(&b);
	assert_string_equal(s, "");
	free(s);
}

static void test_arena_keeps_blocks_apart(void **state)
{
	struct arena a = { 0 };
	char *first = arena_strdup(&a, "first"), *big = arena_alloc(&a, 200000);
	char *last = arena_strdup(&a, "last");

	memset(big, 'x', 200000);
	assert_string_equal(first, "first");
	assert_string_equal(last, "last");
	assert_null(arena_strdup(&a, NULL));
	assert_int_equal((uintptr_t)arena_alloc(&a, 1) % sizeof(max_align_t), 0);
	arena_deinit(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hashmap_many),
		cmocka_unit_test(test_hashmap_removes),
		cmocka_unit_test(test_hashmap_stays_small),
		cmocka_unit_test(test_reader_stops_at_the_end),
		cmocka_unit_test(test_strbuf_grows),
		cmocka_unit_test(test_arena_keeps_blocks_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
