// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/undo.h"

/* What has been undone, in turn. */
struct log {
	int what[8];
	int n;
};

static void note(uintptr_t log, uint64_t what)
{
	struct log *l = (struct log *)log;

	l->what[l->n++] = (int)what;
}

static void add(struct undo_list *l, struct log *log, uint64_t what)
{
	undo_begin(l);
	assert_int_equal(undo_add(l, note, (uintptr_t)log, what), 0);
	undo_end(l);
}

static void drop(struct undo_list *l, struct log *log, uint64_t what)
{
	undo_begin(l);
	undo_drop(l, note, (uintptr_t)log, what);
	undo_end(l);
}

static void test_the_latest_is_undone_first(void **state)
{
	struct undo_list l = UNDO_LIST_NONE;
	struct log log = { .n = 0 };

	for (uint64_t i = 1; i <= 3; i++)
		add(&l, &log, i);
	undo_all(&l);
	assert_int_equal(log.n, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(log.what[i], 3 - i);
	pthread_mutex_unlock(&l.lock);
	undo_list_deinit(&l);
}

static void test_what_was_dropped_stays(void **state)
{
	struct undo_list l = UNDO_LIST_NONE;
	struct log log = { .n = 0 }, other = { .n = 0 };

	add(&l, &log, 1);
	add(&l, &other, 1);
	add(&l, &log, 2);
	drop(&l, &log, 1);
	drop(&l, &log, 7); /* which is not there */
	undo_all(&l);
	assert_int_equal(log.n, 1);
	assert_int_equal(log.what[0], 2);
	assert_int_equal(other.n, 1);
	pthread_mutex_unlock(&l.lock);
	undo_list_deinit(&l);
}

static void *undo_in_thread(void *list)
{
	undo_all(list);
	return NULL;
}

/* What has begun is waited for, and is undone. */
static void test_what_has_begun_is_whole(void **state)
{
	struct undo_list l = UNDO_LIST_NONE;
	struct log log = { .n = 0 };
	pthread_t thread;

	undo_begin(&l);
	assert_int_equal(pthread_create(&thread, NULL, undo_in_thread, &l), 0);
	usleep(30000);
	assert_int_equal(log.n, 0);
	assert_int_equal(undo_add(&l, note, (uintptr_t)&log, 5), 0);
	undo_end(&l);
	pthread_join(thread, NULL);
	assert_int_equal(log.n, 1);
	vec_free(&l);
}

/* One that hangs there keeps nothing else from being undone. */
static void test_what_hangs_is_not_waited_for(void **state)
{
	struct undo_list l = UNDO_LIST_NONE;
	struct log log = { .n = 0 };
	pthread_t thread;

	add(&l, &log, 1);
	undo_begin(&l);
	assert_int_equal(pthread_create(&thread, NULL, undo_in_thread, &l), 0);
	pthread_join(thread, NULL);
	assert_int_equal(log.n, 1);
	undo_end(&l);
	undo_list_deinit(&l);
}

static void test_no_list(void **state)
{
	undo_begin(NULL);
	assert_int_equal(undo_add(NULL, note, 0, 0), 0);
	undo_drop(NULL, note, 0, 0);
	undo_end(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_latest_is_undone_first),
		cmocka_unit_test(test_what_was_dropped_stays),
		cmocka_unit_test(test_what_has_begun_is_whole),
		cmocka_unit_test(test_what_hangs_is_not_waited_for),
		cmocka_unit_test(test_no_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
