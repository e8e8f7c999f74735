// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "leak/books.h"

#define TGID 77

static void add(struct books *b, uint64_t id, unsigned int n)
{
	struct lt_event_stack e = { .head = { LT_EVENT_STACK, TGID }, .id = id, .n = (__u16)n };

	for (unsigned int i = 0; i < n; i++)
		e.frames[i] = id + i;
	books_event(b, &e, sizeof(e));
}

static void map(struct books *b, uint64_t stack, uint64_t addr, uint64_t len, uint32_t op)
{
	struct lt_event_range e = { .head = { LT_EVENT_RANGE, TGID },
				    .op = op, .addr = addr, .len = len, .stack = stack, .ns = 1 };

	books_event(b, &e, sizeof(e));
}

static void snapshot(struct books *b, const uint64_t *ids, size_t n)
{
	const struct lt_totals one = { 1, 10, 0, 0 };
	struct books_snapshot s;

	books_snapshot_begin(&s, b, 100, 0);
	for (size_t i = 0; i < n; i++) {
		books_snapshot_totals(&s, ids[i], &one);
		books_snapshot_holding(&s, ids[i], 10, 5);
	}
	books_snapshot_end(&s);
}

static void test_into_a_known_one(void **state)
{
	const uint64_t ids[] = { 1000, 2000, 3000 };
	struct books b = { 0 };

	for (int i = 0; i < 3; i++)
		add(&b, ids[i], 3);
	assert_int_equal(stack_table_merge(&b.stacks, 1000, 2000), 0);
	assert_int_equal(b.stacks.n, 2);
	assert_ptr_equal(stack_table_get(&b.stacks, 1000), stack_table_get(&b.stacks, 2000));
	assert_int_equal(stack_table_get(&b.stacks, 1000)->frames[0], 2000);
	assert_int_equal(stack_table_get(&b.stacks, 3000)->frames[0], 3000);
	snapshot(&b, ids, 3);
	assert_int_equal(stack_table_get(&b.stacks, 2000)->held, 2);
	assert_int_equal(stack_table_get(&b.stacks, 2000)->totals.acquired_amount, 20);
	assert_int_equal(stack_table_get(&b.stacks, 3000)->held_amount, 10);
	books_deinit(&b);
}

static void test_into_an_unknown_one(void **state)
{
	struct books b = { 0 };

	add(&b, 1000, 3);
	assert_int_equal(stack_table_merge(&b.stacks, 1000, 2000), 0);
	assert_int_equal(b.stacks.n, 1);
	assert_int_equal(stack_table_get(&b.stacks, 2000)->frames[0], 1000);
	assert_int_equal(stack_table_get(&b.stacks, 2000)->id, 2000);
	add(&b, 2000, 2); /* known by now */
	assert_int_equal(b.stacks.n, 1);
	books_deinit(&b);
}

/* The id that BPF gives to the same frames in several epochs. */
static void test_epochs(void **state)
{
	const uint64_t frames[] = { 0x7f0000001010, LT_FRAME(3, 0x2020), LT_FRAME(3, 0x3030) };
	struct lt_event_stack e = { .head = { LT_EVENT_STACK, TGID }, .kind = LT_KIND_MEMORY, .via = 5, .n = 3 };
	const uint64_t seed = lt_stack_seed(TGID, LT_KIND_MEMORY, 5);
	struct stack_table t = { 0 };
	uint64_t hash = 0, ids[3];
	uint32_t epoch;

	for (int i = 0; i < 3; i++) {
		e.frames[i] = frames[i];
		hash = lt_hash_frame(hash, frames[i]);
	}
	for (uint32_t k = 0; k < 3; k++) {
		e.id = ids[k] = lt_stack_id(hash, seed ^ lt_stack_epoch(k));
		assert_int_equal(stack_table_add(&t, &e, sizeof(e)), 0);
	}
	assert_int_equal(t.n, 3);
	for (uint32_t k = 0; k < 3; k++) {
		assert_int_equal(stack_common_id(stack_table_get(&t, ids[k]), 2, &epoch), ids[0]);
		assert_int_equal(epoch, k);
	}
	assert_int_equal(stack_common_id(stack_table_get(&t, ids[2]), 1, &epoch), 0); /* it is of the future */
	assert_int_equal(stack_table_merge(&t, ids[2], ids[0]), 0);
	assert_int_equal(stack_table_merge(&t, ids[1], ids[2]), 0);
	assert_int_equal(t.n, 1);
	for (uint32_t k = 0; k < 3; k++)
		assert_ptr_equal(stack_table_get(&t, ids[k]), &t.items[0]);
	assert_int_equal(t.items[0].ids, 3);
	stack_table_deinit(&t);
}

static void test_what_is_nothing(void **state)
{
	struct books b = { 0 };

	add(&b, 1000, 3);
	assert_int_equal(stack_table_merge(&b.stacks, 1, 1000), 0);
	assert_int_equal(stack_table_merge(&b.stacks, 1000, 1000), 0);
	assert_int_equal(b.stacks.n, 1);
	assert_null(stack_table_get(&b.stacks, 1));
	books_deinit(&b);
}

/* Several become one, whichever was first; ids that led to any of them lead to it. */
static void test_chains(void **state)
{
	struct books b = { 0 };

	for (uint64_t id = 1; id <= 100; id++)
		add(&b, id * 1000, 2);
	for (uint64_t id = 1; id < 100; id++)
		assert_int_equal(stack_table_merge(&b.stacks, id * 1000, (id + 1) * 1000), 0);
	assert_int_equal(b.stacks.n, 1);
	for (uint64_t id = 1; id <= 100; id++)
		assert_int_equal(stack_table_get(&b.stacks, id * 1000)->frames[1], 100001);
	books_deinit(&b);
}

/* Mappings are booked in user space, under the id that they came with. */
static void test_mappings_move_along(void **state)
{
	struct books b = { 0 };

	add(&b, 1000, 3);
	map(&b, 1000, 0x10000, 0x3000, LT_RANGE_MAP);
	add(&b, 2000, 3);
	map(&b, 2000, 0x20000, 0x1000, LT_RANGE_MAP);
	assert_int_equal(stack_table_merge(&b.stacks, 1000, 2000), 0);
	map(&b, 0, 0x10000, 0x3000, LT_RANGE_UNMAP);
	snapshot(&b, NULL, 0);
	assert_int_equal(stack_table_get(&b.stacks, 2000)->totals.acquired_amount, 0x4000);
	assert_int_equal(stack_table_get(&b.stacks, 2000)->totals.released_amount, 0x3000);
	assert_int_equal(stack_table_get(&b.stacks, 2000)->held_amount, 0x1000);
	books_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_into_a_known_one),
		cmocka_unit_test(test_into_an_unknown_one),
		cmocka_unit_test(test_epochs),
		cmocka_unit_test(test_what_is_nothing),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_mappings_move_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
