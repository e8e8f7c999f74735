// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "go_heap_fixture.h"

static const struct go_heap_record *record_of(const struct go_heap *heap, unsigned int bucket)
{
	vec_foreach(rec, heap)
		if (rec->n_pcs && heap->pcs.items[rec->pcs] == 0x400000 + bucket * 0x1000)
			return rec;
	return NULL;
}

/* What counts: active, and the future of the current cycle. */
static void test_cycles(void **state)
{
	static const struct counts counts[4] = { { 10, 3 }, { 100, 30 }, { 1000, 300 }, { 10000, 3000 } };

	for (size_t i = 0; i < ARRAY_SIZE(releases); i++) {
		struct go_area *a = go_area_make();
		struct go_runtime rt = go_area_runtime(a, releases[i]);
		struct go_heap heap = { 0 };

		go_area_put(a, AT_HEAD, go_area_bucket(&rt, a, 0, 1024, 3, 0, counts), 8);
		for (unsigned int cycle = 0; cycle < 6; cycle++) {
			const struct counts *now = &counts[1 + cycle % 3];

			go_area_put(a, AT_CYCLE, cycle << 1 | (cycle & 1), 4);
			assert_int_equal(go_heap_read_profile(&rt, &heap), 0);
			assert_int_equal(heap.n, 1);
			assert_int_equal(heap.items[0].n_pcs, 3);
			assert_int_equal(heap.items[0].alloc_objects, 10 + now->allocs);
			assert_int_equal(heap.items[0].free_objects, 3 + now->frees);
			assert_int_equal(heap.items[0].alloc_bytes, 1024 * (10 + now->allocs));
			assert_int_equal(heap.items[0].free_bytes, 1024 * (3 + now->frees));
		}
		go_heap_deinit(&heap);
		free(a);
	}
}

/* Before the first collection all is in the future, and all of it counts. */
static void test_no_collection_yet(void **state)
{
	static const struct counts counts[4] = { { 0, 0 }, { 0, 0 }, { 5, 1 }, { 7, 0 } };
	struct go_area *a = go_area_make();
	struct go_runtime rt = go_area_runtime(a, 23);
	struct go_heap heap = { 0 };

	go_area_put(a, AT_HEAD, go_area_bucket(&rt, a, 0, 64, 1, 0, counts), 8);
	assert_int_equal(go_heap_read_profile(&rt, &heap), 0);
	assert_int_equal(heap.items[0].alloc_objects, 12);
	assert_int_equal(heap.items[0].free_objects, 1);
	go_heap_deinit(&heap);
	free(a);
}

