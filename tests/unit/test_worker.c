// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/clock.h"
#include "probe/worker.h"

struct counter {
	struct worker worker;
	unsigned int n;
	bool ended, blocked;
};

static void *count(void *arg)
{
	struct counter *c = arg;
	sigset_t blocked;

	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	c->blocked = sigismember(&blocked, SIGINT) && sigismember(&blocked, SIGTERM);
	while (worker_wait(&c->worker, 1000000)) {
		worker_lock(&c->worker);
		c->n++;
		worker_unlock(&c->worker);
	}
	c->ended = true;
	return NULL;
}

static unsigned int counted(struct counter *c)
{
	unsigned int n;

	worker_lock(&c->worker);
	n = c->n;
	worker_unlock(&c->worker);
	return n;
}

static void test_now_and_then(void **state)
{
	const uint64_t begin = clock_now(), most = 60000000000ULL;
	struct counter c = { 0 };

	assert_int_equal(worker_start(&c.worker, count, &c), 0);
	while (counted(&c) < 20 && clock_now() - begin < most)
		sched_yield();
	assert_true(clock_now() - begin >= 20 * 1000000);
	worker_stop(&c.worker);
	assert_true(c.ended && c.n >= 20);
	assert_true(c.blocked); /* signals are for others */
}

static void *wait_long(void *arg)
{
	struct counter *c = arg;

	c->ended = !worker_wait(&c->worker, 3600000000000ULL);
	return NULL;
}

/* It does not wait to the end of its time. */
static void test_stops_at_once(void **state)
{
	struct counter c = { 0 };

	assert_int_equal(worker_start(&c.worker, wait_long, &c), 0);
	worker_stop(&c.worker);
	assert_true(c.ended);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_now_and_then),
		cmocka_unit_test(test_stops_at_once),
	};

	return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
