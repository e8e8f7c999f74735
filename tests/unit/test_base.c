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
		cmocka_unit_test(test_reader_stops_at_the_end),
		cmocka_unit_test(test_strbuf_grows),
		cmocka_unit_test(test_arena_keeps_blocks_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
