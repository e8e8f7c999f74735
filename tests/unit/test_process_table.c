// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "trace/process.h"

static struct traced_process *add(struct process_table *t, pid_t pid)
{
	struct traced_process *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->target = (struct target){ .pid = pid, .pidfd = -1 };
	p->state = PROCESS_TRACED;
	assert_int_equal(process_table_add(t, p), 0);
	return p;
}

static void drop(struct process_table *t, struct traced_process *p)
{
	process_table_remove(t, p);
	free(p);
}

static void test_finds_the_living(void **state)
{
	struct process_table t = { 0 };
	struct traced_process *first = add(&t, 7), *again;
	struct traced_process same = { .target = { .pid = 7 } };

	assert_ptr_equal(process_table_find(&t, 7), first);
	assert_null(process_table_find(&t, 8));
	assert_int_equal(process_table_add(&t, &same), -EEXIST);
	process_table_retire(&t, first);
	process_table_retire(&t, first);
	assert_int_equal(t.n_living, 0);
	assert_int_equal(t.n, 1);
	assert_null(process_table_find(&t, 7));
	assert_ptr_equal(process_table_latest(&t, 7), first);

	again = add(&t, 7);
	assert_ptr_equal(process_table_find(&t, 7), again);
	assert_ptr_equal(process_table_latest(&t, 7), again);
	drop(&t, first); /* that the id has led to it is over */
	assert_ptr_equal(process_table_find(&t, 7), again);
	drop(&t, again);
	assert_null(process_table_latest(&t, 7));
	assert_int_equal(t.n + t.n_living, 0);
	process_table_deinit(&t);
}

/* Handles stay, and whoever goes through the table meets all, also those who come meanwhile. */
static void test_walks_while_it_changes(void **state)
{
	enum { FIRST = 100, ALL = 10000 };
	struct process_table t = { 0 };
	struct traced_process *handles[ALL];
	int met = 0;

	for (int i = 0; i < FIRST; i++)
		handles[i] = add(&t, i + 1);
	process_foreach(p, &t) {
		assert_int_equal(p->target.pid, met + 1);
		if (t.n < ALL) {
			int i = (int)t.n;

			handles[i] = add(&t, i + 1);
		}
		if (met % 2)
			process_table_retire(&t, p);
		met++;
	}
	assert_int_equal(met, ALL);
	assert_int_equal(t.n_living, ALL / 2);
	for (int i = 0; i < ALL; i++)
		assert_ptr_equal(process_table_find(&t, i + 1), i % 2 ? NULL : handles[i]);
	for (int i = 0; i < ALL; i += 3) /* from the head, from the middle, and the tail */
		drop(&t, handles[i]);
	met = 0;
	process_foreach(p, &t) {
		assert_int_not_equal(p->target.pid % 3, 1);
		met++;
	}
	assert_int_equal(met, t.n);
	while (t.first)
		drop(&t, t.first);
	assert_null(t.last);
	process_table_deinit(&t);
}

/* Of thousands that come and go, none leaves anything behind. */
static void test_does_not_grow(void **state)
{
	struct process_table t = { 0 };
	size_t room = 0;

	for (pid_t pid = 1; pid < 50000; pid++) {
		struct traced_process *p = add(&t, pid);

		if (t.n > 20)
			drop(&t, t.first);
		process_table_retire(&t, p);
		if (pid == 100)
			room = t.by_pid.cap;
	}
	assert_int_equal(t.n, 20);
	assert_int_equal(t.by_pid.cap, room);
	while (t.first)
		drop(&t, t.first);
	process_table_deinit(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds_the_living),
		cmocka_unit_test(test_walks_while_it_changes),
		cmocka_unit_test(test_does_not_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
