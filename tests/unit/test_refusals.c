// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "app/refusals.h"

#define MS 1000000ULL

static void put(struct refusals *r, pid_t pid, const char *why, uint64_t now_ns)
{
	assert_int_equal(refusals_put(r, pid, why, now_ns), 0);
}

static void keep(struct refusals *r, uint64_t *pids, size_t n)
{
	refusals_keep(r, &(struct number_vec){ .items = pids, .n = n });
}

static uint64_t count_of(const struct refusals *r, const char *why)
{
	vec_foreach(reason, &r->reasons)
		if (!strcmp(reason->why, why))
			return reason->count;
	return 0;
}

/* The reason of several processes is one, whatever their numbers are. */
static void test_reasons(void **state)
{
	struct refusals r = { 0 };

	put(&r, 30, "pid 30: no memory", 0);
	put(&r, 7, "pid 7: no memory", 0);
	put(&r, 9, "pid 9 has no mind", 0);
	put(&r, 8, "pid of nobody", 0);
	put(&r, 12, NULL, 0);
	assert_int_equal(r.reasons.n, 3);
	assert_int_equal(count_of(&r, "no memory"), 2);
	assert_int_equal(count_of(&r, "has no mind"), 1);
	assert_int_equal(count_of(&r, "pid of nobody"), 1);
	assert_int_equal(r.n, 5);
	for (size_t i = 1; i < r.n; i++)
		assert_true(r.items[i - 1].who.pid < r.items[i].who.pid);
	assert_int_equal(refusals_find(&r, 12)->reason, 0);
	assert_null(refusals_find(&r, 13));

	/* the same once more; for another reason; and not at all */
	put(&r, 7, "pid 7: no memory", 0);
	put(&r, 9, "pid 9: no memory", 0);
	assert_int_equal(count_of(&r, "no memory"), 3);
	assert_int_equal(count_of(&r, "has no mind"), 0);
	refusals_drop(&r, 30);
	refusals_drop(&r, 30);
	refusals_drop(&r, 12);
	assert_null(refusals_find(&r, 30));
	assert_int_equal(r.n, 3);
	assert_int_equal(count_of(&r, "no memory"), 2);

	/* what is gone was counted */
	assert_int_equal(refusals_count(&r, "no memory"), 0);
	keep(&r, (uint64_t[]){ 1, 8, 30 }, 3);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.items[0].who.pid, 8);
	keep(&r, NULL, 0);
	assert_int_equal(r.n, 0);
	assert_int_equal(count_of(&r, "no memory"), 3);
	refusals_deinit(&r);
}

/* Whoever it is for so long, and no oftener than every few seconds. */
static void test_asked_again(void **state)
{
	struct refusals r = { 0 };
	uint64_t now = 1000 * MS, last = 0;

	for (int i = 0; i < 20; i++) {
		put(&r, 7, "pid 7: no memory", now);
		assert_true(r.items[0].again_ns - now >= last);
		last = r.items[0].again_ns - now;
		now = r.items[0].again_ns;
	}
	assert_true(last >= 1000 * MS && last <= 5000 * MS);
	assert_int_equal(count_of(&r, "no memory"), 1);
	refusals_drop(&r, 7);
	put(&r, 7, "pid 7: no memory", now);
	assert_true(r.items[0].again_ns - now <= 100 * MS);
	refusals_deinit(&r);
}

/* Who they are is known where there is somebody. */
static void test_who(void **state)
{
	struct refusals r = { 0 };
	struct refusal *own;

	put(&r, getpid(), "no memory", 0);
	put(&r, 0x7fffffff, "no memory", 0);
	own = refusals_find(&r, getpid());
	assert_string_equal(own->who.comm, "test_refusals");
	assert_null(refusals_find(&r, 0x7fffffff)->who.comm);
	refusals_deinit(&r);
}

/* There may be any number of reasons, but not in a report. */
static void test_many_reasons(void **state)
{
	struct refusals r = { 0 };
	uint64_t n = 0;
	char why[64];

	for (int i = 1; i <= 1000; i++) {
		snprintf(why, sizeof(why), "pid %d: reason %d", i, i);
		put(&r, i, why, 0);
	}
	put(&r, 1, "pid 1: reason 1", 0);
	put(&r, 1000, "pid 1000: reason 1000", 0);
	assert_true(r.reasons.n > 10 && r.reasons.n < 100);
	vec_foreach(reason, &r.reasons)
		n += reason->count;
	assert_int_equal(n, 1000);
	assert_int_equal(count_of(&r, "reason 1"), 1);
	refusals_deinit(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_asked_again),
		cmocka_unit_test(test_who),
		cmocka_unit_test(test_many_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