/* As runtime/pprof scales it; what makes no sense is not in use. */
static void test_scale(void **state)
{
	const struct {
		uint64_t rate, size;
		struct counts counts;
		double objects;
	} cases[] = {
		{ 524288, 1024, { 2, 0 }, 2 / (1 - exp(-1024.0 / 524288)) },
		{ 524288, 1048576, { 7, 4 }, 3 / (1 - exp(-2.0)) },
		{ 1, 1024, { 9, 2 }, 7 },
		{ 524288, 1024, { 2, 2 }, 0 },
		{ 524288, 1024, { 2, 3 }, 0 },
		{ 524288, 0, { 2, 1 }, 0 },
		{ UINT64_MAX, 1024, { 2, 1 }, 1 / (1 - exp(-1024.0 / (double)UINT64_MAX)) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct counts counts[4] = { cases[i].counts };
		struct go_area *a = go_area_make();
		struct go_runtime rt = go_area_runtime(a, 22);
		struct go_heap heap = { 0 };

		go_area_put(a, AT_RATE, cases[i].rate, 8);
		go_area_put(a, AT_HEAD, go_area_bucket(&rt, a, 0, cases[i].size, 1, 0, counts), 8);
		assert_int_equal(go_heap_read_profile(&rt, &heap), 0);
		if (cases[i].rate != UINT64_MAX)
			assert_true(is_near(heap.items[0].inuse_objects, cases[i].objects));
		if (cases[i].rate != UINT64_MAX)
			assert_true(is_near(heap.items[0].inuse_bytes,
					    cases[i].objects * (double)cases[i].size));
		go_heap_deinit(&heap);
		free(a);
	}
}

/* Only what is new is walked to, and what is known is not read again but for its counts. */
static void test_new_heads(void **state)
{
	static const struct counts counts[4] = { { 1, 0 } }, more[4] = { { 2, 0 } };
	struct go_area *a = go_area_make();
	struct go_runtime rt = go_area_runtime(a, 27);
	struct go_heap heap = { 0 };
	uint64_t at = 0;
	unsigned int first;

	for (unsigned int i = 0; i < 16; i++)
		at = go_area_bucket(&rt, a, i, 32, 1 + i, at, counts);
	go_area_put(a, AT_HEAD, at, 8);
	assert_int_equal(go_heap_read_profile(&rt, &heap), 0);
	assert_int_equal(heap.n, 16);
	first = a->reads;
	go_area_bucket(&rt, a, 3, 32, 4, AT_BUCKETS + 2 * BUCKET_ROOM, more);
	at = go_area_bucket(&rt, a, 16, 32, 17, at, counts);
	go_area_put(a, AT_HEAD, at, 8);
	a->reads = 0;
	assert_int_equal(go_heap_read_profile(&rt, &heap), 0);
	assert_int_equal(heap.n, 17);
	assert_in_range(a->reads, 1, first / 2 + 10);
	assert_int_equal(record_of(&heap, 3)->alloc_objects, 2);
	assert_int_equal(record_of(&heap, 4)->alloc_objects, 1);
	for (unsigned int i = 0; i < 17; i++)
		assert_int_equal(record_of(&heap, i)->n_pcs, i + 1);
	go_heap_deinit(&heap);
	free(a);
}

static void test_no_profile(void **state)
{
	struct go_area *a = go_area_make();
	struct go_runtime rt = go_area_runtime(a, 23);
	struct go_heap heap = { 0 };

	assert_int_equal(go_heap_read_profile(&rt, &heap), 0);
	assert_int_equal(heap.n, 0);
	go_area_put(a, AT_RATE, 0, 8);
	assert_int_equal(go_heap_read_profile(&rt, &heap), -ENODATA);
	rt.at.mem_profile_rate = 0;
	assert_int_equal(go_heap_read_profile(&rt, &heap), 0); /* it is linked with what reads it */
	rt.keeps_profile = false;
	assert_int_equal(go_heap_read_profile(&rt, &heap), -ENODATA);
	rt.keeps_profile = true;
	rt.at.mbuckets = 0;
	assert_int_equal(go_heap_read_profile(&rt, &heap), -EOPNOTSUPP);
	go_heap_deinit(&heap);
	free(a);
}

static void test_hostile_profile(void **state)
{
	static const uint64_t too_many[] = { GO_BUCKET_PCS_MAX + 1, 1ULL << 40, UINT64_MAX };
	static const struct counts counts[4] = { { 1, 0 } };
	struct go_area *a = go_area_make();
	struct go_runtime rt = go_area_runtime(a, 25);
	struct go_heap heap = { 0 };
	uint64_t at = go_area_bucket(&rt, a, 0, 32, 2, 0, counts);

	/* the stack is longer than stacks are: the bucket is left out, not what comes behind it */
	for (size_t i = 0; i < ARRAY_SIZE(too_many); i++) {
		go_area_put(a, go_area_bucket(&rt, a, 1, 32, 1, at, counts) + rt.layout->bucket.nstk,
			    too_many[i], 8);
		go_area_put(a, AT_HEAD, AT_BUCKETS + BUCKET_ROOM, 8);
		assert_int_equal(go_heap_read_profile(&rt, &heap), 0);
		assert_int_equal(heap.n, 1);
		assert_int_equal(heap.torn, 1);
		go_heap_deinit(&heap);
	}

	/* the list leads nowhere; and when it is whole again */
	go_area_bucket(&rt, a, 1, 32, 1, 0x10, counts);
	assert_int_equal(go_heap_read_profile(&rt, &heap), 0);
	assert_int_equal(heap.n, 0);
	assert_int_equal(heap.torn, 1);
	go_area_bucket(&rt, a, 1, 32, 1, at, counts);
	assert_int_equal(go_heap_read_profile(&rt, &heap), 0);
	assert_int_equal(heap.n, 2);
	assert_int_equal(heap.torn, 0);
	go_heap_deinit(&heap);

	/* the list is endless */
	go_area_bucket(&rt, a, 0, 32, 2, AT_BUCKETS + BUCKET_ROOM, counts);
	assert_int_equal(go_heap_read_profile(&rt, &heap), 0);
	assert_int_equal(heap.n, GO_BUCKETS_MAX);
	assert_true(heap.cut);
	go_heap_deinit(&heap);

	/* collections never cease */
	go_area_bucket(&rt, a, 0, 32, 2, 0, counts);
	a->restless = true;
	assert_int_equal(go_heap_read_profile(&rt, &heap), 0);
	assert_int_equal(heap.n, 2);
	go_heap_deinit(&heap);
	free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cycles),
		cmocka_unit_test(test_no_collection_yet),
		cmocka_unit_test(test_scale),
		cmocka_unit_test(test_new_heads),
		cmocka_unit_test(test_no_profile),
		cmocka_unit_test(test_hostile_profile),
	};

	return cmocka_run_group_tests_name("go_heap", tests, NULL, NULL);
}
