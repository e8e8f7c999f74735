// SPDX-License-Identifier: Apache-2.0
/* Python frames among native ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <leaktrace/python.h>
#include "leak/books.h"
#include "report/python.h"

#define PY   "/usr/bin/python3"
#define RUNS { .function = "_PyEval_EvalFrameDefault", .module = PY }
#define CALL { .function = "PyObject_Call", .module = PY }

static struct report_frame natives[] = {
	{ .function = "connect", .module = "/lib/libc.so.6" },
	{ .function = "sock_connect", .module = "/usr/lib/python3/lib-dynload/_socket.so" },
	CALL, RUNS, CALL,
	{ .function = "compare", .module = "/srv/own.so" },
	CALL, RUNS,
	{ .function = "main", .module = PY },
	{ .function = "__libc_start_main", .module = "/lib/libc.so.6" },
};

/* Frames of these functions; those with an exclamation mark behind are called by C, "?" has no name. */
static struct stack stack_of(const char *const *names, size_t n, struct python_frame *frames)
{
	for (size_t i = 0; i < n; i++) {
		char *name = strdup(names[i]), *mark = strchr(name, '!');

		frames[i] = (struct python_frame){ .function = name, .file = "a.py", .line = (unsigned int)i,
						   .entry = mark };
		if (mark)
			*mark = '\0';
		if (!strcmp(name, "?")) {
			frames[i].function = frames[i].file = NULL;
			free(name);
		}
	}
	return (struct stack){ .python = frames, .n_python = (unsigned int)n };
}

static void expect(const char *const *names, size_t n, bool all, const char *want)
{
	struct frame_vec native = { .items = natives, .n = sizeof(natives) / sizeof(*natives) };
	struct frame_vec mixed = { 0 };
	struct python_frame frames[8];
	struct stack s = stack_of(names, n, frames);
	struct arena arena = { 0 };
	char got[1024] = "";

	assert_int_equal(python_mix(&s, PY, &native, all, &arena, &mixed), 0);
	vec_foreach(f, &mixed)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", *got ? " " : "", f->function);
	assert_string_equal(got, want);
	vec_free(&mixed);
	arena_deinit(&arena);
	for (size_t i = 0; i < n; i++)
		free((void *)(uintptr_t)frames[i].function);
}

#define EXPECT(all, want, ...)                                            \
	do {                                                              \
		static const char *const names[] = { __VA_ARGS__ };       \
		expect(names, sizeof(names) / sizeof(*names), all, want); \
	} while (0)

static void test_between_native_frames(void **state)
{
	EXPECT(false, "connect a b compare c d __libc_start_main", "a", "b!", "c", "d!");
	EXPECT(false, "connect a compare b __libc_start_main", "a!", "b!");
	EXPECT(false, "connect a compare b __libc_start_main", "a!", "?", "b!");
}

static void test_with_all_frames(void **state)
{
	EXPECT(true, "connect sock_connect PyObject_Call a _PyEval_EvalFrameDefault PyObject_Call compare "
		     "PyObject_Call b _PyEval_EvalFrameDefault main __libc_start_main", "a!", "b!");
}

static void test_more_or_fewer_than_there_should_be(void **state)
{
	EXPECT(false, "connect a compare b c d __libc_start_main", "a!", "b!", "c!", "d");
	EXPECT(false, "connect a compare __libc_start_main", "a!");
	EXPECT(false, "connect a b compare __libc_start_main", "a", "b");
}

