// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "leak/ended.h"

#define FIRST  11
#define SECOND 12
#define OTHER  13 /* lives on */
#define GROUP  (BOOKS_GROUP | 3)
#define MODULE 5

static void send_stack(struct books *b, uint64_t id, uint32_t tgid, const uint64_t *frames, size_t n)
{
	struct lt_event_stack e = {
		.head = { .type = LT_EVENT_STACK, .tgid = tgid }, .id = id, .kind = LT_KIND_MEMORY, .n = (__u16)n };

	memcpy(e.frames, frames, n * sizeof(*frames));
	books_event(b, &e, offsetof(struct lt_event_stack, frames) + n * sizeof(*frames));
}

/* What one look at the books finds: two stacks of the same code, each with a JIT's frame at a place of its own; one of the
 * process that lives on; descriptors from before. */
static void look(struct books *b, bool first, bool second)
{
	const struct lt_totals totals = { .acquired = 7, .acquired_amount = 70, .released = 5, .released_amount = 50 };
	const struct held before[] = {
		{ .stack = BOOKS_BEFORE, .tgid = FIRST, .kind = LT_KIND_FD, .id = 0 },
		{ .stack = BOOKS_BEFORE, .tgid = FIRST, .kind = LT_KIND_FD, .id = 1 },
		{ .stack = BOOKS_BEFORE, .tgid = SECOND, .kind = LT_KIND_FD, .id = 0 },
		{ .stack = BOOKS_BEFORE, .tgid = OTHER, .kind = LT_KIND_FD, .id = 0 },
	};
	struct books_snapshot s;

	books_snapshot_begin(&s, b, 5000, 0);
	for (uint64_t id = 1; id <= 3; id++) {
		if ((id == 1 && !first) || (id == 2 && !second))
			continue;
		books_snapshot_totals(&s, id, &totals);
		books_snapshot_holding(&s, id, 10, 1000 * id);
		books_snapshot_holding(&s, id, 10, 1000 * id + 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(before); i++)
		if ((before[i].tgid != FIRST || first) && (before[i].tgid != SECOND || second))
			books_snapshot_held(&s, &before[i]);
	books_snapshot_end(&s);
}

static void begin(struct books *b)
{
	const uint64_t first[] = { LT_FRAME(MODULE, 100), 0x7000, LT_FRAME(MODULE, 200) };
	const uint64_t second[] = { LT_FRAME(MODULE, 100), 0x8000, LT_FRAME(MODULE, 200) };

	send_stack(b, 1, FIRST, first, ARRAY_SIZE(first));
	send_stack(b, 2, SECOND, second, ARRAY_SIZE(second));
	send_stack(b, 3, OTHER, first, ARRAY_SIZE(first));
}

static void end(struct books *b, uint32_t tgid)
{
	struct hashmap groups = { 0 }, ids = { 0 };
	size_t at = 0;

	assert_int_equal(hashmap_put(&groups, tgid, GROUP), 0);
	assert_int_equal(books_add_up(b, &groups), 0);
	assert_int_equal(books_remove(b, &groups, &ids, &at), 0);
	assert_int_equal(ids.n, 1); /* that BPF knows */
	hashmap_deinit(&groups);
	hashmap_deinit(&ids);
}

static const struct stack *of_group(const struct books *b)
{
	const struct stack *found = NULL;

	vec_foreach(s, &b->stacks) {
		assert_true(s->tgid == OTHER || (s->tgid == GROUP && !found));
		if (s->tgid == GROUP)
			found = s;
	}
	return found;
}

static uint64_t held_before(const struct books *b, uint32_t tgid, uint64_t *ret_processes)
{
	for (size_t at = 0; at < b->held.n;) {
		const struct held_group g = books_held_group(b, at);

		at += g.n;
		*ret_processes = g.items->processes;
		if (g.items->stack == BOOKS_BEFORE && g.items->tgid == tgid)
			return books_held_count(&g);
	}
	return 0;
}

static void test_same_code_is_one_stack(void **state)
{
	struct books b = { 0 };
	const struct stack *s;
	uint64_t processes;

	begin(&b);
	look(&b, true, true);
	end(&b, FIRST);
	look(&b, false, true);
	end(&b, SECOND);
	look(&b, false, false);
	s = of_group(&b);
	assert_non_null(s);
	assert_int_equal(s->ended.processes, 2);
	assert_int_equal(s->totals.acquired, 14);
	assert_int_equal(s->totals.released_amount, 100);
	assert_int_equal(s->held, 4);
	assert_int_equal(s->held_amount, 40);
	assert_int_equal(s->oldest_ns, 1000);
	assert_int_equal(s->youngest_ns, 2001);
	assert_int_equal(s->frames[0], LT_FRAME(MODULE, 100));
	assert_true(LT_FRAME_IS_UNKNOWN(s->frames[1])); /* an address means nothing any more */
	assert_int_equal(held_before(&b, GROUP, &processes), 3);
	assert_int_equal(processes, 2);
	assert_int_equal(held_before(&b, OTHER, &processes), 1);
	assert_int_equal(stack_table_get(&b.stacks, 3)->held, 2);
	books_deinit(&b);
}

static void test_given_back(void **state)
{
	struct books b = { 0 };
	const struct stack *s;
	uint64_t processes;

	begin(&b);
	look(&b, true, true);
	end(&b, FIRST);
	books_give_back(&b);
	look(&b, false, true);
	assert_int_equal(stack_table_get(&b.stacks, 2)->held, 2); /* it lives */
	end(&b, SECOND);
	look(&b, false, false);
	s = of_group(&b);
	assert_int_equal(s->totals.acquired, 14);
	assert_int_equal(s->totals.released, 12); /* all of the first one's */
	assert_int_equal(s->held, 2);
	assert_int_equal(s->oldest_ns, 2000);
	assert_int_equal(held_before(&b, GROUP, &processes), 1);
	books_deinit(&b);
}

static void test_what_tells_stacks_apart(void **state)
{
	const uint64_t frames[] = { LT_FRAME(MODULE, 100), LT_FRAME(MODULE, 200) };
	const uint64_t others[] = { LT_FRAME(MODULE + 1, 100), LT_FRAME(MODULE, 200) };
	struct books b = { 0 };
	struct hashmap groups = { 0 };
	const struct lt_totals one = { .acquired = 1 };
	struct books_snapshot snap;
	size_t n = 0;

	send_stack(&b, 1, FIRST, frames, 2);
	send_stack(&b, 2, FIRST, others, 2);
	send_stack(&b, 3, FIRST, frames, 1);
	send_stack(&b, 4, FIRST, frames + 1, 1); /* of which nothing was ever acquired */
	books_snapshot_begin(&snap, &b, 5000, 0);
	for (uint64_t id = 1; id <= 3; id++)
		books_snapshot_totals(&snap, id, &one);
	books_snapshot_end(&snap);
	assert_int_equal(hashmap_put(&groups, FIRST, GROUP), 0);
	assert_int_equal(books_add_up(&b, &groups), 0);
	vec_foreach(s, &b.stacks)
		n += s->tgid == GROUP;
	assert_int_equal(n, 3);
	hashmap_deinit(&groups);
	books_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_code_is_one_stack),
		cmocka_unit_test(test_given_back),
		cmocka_unit_test(test_what_tells_stacks_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
