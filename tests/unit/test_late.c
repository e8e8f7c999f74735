// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "leak/books.h"
#include "trace/pending_stacks.h"

#define TGID   77
#define PAGES  3
#define CUT    1000 /* ids of stacks by the frames that were known */
#define WHOLE  2000 /* and by all of them */

static bool known_now;
static int walked;

/* Instead of BPF's: the frames are the first words of the copy. */
int object_walk_again(const struct object *o, const struct lt_event_copy *copy,
		      struct lt_event_stack *ret)
{
	walked++;
	if (!known_now)
		return -ENODATA;
	*ret = (struct lt_event_stack){ .head = { LT_EVENT_STACK, copy->head.tgid }, .n = 5 };
	memcpy(ret->frames, copy->stack, 5 * sizeof(ret->frames[0]));
	ret->id = WHOLE + ret->frames[4];
	return 0;
}

/* A copy and its stack, which is cut after its first frame: the path is known by frame 4. */
static void come(struct late_stacks *l, struct books *b, uint64_t id, uint32_t tgid, uint64_t path)
{
	_cleanup_free_ struct lt_event_copy *c = calloc(1, sizeof(*c));
	struct lt_event_stack e = { .head = { LT_EVENT_STACK, tgid }, .id = id, .n = 1,
				    .stop = LT_STOP_NO_MAPPING, .frames = { 1 } };
	const __u64 frames[] = { 1, 2, 3, 4, path };

	*c = (struct lt_event_copy){ .head = { LT_EVENT_COPY, tgid }, .id = id, .frames_id = CUT,
				     .size = PAGES * LT_COPY_PAGE };
	memcpy(c->stack, frames, sizeof(frames));
	assert_int_equal(late_stacks_add(l, c, offsetof(struct lt_event_copy, stack) + c->size), 0);
	books_event(b, &e, sizeof(e));
}

static void test_becomes_whole(void **state)
{
	struct late_stacks l = { 0 };
	struct books b = { 0 };

	come(&l, &b, 1, TGID, 5);
	come(&l, &b, 2, TGID, 6);
	come(&l, &b, 3, TGID, 5); /* the same by another id */
	known_now = true;
	assert_int_equal(late_stacks_settle(&l, l.n, TGID, NULL, &b.stacks), 0);
	assert_int_equal(l.n, 0);
	assert_int_equal(l.bytes, 0);
	assert_int_equal(b.stacks.n, 2);
	assert_int_equal(stack_table_get(&b.stacks, 1)->n, 5);
	assert_int_equal(stack_table_get(&b.stacks, 1)->stop, LT_STOP_NONE);
	assert_ptr_equal(stack_table_get(&b.stacks, 1), stack_table_get(&b.stacks, 3));
	assert_ptr_equal(stack_table_get(&b.stacks, 1), stack_table_get(&b.stacks, WHOLE + 5));
	assert_int_equal(stack_table_get(&b.stacks, 2)->frames[4], 6);
	late_stacks_deinit(&l);
	books_deinit(&b);
}

/* They are not in the copy. The id is the one that BPF gives the whole stack from then on. */
static void test_keeps_the_kernels_frames(void **state)
{
	const uint64_t kernel[] = { 0xffffffff81000010, 0xffffffffc0000010 };
	struct lt_event_stack e = { .head = { LT_EVENT_STACK, TGID }, .id = 1, .n = 3,
				    .stop = LT_STOP_NO_MAPPING, .frames = { kernel[0], kernel[1], 1 } };
	struct late_stacks l = { 0 };
	struct books b = { 0 };
	const struct stack *s;
	uint64_t id = 0;

	books_event(&b, &e, sizeof(e));
	come(&l, &b, 1, TGID, 5);
	known_now = true;
	assert_int_equal(late_stacks_settle(&l, l.n, TGID, NULL, &b.stacks), 0);
	s = stack_table_get(&b.stacks, 1);
	assert_int_equal(s->n, 7);
	for (int i = 0; i < 7; i++) {
		assert_int_equal(s->frames[i], i < 2 ? kernel[i] : (uint64_t)i - 1);
		id = lt_hash_frame(id, s->frames[i]);
	}
	assert_int_equal(s->id, lt_stack_id(id, lt_stack_seed(TGID, 0, 0)));
	late_stacks_deinit(&l);
	books_deinit(&b);
}

