// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "leak/books.h"

#define TGID 77

static void send_stack(struct books *b, uint64_t id, unsigned int n)
{
	struct lt_event_stack e = {
		.head = { .type = LT_EVENT_STACK, .tgid = TGID }, .id = id, .n = (__u16)n };

	for (unsigned int i = 0; i < n && i < LT_MAX_FRAMES; i++)
		e.frames[i] = id * 100 + i;
	books_event(b, &e, offsetof(struct lt_event_stack, frames) + n * 8);
}

static void send_range(struct books *b, uint32_t op, uint64_t addr, uint64_t len, uint64_t stack)
{
	struct lt_event_range e = {
		.head = { .type = LT_EVENT_RANGE, .tgid = TGID },
		.op = op, .tid = 5, .addr = addr, .len = len, .stack = stack, .ns = 1000 };

	books_event(b, &e, sizeof(e));
}

static const struct stack *snapshot(struct books *b, uint64_t id)
{
	struct books_snapshot s;

	books_snapshot_begin(&s, b, 5000, 0);
	books_snapshot_end(&s);
	return stack_table_get(&b->stacks, id);
}

static void test_stack_is_kept_once(void **state)
{
	struct books b = { 0 };

	send_stack(&b, 9, 3);
	send_stack(&b, 9, 3);
	assert_int_equal(b.stacks.n, 1);
	assert_int_equal(b.stacks.items[0].frames[2], 902);
	assert_int_equal(b.bad_events, 0);
	books_deinit(&b);
}

static void test_bad_events_are_counted(void **state)
{
	struct lt_event_stack e = { .head = { .type = LT_EVENT_STACK }, .n = LT_MAX_FRAMES + 1 };
	struct books b = { 0 };

	books_event(&b, &e, sizeof(e));
	e.n = 200;
	books_event(&b, &e, 64); /* fewer bytes than frames */
	books_event(&b, &e, 3);
	send_range(&b, 99, 0x1000, 0x1000, 1);
	send_range(&b, LT_RANGE_SETTLE, 0x1000, 0x1000, 1); /* of no mremap */
	assert_int_equal(b.bad_events, 5);
	books_deinit(&b);
}

static void test_fixed_mapping_replaces(void **state)
{
	struct books b = { 0 };
	const struct stack *s;

	send_stack(&b, 1, 1);
	send_stack(&b, 2, 1);
	send_range(&b, LT_RANGE_MAP, 0x10000, 0x5000, 1);
	send_range(&b, LT_RANGE_MAP, 0x11000, 0x1000, 2);
	s = snapshot(&b, 1);
	assert_int_equal(s->held, 1);
	assert_int_equal(s->held_amount, 0x4000);
	assert_int_equal(s->totals.released_amount, 0x1000);
	assert_int_equal(s->totals.released, 0);
	s = snapshot(&b, 2);
	assert_int_equal(s->held_amount, 0x1000);
	books_deinit(&b);
}

static void test_mremap_moves_or_fails(void **state)
{
	struct books b = { 0 };
	const struct stack *s;

	send_stack(&b, 1, 1);
	send_stack(&b, 2, 1);
	send_range(&b, LT_RANGE_MAP, 0x10000, 0x3000, 1);
	send_range(&b, LT_RANGE_TAKE, 0x10000, 0x3000, 0);
	s = snapshot(&b, 1);
	assert_int_equal(s->held_amount, 0x3000); /* in flight it is still held */
	send_range(&b, LT_RANGE_SETTLE, 0, 0, 0); /* failed */
	s = snapshot(&b, 1);
	assert_int_equal(s->held_amount, 0x3000);
	assert_int_equal(s->totals.released, 0);
	send_range(&b, LT_RANGE_TAKE, 0x10000, 0x3000, 0);
	send_range(&b, LT_RANGE_SETTLE, 0x90000, 0x8000, 2);
	assert_int_equal(snapshot(&b, 1)->held, 0);
	assert_int_equal(snapshot(&b, 2)->held_amount, 0x8000);
	assert_int_equal(b.unmatched, 0);
	books_deinit(&b);
}

