// SPDX-License-Identifier: Apache-2.0
/* Recursion in a stack: what BPF has left out is put in place, and one form is made of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "leak/recursion.h"
#include "report/fold.h"

#define MAX 1000

struct frames {
	uint64_t at[MAX];
	size_t n;
};

static void add(struct frames *f, uint64_t frame)
{
	assert_in_range(f->n, 0, MAX - 1);
	f->at[f->n++] = frame;
}

/* So many frames of a cycle 1, 2, ... that begins in its middle. */
static void add_cycle(struct frames *f, size_t period, size_t from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add(f, 1 + (from + i) % period);
}

/* Leaf, cycle, outermost, folded. */
static void expect_folded(const uint64_t *words, size_t n, size_t period, size_t from, size_t cycle)
{
	struct frames want = { 0 };

	add(&want, 100);
	add_cycle(&want, period, from, period);
	add(&want, FRAME_REPEAT(period, (cycle - period) / period));
	add_cycle(&want, period, from, (cycle - period) % period);
	add(&want, 200);
	assert_int_equal(n, want.n);
	assert_memory_equal(words, want.at, n * sizeof(*words));
}

/* Wherever it begins and ends, and whether BPF has left something out or not. */
static void test_one_form(void **state)
{
	for (size_t period = 1; period <= LT_CYCLE_MAX; period++) {
		for (size_t cycle = LT_CYCLE_FRAMES + period; cycle < 300; cycle++) {
			const size_t from = cycle % period, first = cycle % 50;
			struct frames all = { 0 }, left = { 0 };
			uint64_t *words;
			size_t n;

			add(&all, 100);
			add_cycle(&all, period, from, cycle);
			add(&all, 200);
			assert_int_equal(recursion_fold_event(all.at, all.n, 1, &words, &n), 0);
			expect_folded(words, n, period, from, cycle);
			assert_int_equal(recursion_fold(words, n, 1), n);
			free(words);
			add(&left, 100);
			add_cycle(&left, period, from, first);
			add(&left, LT_LEFT_OUT(period, cycle - first - period));
			add_cycle(&left, period, from + cycle - period, period);
			add(&left, 200);
			assert_int_equal(recursion_fold_event(left.at, left.n, 1, &words, &n), 0);
			expect_folded(words, n, period, from, cycle);
			free(words);
		}
	}
}

/* A recursion that is not deep stays, as does a cycle of too many functions. */
static void test_not_folded(void **state)
{
	struct frames f = { 0 };

	add_cycle(&f, 1, 0, LT_CYCLE_FRAMES);
	add(&f, 100);
	add_cycle(&f, 3, 0, LT_CYCLE_FRAMES + 2);
	add(&f, 100);
	add_cycle(&f, LT_CYCLE_MAX + 1, 0, 300);
	assert_int_equal(recursion_fold(f.at, f.n, 1), f.n);
	assert_int_equal(recursion_fold(f.at, 0, 1), 0);
}

static void test_nonsense(void **state)
{
	const uint64_t bad[][3] = {
		{ 1, 2, LT_LEFT_OUT(1, 60) },	 /* nothing goes on behind it */
		{ 1, LT_LEFT_OUT(2, 60), 2 },	 /* too little */
		{ LT_LEFT_OUT(0, 60), 1, 2 },
		{ LT_LEFT_OUT(LT_CYCLE_MAX + 1, 60), 1, 2 },
		{ LT_LEFT_OUT(1, 0xffffffff), 1, 2 },
	};
	uint64_t *words = NULL;
	size_t n;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(recursion_fold_event(bad[i], 3, 1, &words, &n), -EBADMSG);
	assert_null(words);
	assert_int_equal(recursion_fold_event(bad[0], 0, 1, &words, &n), 0);
	assert_int_equal(n, 0);
	free(words);
}

/* With what is inlined, in which frames of one address differ. */
static void test_report_frames(void **state)
{
	struct frame_vec v = { 0 };

	assert_int_equal(vec_push(&v, (struct report_frame){ .function = "leaf" }), 0);
	for (int i = 0; i < 71; i++) {
		assert_int_equal(vec_push(&v, (struct report_frame){ "a", .offset = 1, .inlined = true }), 0);
		assert_int_equal(vec_push(&v, (struct report_frame){ "b", .offset = 1 }), 0);
	}
	assert_int_equal(vec_push(&v, (struct report_frame){ "a", .offset = 2, .inlined = true }), 0);
	fold_frames(&v);
	assert_int_equal(v.n, 4);
	assert_int_equal(v.items[1].repeats, 0);
	assert_string_equal(v.items[2].function, "b");
	assert_int_equal(v.items[2].repeats, 70);
	assert_int_equal(v.items[2].cycle, 2);
	assert_int_equal(v.items[3].offset, 2);
	assert_int_equal(v.items[3].cycle, 0);
	vec_free(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_form),
		cmocka_unit_test(test_not_folded),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_report_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