static void test_stays_cut(void **state)
{
	struct late_stacks l = { 0 };
	struct books b = { 0 };

	come(&l, &b, 1, TGID, 5);
	come(&l, &b, 2, TGID, 6);
	known_now = false;
	assert_int_equal(late_stacks_settle(&l, l.n, TGID, NULL, &b.stacks), 0);
	assert_int_equal(b.stacks.n, 1); /* what is known of them is the same */
	assert_int_equal(stack_table_get(&b.stacks, 2)->stop, LT_STOP_NO_MAPPING);
	assert_int_equal(stack_table_get(&b.stacks, 2)->id, CUT);
	late_stacks_deinit(&l);
	books_deinit(&b);
}

/* What came after the tables were read waits for the next time, as do other processes. */
static void test_only_those_in_time(void **state)
{
	struct late_stacks l = { 0 };
	struct books b = { 0 };

	come(&l, &b, 1, TGID + 1, 5);
	come(&l, &b, 2, TGID, 6);
	come(&l, &b, 3, TGID, 7);
	known_now = true;
	walked = 0;
	assert_int_equal(late_stacks_settle(&l, 2, TGID, NULL, &b.stacks), 0);
	assert_int_equal(walked, 1);
	assert_int_equal(l.n, 2);
	assert_int_equal(stack_table_get(&b.stacks, 2)->n, 5);
	assert_int_equal(stack_table_get(&b.stacks, 3)->n, 1);
	assert_true(late_stacks_any(&l, TGID));
	assert_int_equal(late_stacks_settle(&l, l.n, TGID, NULL, &b.stacks), 0);
	assert_false(late_stacks_any(&l, TGID));
	assert_true(late_stacks_any(&l, TGID + 1));
	late_stacks_deinit(&l);
	books_deinit(&b);
}

static void test_memory_is_bounded(void **state)
{
	struct late_stacks l = { 0 };
	struct books b = { 0 };
	uint64_t n = 2 * LATE_BYTES_MAX / (PAGES * LT_COPY_PAGE);

	for (uint64_t id = 1; id <= n; id++)
		come(&l, &b, id << 32, TGID, id);
	assert_in_range(l.bytes, LATE_BYTES_MAX / 2, LATE_BYTES_MAX);
	known_now = true;
	walked = 0;
	assert_int_equal(late_stacks_settle(&l, l.n, TGID, NULL, &b.stacks), 0);
	assert_in_range(walked, n / 3, n / 2);
	assert_int_equal(b.stacks.n, (uint64_t)walked + 1); /* the rest is one, and cut */
	assert_int_equal(l.bytes, 0);
	late_stacks_deinit(&l);
	books_deinit(&b);
}

static void test_bad_events(void **state)
{
	_cleanup_free_ struct lt_event_copy *c = calloc(1, sizeof(*c));
	struct late_stacks l = { 0 };

	c->size = LT_COPY_PAGE;
	assert_int_equal(late_stacks_add(&l, c, offsetof(struct lt_event_copy, stack) - 1), -EBADMSG);
	assert_int_equal(late_stacks_add(&l, c, offsetof(struct lt_event_copy, stack) + 1), -EBADMSG);
	assert_int_equal(l.n, 0);
	late_stacks_deinit(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_becomes_whole),
		cmocka_unit_test(test_keeps_the_kernels_frames),
		cmocka_unit_test(test_stays_cut),
		cmocka_unit_test(test_only_those_in_time), cmocka_unit_test(test_memory_is_bounded),
		cmocka_unit_test(test_bad_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