/* shmdt gives back what is left of a segment, with nothing that has come into its place. */
static void test_segment_is_dropped(void **state)
{
	struct books b = { 0 };

	send_stack(&b, 1, 1);
	send_stack(&b, 2, 1);
	send_stack(&b, 3, 1);
	send_range(&b, LT_RANGE_MAP, 0x10000, 0x8000, 1);
	send_range(&b, LT_RANGE_MAP, 0x10000, 0x1000, 2);
	send_range(&b, LT_RANGE_MAP, 0x13000, 0x1000, 2);
	send_range(&b, LT_RANGE_UNMAP, 0x15000, 0x1000, 0);
	send_range(&b, LT_RANGE_MAP, 0x18000, 0x1000, 3); /* its neighbour */
	send_range(&b, LT_RANGE_DROP, 0x10000, 0, 0);	  /* the second is there now */
	assert_int_equal(snapshot(&b, 2)->held_amount, 0x1000);
	send_range(&b, LT_RANGE_DROP, 0x10000, 0, 0);
	assert_int_equal(snapshot(&b, 1)->held, 0);
	assert_int_equal(snapshot(&b, 1)->totals.released, 1);
	assert_int_equal(snapshot(&b, 1)->totals.released_amount, 0x8000);
	assert_int_equal(snapshot(&b, 2)->held_amount, 0x1000);
	assert_int_equal(snapshot(&b, 3)->held_amount, 0x1000);
	assert_int_equal(b.unmatched, 0);
	send_range(&b, LT_RANGE_DROP, 0x10000, 0, 0);
	send_range(&b, LT_RANGE_DROP, 0x90000, 0, 0);
	assert_int_equal(b.unmatched, 2);
	send_range(&b, LT_RANGE_MAP, 0x30000, 0, 1); /* no mapping is that short */
	assert_int_equal(b.bad_events, 1);
	books_deinit(&b);
}

static void test_unmatched_unless_internal(void **state)
{
	struct books b = { 0 };
	struct lt_event_range e = {
		.head = { .type = LT_EVENT_RANGE, .tgid = TGID },
		.op = LT_RANGE_UNMAP, .addr = 0x1000, .len = 0x1000, .internal = 1 };

	send_range(&b, LT_RANGE_UNMAP, 0x1000, 0x1000, 0);
	assert_int_equal(b.unmatched, 1);
	books_event(&b, &e, sizeof(e));
	assert_int_equal(b.unmatched, 1);
	books_deinit(&b);
}

static void test_snapshot_age_and_forget(void **state)
{
	struct lt_totals t = { .acquired = 2, .acquired_amount = 42 };
	struct books b = { 0 };
	struct books_snapshot s;
	const struct stack *stack;

	send_stack(&b, 1, 1);
	send_range(&b, LT_RANGE_MAP, 0x10000, 0x3000, 1);
	books_snapshot_begin(&s, &b, 5000, 1000);
	books_snapshot_totals(&s, 1, &t);
	books_snapshot_holding(&s, 1, 10, 4500);
	books_snapshot_holding(&s, 1, 32, 2000);
	books_snapshot_end(&s);
	stack = stack_table_get(&b.stacks, 1);
	assert_int_equal(stack->held, 2);
	assert_int_equal(stack->held_amount, 32 + 0x3000);
	assert_int_equal(stack->oldest_ns, 1000);
	assert_int_equal(stack->youngest_ns, 2000);
	assert_int_equal(stack->totals.acquired, 3);
	books_forget(&b, TGID);
	assert_int_equal(snapshot(&b, 1)->held, 0);
	assert_int_equal(snapshot(&b, 1)->totals.released, 1);
	books_deinit(&b);
}

