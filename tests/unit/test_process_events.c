// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "trace/tracer.h"
#include "trace/tracer_events.h"

#define PID 7

static void hear(struct tracer *t, uint32_t type, pid_t pid)
{
	struct lt_event_exec e = { .head = { .type = type, .tgid = (uint32_t)pid } };

	assert_int_equal(tracer_on_event(t, &e, sizeof(e)), 0);
}

static void test_in_order(void **state)
{
	static const struct process_event expected[] = {
		{ .type = EVENT_LOADED, .pid = PID }, { .type = EVENT_EXECED, .pid = PID },
		{ .type = EVENT_LOADED, .pid = PID + 1 }, { .type = EVENT_LOADED, .pid = PID },
	};
	struct tracer t = { 0 };

	hear(&t, LT_EVENT_LOADER, PID);
	for (int i = 0; i < 1000; i++) /* says nothing new */
		hear(&t, LT_EVENT_EXEC, PID);
	hear(&t, LT_EVENT_LOADER, PID + 1);
	hear(&t, LT_EVENT_LOADER, PID);
	assert_int_equal(t.events.n, 4);
	for (size_t i = 0; i < t.events.n; i++) {
		assert_int_equal(t.events.items[i].type, expected[i].type);
		assert_int_equal(t.events.items[i].pid, expected[i].pid);
	}
	vec_free(&t.events);
}

/* Nothing is done to a process when it is heard of, as somebody may be at it. */
static void test_handled_later(void **state)
{
	struct traced_process p = { .target = { .pid = PID, .pidfd = -1 }, .state = PROCESS_TRACED };
	struct tracer t = { 0 };

	assert_int_equal(process_table_add(&t.processes, &p), 0);
	hear(&t, LT_EVENT_LOADER, PID);
	hear(&t, LT_EVENT_SHARER, PID);
	hear(&t, LT_EVENT_UNKNOWN, PID + 1); /* of nobody */
	hear(&t, UINT32_MAX, PID);
	assert_false(p.loaded || p.sharing.due || p.modules_changed);
	tracer_handle_events(&t);
	assert_true(p.loaded && p.sharing.due && !p.modules_changed);
	assert_int_equal(t.events.n, 0);
	p.loaded = false;
	tracer_handle_events(&t);
	assert_false(p.loaded);

	hear(&t, LT_EVENT_LOADER, PID);
	process_table_retire(&t.processes, &p); /* it has ended meanwhile */
	tracer_handle_events(&t);
	assert_false(p.loaded);
	process_table_remove(&t.processes, &p);
	process_table_deinit(&t.processes);
	vec_free(&t.events);
}

static void test_nonsense(void **state)
{
	struct tracer t = { 0 };
	char byte = 0;

	assert_int_equal(tracer_on_event(&t, &byte, sizeof(byte)), 0);
	assert_int_equal(t.events.n + t.books.oom, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_handled_later),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