static void test_events(void **state)
{
	struct lt_event_stack e = { .head = { LT_EVENT_STACK, 1 }, .id = 5, .kind = LT_KIND_FD, .n = 1,
				    .n_python = 2,
				    .frames = { 7, 0x1000, 0x1010, 0x2000, 0x2010 | LT_PYTHON_AFTER_C } };
	size_t size = offsetof(struct lt_event_stack, frames) + 5 * sizeof(e.frames[0]);
	struct stack_table t = { 0 };
	struct lt_event_stack again = { .n = 2, .id = 9 };
	struct stack *s;

	assert_int_equal(stack_table_add(&t, &e, size - 1), -EBADMSG);
	assert_int_equal(stack_table_add(&t, &e, size), 0);
	s = stack_table_get(&t, 5);
	assert_int_equal(s->n_python, 2);
	assert_int_equal(s->python[0].code, 0x1000);
	assert_int_equal(s->python[0].instr, 0x1010);
	assert_true(s->python[0].entry);
	assert_int_equal(s->python[1].instr, 0x2010);
	assert_false(s->python[1].entry);
	stack_python_again(s, &again);
	assert_int_equal(again.n_python, 2);
	assert_memory_equal(again.frames + 2, e.frames + 1, 4 * sizeof(e.frames[0]));
	assert_int_equal(again.id, lt_hash_frame(lt_hash_frame(lt_hash_frame(lt_hash_frame(9, 0x1000),
									 0x1010),
							   0x2000), 0x2010 | LT_PYTHON_AFTER_C));
	e.id = 6;
	e.n = LT_MAX_FRAMES - 3;
	assert_int_equal(stack_table_add(&t, &e, sizeof(e)), -EBADMSG);
	/* what was walked again takes over the names */
	again.head.tgid = 1;
	again.kind = LT_KIND_FD;
	assert_int_equal(stack_table_add(&t, &again, sizeof(again)), 0);
	s = stack_table_get(&t, 5);
	s->python_module = 3;
	s->python[0].function = "f";
	assert_int_equal(stack_table_merge(&t, 5, again.id), 0);
	assert_int_equal(t.n, 1);
	assert_int_equal(stack_table_get(&t, 5)->n, 2);
	assert_int_equal(stack_table_get(&t, 5)->python_module, 3);
	assert_string_equal(stack_table_get(&t, 5)->python[0].function, "f");
	stack_table_deinit(&t);
}

/* A frame of each of `n` Python functions, which are called in turn. */
static void push_turns(struct lt_event_stack *e, unsigned int n, unsigned int calls)
{
	for (unsigned int i = 0; i < calls; i++, e->n_python++) {
		e->frames[e->n + 2 * e->n_python] = 0x1000 * (1 + i % n);
		e->frames[e->n + 2 * e->n_python + 1] = 0x1010 | (i ? LT_PYTHON_AFTER_C : 0);
	}
}

static void push_one(struct lt_event_stack *e, uint64_t code, uint64_t instr)
{
	e->frames[e->n + 2 * e->n_python] = code;
	e->frames[e->n + 2 * e->n_python + 1] = instr;
	e->n_python++;
}

/* Goes through the frames: how many there are, and how many of them C has called. */
static unsigned int count_python(const struct stack *s, unsigned int *ret_entries)
{
	struct python_at at = { 0 };
	unsigned int n = 0;
	bool entry;

	for (*ret_entries = 0; stack_python_next(s, &at, &entry); n++)
		*ret_entries += entry;
	return n;
}

/* Recursion of Python functions through C; BPF has left out 62 words of 80 frames, and the outermost is called by
 * Python. */
static void test_recursion(void **state)
{
	for (unsigned int cycle = 1; cycle <= 3; cycle++) {
		struct lt_event_stack e = { .head = { LT_EVENT_STACK, 1 }, .id = 5, .kind = LT_KIND_FD, .n = 1,
					    .frames = { 7 } };
		struct lt_event_stack again = { .n = 1, .frames = { 7 } };
		struct stack_table t = { 0 };
		unsigned int n, entries, again_entries;
		const struct stack *s;

		push_turns(&e, cycle, 31);
		push_one(&e, LT_LEFT_OUT(2 * cycle, 60), LT_LEFT_OUT(2 * cycle, 0));
		for (unsigned int i = 31; i < 50; i++)
			push_one(&e, 0x1000 * (1 + (i + 30) % cycle), 0x1010 | LT_PYTHON_AFTER_C);
		push_one(&e, 0x9000, 0x9010);
		assert_int_equal(stack_table_add(&t, &e, sizeof(e)), 0);
		s = stack_table_get(&t, 5);
		n = count_python(s, &entries);
		assert_int_equal(n, 81);
		assert_int_equal(entries, 79);
		assert_in_range(s->n_python, 3, 9);
		assert_int_equal(s->python[s->n_python - 1].code, 0x9000);
		again.head.tgid = 1;
		again.kind = LT_KIND_FD;
		stack_python_again(s, &again);
		assert_int_equal(stack_table_add(&t, &again, sizeof(again)), 0);
		s = stack_table_get(&t, again.id);
		assert_int_equal(count_python(s, &again_entries), n);
		assert_int_equal(again_entries, entries);
		stack_table_deinit(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_between_native_frames),
		cmocka_unit_test(test_with_all_frames),
		cmocka_unit_test(test_recursion),
		cmocka_unit_test(test_more_or_fewer_than_there_should_be),
		cmocka_unit_test(test_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