/* What is left of a process goes, whichever of several ids leads to it; what others have stays as it is. */
static void test_remove(void **state)
{
	struct lt_event_stack e = { .head = { LT_EVENT_STACK, TGID + 1 }, .n = 1, .frames = { 0x5000 } };
	struct hashmap pids = { 0 }, ids = { 0 };
	struct books b = { 0 };
	size_t at = 3;

	send_stack(&b, 1, 2);
	for (e.id = 2; e.id <= 4; e.id++)
		books_event(&b, &e, sizeof(e));
	send_stack(&b, 5, 1);
	send_stack(&b, 6, 1);
	assert_int_equal(stack_table_merge(&b.stacks, 6, 1), 0);
	send_range(&b, LT_RANGE_MAP, 0x1000, 0x3000, 1);
	assert_int_equal(b.ranges.n, 1);
	assert_int_equal(hashmap_put(&pids, TGID, 1), 0);

	assert_int_equal(books_remove(&b, &pids, &ids, &at), 0);
	assert_int_equal(at, 2); /* the same stack, 4, is the third now */
	assert_int_equal(b.stacks.n, 3);
	assert_int_equal(b.ranges.n, 0);
	assert_int_equal(ids.n, 3);
	assert_true(hashmap_get(&ids, 1) && hashmap_get(&ids, 5) && hashmap_get(&ids, 6));
	assert_null(stack_table_get(&b.stacks, 1));
	for (uint64_t id = 2; id <= 4; id++) {
		assert_int_equal(stack_table_get(&b.stacks, id)->id, id);
		assert_int_equal(stack_table_get(&b.stacks, id)->frames[0], 0x5000);
	}
	send_stack(&b, 1, 1); /* its id is another one's */
	assert_int_equal(snapshot(&b, 1)->held, 0);
	hashmap_deinit(&pids);
	hashmap_deinit(&ids);
	books_deinit(&b);
}

static void hold(struct books_snapshot *s, uint8_t kind, uint64_t stack, uint32_t tgid, uint64_t id,
		 uint64_t ns)
{
	struct held h = { .stack = stack, .tgid = tgid, .kind = kind, .id = id, .ns = ns };

	books_snapshot_held(s, &h);
}

/* The group of the kind and stack, as "tgid: id id ...". */
static void assert_group(const struct books *b, uint8_t kind, uint64_t stack, const char *want)
{
	struct held_group g = books_held_group(b, books_held_find(b, kind, stack));
	char got[128] = "";
	size_t n = 0;

	if (g.n && g.items->kind == kind && g.items->stack == stack)
		n = (size_t)snprintf(got, sizeof(got), "%u:", g.items->tgid);
	for (size_t i = 0; n && i < g.n; i++)
		n += (size_t)snprintf(got + n, sizeof(got) - n, " %d", (int)g.items[i].id);
	assert_string_equal(got, want);
}

static void test_holdings_are_found_by_stack(void **state)
{
	struct books b = { 0 };
	struct books_snapshot s;
	struct held_group g;

	send_stack(&b, 1, 1);
	send_stack(&b, 2, 1);
	stack_table_merge(&b.stacks, 2, 3); /* 2 is another name of 3 now */
	for (int again = 0; again < 2; again++) {
		books_snapshot_begin(&s, &b, 5000, 1000);
		hold(&s, LT_KIND_FD, BOOKS_BEFORE, 8, 4, 0);
		hold(&s, LT_KIND_FD, 1, TGID, 12, 3000);
		hold(&s, LT_KIND_FD, 1, TGID, 14, 2000);
		hold(&s, LT_KIND_FD, 1, TGID, 15, 4500); /* too young */
		hold(&s, LT_KIND_FD, 99, TGID, 16, 1); /* its stack was lost */
		hold(&s, LT_KIND_FD, 2, TGID, 17, 1);
		hold(&s, LT_KIND_FD, 3, TGID, 18, 2);
		hold(&s, LT_KIND_FD, BOOKS_BEFORE, 7, 3, 4900); /* is old, whatever its time */
		hold(&s, LT_KIND_FD, BOOKS_BEFORE, 7, 2, 4900);
		hold(&s, LT_KIND_FD, BOOKS_UNSEEN, 7, 5, 4900);
		hold(&s, LT_KIND_CHILD, BOOKS_UNSEEN, 7, 400, 4000);
		books_snapshot_end(&s);
	}
	assert_int_equal(b.held.n, 8);
	assert_group(&b, LT_KIND_FD, 1, "77: 14 12");
	assert_group(&b, LT_KIND_FD, 3, "77: 17 18");
	assert_group(&b, LT_KIND_FD, 2, "");
	assert_group(&b, LT_KIND_FD, BOOKS_BEFORE, "7: 2 3");
	assert_group(&b, LT_KIND_FD, BOOKS_UNSEEN, "");
	assert_group(&b, LT_KIND_CHILD, BOOKS_UNSEEN, "7: 400");
	assert_group(&b, LT_KIND_CHILD, 1, "");
	g = books_held_group(&b, books_held_find(&b, LT_KIND_FD, BOOKS_BEFORE) + 2);
	assert_int_equal(g.n, 1);
	assert_int_equal(g.items->tgid, 8);
	assert_int_equal(books_held_group(&b, b.held.n).n, 0);
	assert_int_equal(stack_table_get(&b.stacks, 1)->held, 2);
	assert_int_equal(stack_table_get(&b.stacks, 1)->held_amount, 2);
	assert_int_equal(stack_table_get(&b.stacks, 1)->oldest_ns, 2000);
	assert_int_equal(stack_table_get(&b.stacks, 2)->held, 2);
	books_deinit(&b);
}

