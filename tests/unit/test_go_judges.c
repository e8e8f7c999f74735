// SPDX-License-Identifier: Apache-2.0
/* Goroutines are judged by a thread while others go on. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <unistd.h>
#include "go_leaks_fixture.h"
#include "runtime/go/judges.h"

#define PATIENCE_MS 10000

static struct gop process, same; /* of the thread, and of the caller: each counts who reads it */

static struct go_runtime *open_of(struct gop *p)
{
	const struct memory m = gop_memory(p);
	struct go_runtime *rt;
	struct err e = { "" };
	int fd = gop_fd(p);

	assert_true(fd >= 0);
	assert_int_equal(go_runtime_open_memory(&m, fd, 0, &rt, &e), 0);
	close(fd);
	gol_find(rt);
	return rt;
}

static int setup(void **state)
{
	gol_init(&process, go_layout_next(23, NULL), "go1.23.3");
	gol_init(&same, go_layout_next(23, NULL), "go1.23.3");
	return 0;
}

/* Whether all goroutines are said to be leaked, as of now. */
static bool all_leak(struct go_judge *j, struct go_runtime *rt)
{
	struct goroutine_list l = { 0 };
	struct go_leak_summary s;
	enum go_verdict v[16];

	assert_int_equal(goroutines_read(rt, &l), 0);
	assert_true(l.n > 0 && l.n <= ARRAY_SIZE(v));
	go_judge_verdicts(j, rt, &l, v, &s);
	goroutine_list_deinit(&l);
	return s.suspects && s.leaked == s.suspects;
}

static void is_certain_by_itself(void **state)
{
	struct go_runtime *rt = open_of(&same);
	struct go_judges *js;
	struct go_judge *one, *two;
	bool done = false;

	assert_int_equal(go_judges_create(&js), 0);
	assert_int_equal(go_judges_add(js, open_of(&process), &one), 0);
	assert_int_equal(go_judges_add(js, open_of(&process), &two), 0);
	for (unsigned int ms = 0; ms < PATIENCE_MS && !done; ms += 10) {
		usleep(10000);
		done = all_leak(one, rt) && all_leak(two, rt);
	}
	assert_true(done);
	go_judge_remove(one);
	assert_true(all_leak(two, rt));
	go_judge_remove(two);
	go_judges_destroy(js);
	go_runtime_close(rt);
}

/* The caller's own passes go on where those of the thread have ended. */
static void is_settled(void **state)
{
	struct go_runtime *rt = open_of(&same);
	struct go_judges *js;
	struct go_judge *j;
	struct err e = { "" };

	assert_int_equal(go_judges_create(&js), 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(go_judges_add(js, open_of(&process), &j), 0);
		usleep((useconds_t)i * 5000);
		assert_int_equal(go_judge_settle(j, NULL, &e), 0);
		assert_true(all_leak(j, rt));
		go_judge_remove(j);
	}
	go_judges_destroy(js);
	go_runtime_close(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(is_certain_by_itself, setup),
		cmocka_unit_test_setup(is_settled, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