static void test_nothing_is_held(void **state)
{
	struct books b = { 0 };

	snapshot(&b, 1);
	assert_int_equal(books_held_group(&b, books_held_find(&b, LT_KIND_FD, 1)).n, 0);
	books_deinit(&b);
}

static struct stack *put(struct books *b, uint64_t id, uint8_t kind, uint64_t *frames, uint16_t n)
{
	const struct stack s = { .id = id, .tgid = TGID, .kind = kind, .n = n, .frames = frames,
				 .place = { .state = "sleep", .frames = frames, .n = n } };

	return stack_table_put(&b->stacks, &s);
}

static void test_stacks_of_our_own(void **state)
{
	uint64_t frames[] = { 1, 2, 3 };
	struct books b = { 0 };
	const struct stack *s = put(&b, 4, LT_KIND_GOROUTINE, frames, 3);

	frames[2] = 0;
	assert_int_equal(s->frames[2], 3);
	assert_int_equal(s->place.frames[2], 3);
	assert_ptr_equal(put(&b, 4, LT_KIND_GOROUTINE, frames, 1), s);
	assert_int_equal(b.stacks.n, 1);
	assert_non_null(put(&b, 5, LT_KIND_GOROUTINE, NULL, 0));
	books_deinit(&b);
}

/* A goroutine from before tracing has a stack, but no age; of a heap all is told in one sum. */
static void test_known_from_before(void **state)
{
	const struct held held[] = { { .stack = 4, .tgid = TGID, .kind = LT_KIND_GOROUTINE, .id = 1 },
				     { .stack = 4, .tgid = TGID, .kind = LT_KIND_GOROUTINE, .id = 2, .ns = 3000 } };
	const struct held_sum sum = { { 7, 700, 2, 200 }, 9, 900, 4, 400 };
	const struct stack *s;
	struct books_snapshot snap;
	struct books b = { 0 };

	put(&b, 4, LT_KIND_GOROUTINE, NULL, 0);
	put(&b, 5, LT_KIND_GO_HEAP, NULL, 0);
	for (int i = 0; i < 2; i++) { /* a snapshot forgets the one before */
		books_snapshot_begin(&snap, &b, 5000, 0);
		books_snapshot_held(&snap, &held[0]);
		books_snapshot_held(&snap, &held[1]);
		books_snapshot_sum(&snap, 5, &sum);
		books_snapshot_end(&snap);
	}
	s = stack_table_get(&b.stacks, 4);
	assert_int_equal(s->held, 2);
	assert_int_equal(s->before, 1);
	assert_int_equal(s->oldest_ns, 3000);
	s = stack_table_get(&b.stacks, 5);
	assert_int_equal(s->held_amount, 900);
	assert_int_equal(s->before_amount, 400);
	assert_int_equal(s->totals.acquired, 7);
	assert_int_equal(s->totals.released_amount, 200);
	assert_int_equal(s->oldest_ns, 0);
	books_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stack_is_kept_once),
		cmocka_unit_test(test_bad_events_are_counted),
		cmocka_unit_test(test_fixed_mapping_replaces),
		cmocka_unit_test(test_mremap_moves_or_fails),
		cmocka_unit_test(test_segment_is_dropped),
		cmocka_unit_test(test_unmatched_unless_internal),
		cmocka_unit_test(test_snapshot_age_and_forget),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_holdings_are_found_by_stack),
		cmocka_unit_test(test_nothing_is_held),
		cmocka_unit_test(test_stacks_of_our_own),
		cmocka_unit_test(test_known_from_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
