// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <leaktrace/books.h>
#include "base/cleanup.h"
#include "go_heap_fixture.h"
#include "runtime/go/turns.h"
#include "runtime/go/weights.h"

#define START(n) (0xc000000000ULL + (n)*0x2000)

static const struct go_heap_record *stack_of(const struct go_heap *heap, uint64_t stack)
{
	vec_foreach(rec, heap)
		if (rec->stack == stack)
			return rec;
	return NULL;
}

struct spans_test {
	struct go_area *a;
	struct go_runtime rt;
	struct go_heap heap;
	struct go_samples samples;
	uint8_t shift[LT_GO_CLASSES];
};

static struct spans_test spans_make(unsigned int minor, const struct area_span *spans, size_t n)
{
	struct spans_test t = { .a = go_area_make() };

	t.rt = go_area_runtime(t.a, minor);
	go_area_heap(&t.rt, t.a, n, 100);
	for (unsigned int i = 0; i < n; i++)
		go_area_span(&t.rt, t.a, i, &spans[i]);
	return t;
}

/* An object in `slot` that stands for so many. */
static struct lt_go_sample sample_of(uint32_t stack, uint32_t generation, uint16_t slot, uint32_t objects)
{
	return (struct lt_go_sample){ stack, generation, objects * LT_GO_ONCE, slot, LT_GO_ONCE };
}

static void spans_sample(struct spans_test *t, unsigned int span, uint8_t class, struct lt_go_sample sample)
{
	struct go_samples *v = &t->samples;
	struct go_span_samples *s;

	if (!v->n || v->items[v->n - 1].start != START(span))
		assert_int_equal(vec_push(v, (struct go_span_samples){ .start = START(span) }), 0);
	s = &v->items[v->n - 1];
	s->span.at = AT_SPANS + span * SPAN_ROOM;
	s->span.spanclass = class;
	s->span.taken |= sample.stack != LT_STACK_BEFORE;
	s->span.last = s->span.n;
	s->span.samples[s->span.n++] = sample;
}

static int spans_read(struct spans_test *t)
{
	return go_heap_read_spans(&t->rt, &t->samples, t->shift, 0, &t->heap);
}

static void spans_end(struct spans_test *t)
{
	vec_free(&t->samples);
	go_heap_deinit(&t->heap);
	free(t->a);
}

/* The heap's generation is 100. */
static void test_spans(void **state)
{
	static const struct area_span spans[] = {
		/* of these, 8 bytes each, what lived at the latest sweep is in the bits */
		{ START(0), 1024, 8, 8, 8, 98, 10, 1, 0 },    /* full, not swept since: all are recent */
		{ START(1), 1024, 8, 0, 2, 100, 10, 1, 0x21 }, /* swept: the objects 0 and 5 live */
		{ START(2), 1024, 8, 0, 3, 100, 10, 1, 0xe },
		{ START(3), 1024, 8, 3, 3, 103, 10, 1, 0 },   /* taken, and three have been allocated */
		{ START(4), 1024, 8, 0, 4, 100, 10, 1, 0xf }, /* from before */
		{ START(5), 65536, 1, 1, 1, 100, 0, 1, 0 },   /* a large object */
		{ START(6), 1024, 8, 0, 8, 100, 10, 2, 0 },   /* a goroutine's stack */
		{ START(7), 1024, 8, 0, 8, 100, 10, 0, 0 },   /* free */
	};

	for (size_t i = 0; i < ARRAY_SIZE(releases); i++) {
		struct spans_test t = spans_make(releases[i], spans, ARRAY_SIZE(spans));

		spans_sample(&t, 0, 10, sample_of(1, 98, 0, 8));
		spans_sample(&t, 1, 10, sample_of(2, 98, 0, 8)); /* lives */
		spans_sample(&t, 2, 10, sample_of(3, 98, 0, 8)); /* has died */
		spans_sample(&t, 3, 10, sample_of(4, 100, 0, 8));
		spans_sample(&t, 4, 10, sample_of(LT_STACK_BEFORE, 98, 0, 1));
		spans_sample(&t, 5, 0, sample_of(5, 100, 0, 1));
		spans_sample(&t, 7, 10, sample_of(6, 98, 0, 8));
		assert_int_equal(spans_read(&t), 0);

		/* 8 + 2 + 3 + 3 + 4 and the large one */
		assert_true(is_near(t.heap.total_objects, 21));
		assert_true(is_near(t.heap.total_bytes, 20 * 1024 + 65536));
		assert_true(is_near(t.heap.before_objects, 4));
		assert_true(is_near(t.heap.unknown_objects, 0));
		assert_true(is_near(stack_of(&t.heap, 1)->inuse_objects, 8));
		/* it stands for 8 of old spans, where 5 are: 2 of its own, and 3 where a sample has died */
		assert_true(is_near(stack_of(&t.heap, 2)->inuse_objects, 5));
		assert_null(stack_of(&t.heap, 3));
		assert_true(is_near(stack_of(&t.heap, 4)->inuse_objects, 3));
		assert_true(is_near(stack_of(&t.heap, 5)->inuse_bytes, 65536));
		assert_null(stack_of(&t.heap, 6));
		for (size_t s = 0; s < t.samples.n; s++)
			assert_int_equal(t.samples.items[s].gone, t.samples.items[s].start == START(7));
		spans_end(&t);
	}
}

/* A sample that lives stands for what has lived in other spans, where the samples have died. */
static void test_survivors(void **state)
{
	static const struct area_span spans[] = {
		{ START(0), 1024, 8, 0, 2, 100, 10, 1, 0x03 }, /* one in four lives: so do the samples */
		{ START(1), 1024, 8, 0, 2, 100, 10, 1, 0x30 },
		{ START(2), 1024, 8, 0, 2, 100, 10, 1, 0x88 },
		{ START(3), 1024, 8, 0, 2, 100, 10, 1, 0x42 },
		{ START(4), 1024, 8, 0, 8, 100, 10, 1, 0xff }, /* all live */
	};
	struct spans_test t = spans_make(24, spans, ARRAY_SIZE(spans));

	for (unsigned int i = 0; i < 4; i++)
		spans_sample(&t, i, 10, sample_of(1, 98, 0, 8));
	spans_sample(&t, 4, 10, sample_of(2, 98, 0, 8));
	assert_int_equal(spans_read(&t), 0);
	assert_true(is_near(stack_of(&t.heap, 1)->inuse_objects, 8));
	assert_true(is_near(stack_of(&t.heap, 2)->inuse_objects, 8));
	spans_end(&t);
}

/* Spans that are not followed are divided as those of their class that are, with what is from before. */
static void test_followed(void **state)
{
	enum { SPANS = 33 };
	struct area_span spans[SPANS];
	struct spans_test t;
	unsigned int seen = 0;

	for (unsigned int i = 0; i < SPANS; i++)
		spans[i] = (struct area_span){ START(i), 1024, 8, 0, 4, 100, 10 + i % 2, 1, 0x0f };
	t = spans_make(23, spans, 0);
	for (unsigned int i = 0; i < 32; i++)
		go_area_span(&t.rt, t.a, i, &spans[i]);
	go_area_heap(&t.rt, t.a, 32, 100);
	t.shift[10] = 2;
	/* of class 10, all that are followed but the first were taken since; of class 11 none was */
	for (unsigned int i = 0; i < 32; i++) {
		if (!lt_go_is_followed(START(i), t.shift[10 + i % 2]))
			continue;
		if (i % 2 || !seen)
			spans_sample(&t, i, 10 + i % 2, sample_of(LT_STACK_BEFORE, 98, 0, 4));
		else
			spans_sample(&t, i, 10, sample_of(1, 98, 0, 8));
		seen += i % 2 == 0;
	}
	assert_in_range(seen, 2, 7);
	/* a span that was followed before there were too many */
	spans_sample(&t, 32, 10, sample_of(2, 98, 0, 8));
	assert_int_equal(spans_read(&t), 0);
	assert_true(is_near(t.heap.total_objects, 32 * 4));
	assert_true(is_near(t.heap.before_objects, 16 * 4 + 16 * 4 / (double)seen));
	assert_true(is_near(stack_of(&t.heap, 1)->inuse_objects, 16 * 4 * (1 - 1 / (double)seen)));
	assert_true(is_near(stack_of(&t.heap, 1)->inuse_bytes, 1024 * 16 * 4 * (1 - 1 / (double)seen)));
	assert_null(stack_of(&t.heap, 2));
	assert_true(t.samples.items[t.samples.n - 1].gone);
	spans_end(&t);
}

/* When nothing is known of a class any more, it is divided as it was. */
static void test_as_before(void **state)
{
	static const struct area_span spans[] = {
		{ START(0), 64, 64, 0, 30, 100, 7, 1, 0x3fffffff },
		{ START(1), 64, 64, 0, 10, 100, 7, 1, 0x3ff },
	};
	struct spans_test t = spans_make(25, spans, ARRAY_SIZE(spans));

	spans_sample(&t, 0, 7, sample_of(1, 98, 0, 30));
	spans_sample(&t, 1, 7, sample_of(2, 98, 0, 10));
	assert_int_equal(spans_read(&t), 0);
	assert_true(is_near(stack_of(&t.heap, 1)->inuse_objects, 30));
	for (int i = 0; i < 2; i++) { /* they die */
		t.samples.items[0].span.samples[0].slot = t.samples.items[1].span.samples[0].slot = 40;
		assert_int_equal(spans_read(&t), 0);
		assert_true(is_near(stack_of(&t.heap, 1)->inuse_objects, 30));
		assert_true(is_near(stack_of(&t.heap, 2)->inuse_objects, 10));
		assert_true(is_near(t.heap.unknown_objects, 0));
	}
	spans_end(&t);
}

static void test_origins(void **state)
{
	static const struct area_span spans[] = {
		{ START(0), 64, 64, 0, 10, 100, 7, 1, 0x3ff },
		{ START(1), 32, 64, 0, 5, 100, 5, 1, 0x1f },
		{ START(2), 16, 64, 0, 6, 100, 9, 1, 0x3f },
	};
	struct spans_test t = spans_make(26, spans, ARRAY_SIZE(spans));

	/* some were held before, others were not seen; one half each */
	spans_sample(&t, 0, 7, sample_of(LT_STACK_BEFORE, 98, 1, 5));
	spans_sample(&t, 0, 7, sample_of(LT_STACK_UNSEEN, 98, 2, 20));
	spans_sample(&t, 1, 5, sample_of(1, 98, 9, 60));	 /* all that is known of it has died */
	spans_sample(&t, 2, 11, sample_of(1, 98, 0, 60)); /* it was of another kind then */
	assert_int_equal(spans_read(&t), 0);
	assert_true(is_near(t.heap.before_objects, 5));
	assert_true(is_near(t.heap.unknown_objects, 5 + 5 + 6));
	assert_true(is_near(t.heap.unknown_bytes, 5 * 64 + 5 * 32 + 6 * 16));
	assert_int_equal(t.heap.n, 0);
	assert_int_equal(t.samples.items[2].gone, 0);
	spans_end(&t);
}

static void test_hostile_spans(void **state)
{
	static const struct area_span spans[] = {
		{ START(0), 1024, 60000, 0, 60000, 100, 10, 1, 0 }, /* more objects than there can be */
		{ START(1), 1024, 8, 0, 200, 100, 10, 1, 0 },	    /* more than there are */
		{ START(2), 1024, 8, 0, 8, 7, 10, 1, 0 },	    /* a generation that never was */
		{ 0, 1024, 8, 0, 8, 100, 10, 1, 0 },
	};
	struct spans_test t = spans_make(22, spans, ARRAY_SIZE(spans));

	spans_sample(&t, 1, 10, sample_of(1, 98, 60000, 60000));
	spans_sample(&t, 2, 10, sample_of(2, 98, 7, 65535));
	t.samples.items[1].span.n = 255;
	go_area_put(t.a, AT_SPANS + SPAN_ROOM + t.rt.layout->mspan.allocBits, 0x10, 8);
	assert_int_equal(spans_read(&t), 0);
	assert_true(is_near(t.heap.total_objects, 16));
	go_area_put(t.a, AT_POINTERS, 0x10, 8);
	assert_int_equal(spans_read(&t), 0);
	assert_int_equal(t.heap.torn, 1);
	go_area_heap(&t.rt, t.a, UINT64_MAX, 100);
	assert_int_equal(spans_read(&t), -EOPNOTSUPP);
	t.rt.at.mheap = 0;
	assert_int_equal(spans_read(&t), -EOPNOTSUPP);
	spans_end(&t);
}

/* Where not all spans are seen: what is old is what its samples stand for, what is young is divided as it was
 * on average. */
static void test_turns(void **state)
{
	static const struct area_span spans[] = {
		{ START(0), 64, 64, 0, 40, 100, 7, 1, 0xffffffffffULL },
		{ START(1), 64, 64, 60, 60, 103, 7, 1, 0xffffffffffULL },
	};
	struct spans_test t = spans_make(25, spans, ARRAY_SIZE(spans));

	spans_sample(&t, 0, 7, sample_of(1, 80, 0, 30));
	spans_sample(&t, 0, 7, sample_of(2, 96, 1, 500)); /* young: it does not count as such */
	spans_sample(&t, 0, 7, sample_of(LT_STACK_BEFORE, 98, 2, 10)); /* that it is not */
	spans_sample(&t, 1, 7, sample_of(2, 100, 50, 500)); /* recent: nor does it */
	assert_int_equal(vec_push(&t.heap.shares, (struct go_heap_share){ 3, 7, GO_YOUNG, 4, 0 }), 0);
	assert_int_equal(vec_push(&t.heap.shares, (struct go_heap_share){ 4, 7, GO_YOUNG, 6, 0 }), 0);
	assert_int_equal(vec_push(&t.heap.shares, (struct go_heap_share){ 5, 7, GO_RECENT, 1, 0 }), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(go_heap_read_spans(&t.rt, &t.samples, t.shift, 10, &t.heap), 0);
		assert_true(is_near(t.heap.total_objects, 100));
		assert_true(is_near(stack_of(&t.heap, 1)->inuse_objects, 30));
		assert_null(stack_of(&t.heap, 2));
		assert_true(is_near(t.heap.before_objects, 10));
		assert_true(is_near(stack_of(&t.heap, 3)->inuse_objects, 0.4 * 40));
		assert_true(is_near(stack_of(&t.heap, 4)->inuse_bytes, 64 * 0.6 * 40));
		assert_true(is_near(stack_of(&t.heap, 5)->inuse_objects, 20));
	}
	/* it is less than on average, as samples say that much of it has died */
	vec_foreach(share, &t.heap.shares)
		share->objects *= share->age == GO_YOUNG ? 100 : 1;
	t.samples.items[0].span.samples[1].weight = 20 * LT_GO_ONCE;
	assert_int_equal(go_heap_read_spans(&t.rt, &t.samples, t.shift, 10, &t.heap), 0);
	/* 40 are young: all but 20 of 1000 have died, which leaves (1000 - 40) / (1000 - 20) of these 20 */
	assert_true(is_near(stack_of(&t.heap, 2)->inuse_objects, 20 * 960 / 980.0));
	assert_true(is_near(stack_of(&t.heap, 3)->inuse_objects, 0.4 * (40 - 20 * 960 / 980.0)));
	t.samples.items[0].span.samples[1].weight = 500 * LT_GO_ONCE;
	/* if nothing is young, the samples stand for all that is there */
	t.samples.items[0].span.samples[1].generation = 40;
	t.samples.items[0].span.samples[1].stack = 1;
	t.heap.shares.n = 0;
	assert_int_equal(go_heap_read_spans(&t.rt, &t.samples, t.shift, 10, &t.heap), 0);
	assert_true(is_near(stack_of(&t.heap, 1)->inuse_objects, 70));
	assert_true(is_near(t.heap.unknown_objects, 20));
	spans_end(&t);
}

/* What is there before: some of the objects, which stand for all of them. */
static void test_begin(void **state)
{
	static const struct area_span spans[] = {
		{ START(0), 64, 64, 0, 3, 100, 7, 1, 0x10101 },
		{ START(1), 64, 64, 20, 24, 103, 7, 1, 0xf00000000ULL }, /* 20 were allocated since */
		{ START(2), 64, 64, 0, 0, 100, 7, 1, 0 },
		{ START(3), 65536, 1, 1, 1, 100, 0, 1, 0 },
		{ START(4), 64, 64, 0, 3, 100, 7, 2, 0x7 }, /* a goroutine's stack */
	};
	struct spans_test t = spans_make(27, spans, ARRAY_SIZE(spans));
	const struct go_span_samples *s;
	uint32_t sum = 0;

	assert_int_equal(go_spans_begin(&t.rt, t.shift, &t.samples), 0);
	assert_int_equal(t.samples.n, 3);
	s = &t.samples.items[0];
	assert_int_equal(s->start, START(0));
	assert_int_equal(s->span.n, 3);
	assert_false(s->span.taken);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(s->span.samples[i].slot, 8 * i);
		assert_int_equal(s->span.samples[i].stack, LT_STACK_BEFORE);
		assert_int_equal(s->span.samples[i].weight, LT_GO_ONCE);
		assert_int_equal(s->span.samples[i].generation, 98);
	}
	s = &t.samples.items[1];
	assert_int_equal(s->span.n, LT_GO_SAMPLES);
	for (unsigned int i = 0; i < LT_GO_SAMPLES; i++) {
		uint16_t slot = s->span.samples[i].slot;

		assert_true(slot < 20 || (slot >= 32 && slot < 36));
		assert_int_equal(s->span.samples[i].generation, slot < 20 ? 100 : 98);
		sum += s->span.samples[i].weight;
	}
	assert_int_equal(sum, 24 * LT_GO_ONCE);
	assert_int_equal(t.samples.items[2].span.samples[0].generation, 100);
	/* all that was there still is, and is from before */
	assert_int_equal(spans_read(&t), 0);
	assert_true(is_near(t.heap.before_objects, 28));
	assert_true(is_near(t.heap.total_objects, 28));
	spans_end(&t);
}

/* What a check drops: the heap's generation is 100, and the check before was after generation 96. */
static void test_check(void **state)
{
	static const struct area_span spans[] = {
		{ START(0), 64, 64, 0, 2, 100, 7, 1, 0x5 },
		{ START(1), 64, 64, 0, 2, 98, 7, 1, 0x5 }, /* not swept yet */
		{ START(2), 64, 64, 0, 2, 100, 9, 1, 0x5 }, /* it was of another kind */
		{ START(3), 64, 64, 0, 2, 100, 7, 0, 0x5 }, /* free */
		{ START(4), 64, 64, 0, 2, 99, 7, 1, 0x5 },  /* being swept */
		{ START(5), 64, 64, 3, 5, 103, 7, 1, 0x30 }, /* in the hands of a processor */
	};
	struct spans_test t = spans_make(24, spans, ARRAY_SIZE(spans));
	_cleanup_(go_span_reader_deinit) struct go_span_reader rd = { 0 };

	spans_sample(&t, 0, 7, sample_of(1, 94, 0, 1)); /* lives */
	spans_sample(&t, 0, 7, sample_of(2, 94, 1, 1)); /* has died */
	spans_sample(&t, 0, 7, sample_of(3, 96, 2, 1)); /* nobody has looked after generation 98 */
	spans_sample(&t, 0, 7, sample_of(4, 98, 2, 1)); /* lives */
	for (unsigned int i = 1; i < 5; i++)
		spans_sample(&t, i, 7, sample_of(1, 94, 0, 1));
	spans_sample(&t, 5, 7, sample_of(1, 100, 1, 1)); /* has just been allocated */
	t.samples.items[4].unsure = true;
	assert_int_equal(go_spans_check(&t.rt, &rd, 100, 96, t.samples.items, t.samples.n), 0);
	assert_true(t.samples.items[0].checked && t.samples.items[0].changed && !t.samples.items[0].gone);
	assert_int_equal(t.samples.items[0].span.n, 2);
	assert_int_equal(t.samples.items[0].span.samples[0].stack, 1);
	assert_int_equal(t.samples.items[0].span.samples[1].stack, 4);
	assert_int_equal(t.samples.items[0].span.last, 1);
	assert_false(t.samples.items[1].checked || t.samples.items[1].gone);
	assert_true(t.samples.items[2].gone && t.samples.items[3].gone);
	assert_false(t.samples.items[4].checked || t.samples.items[4].gone);
	assert_true(t.samples.items[5].checked && !t.samples.items[5].changed);
	/* it is swept now, and its sample had its first check when that was not possible */
	go_area_put(t.a, AT_SPANS + 4 * SPAN_ROOM + t.rt.layout->mspan.sweepgen, 100, 4);
	assert_int_equal(go_spans_check(&t.rt, &rd, 100, 96, t.samples.items, t.samples.n), 0);
	assert_true(t.samples.items[4].checked && t.samples.items[4].changed);
	assert_int_equal(t.samples.items[4].span.n, 0);
	assert_false(t.samples.items[1].checked);
	spans_end(&t);
}

/* A sample that stands for others too, stands for so many that all together are what was allocated. */
static void test_weights(void **state)
{
	struct spans_test t = spans_make(24, NULL, 0);
	struct go_weights w;
	struct go_counts counts = { 0 };

	counts.allocated[3] = 1000;
	counts.seen.estimated[3] = 777;
	go_weights_begin(&w, &counts);
	counts.allocated[3] += 600 + 40;
	counts.seen.exact[3] += 40 * LT_GO_ONCE;
	counts.allocated[5] = 1000; /* and of these, hardly any */
	counts.seen.estimated[5] = LT_GO_ONCE;
	counts.allocated[4] = 50; /* of these, nobody saw any */
	counts.seen.estimated[3] += 200 * LT_GO_ONCE;
	go_weights_update(&w, &counts);
	spans_sample(&t, 0, 7, (struct lt_go_sample){ 1, 98, 100, 0, 4 * LT_GO_ONCE });
	spans_sample(&t, 0, 7, (struct lt_go_sample){ 1, 98, LT_GO_WEIGHT_MAX, 1, 4 * LT_GO_ONCE });
	spans_sample(&t, 0, 7, sample_of(2, 98, 2, 5)); /* only for itself */
	spans_sample(&t, 1, 8, (struct lt_go_sample){ 1, 98, 100, 0, 4 * LT_GO_ONCE });
	go_weights_apply(&w, &t.samples);
	assert_int_equal(t.samples.items[0].span.samples[0].weight, 300);
	assert_int_equal(t.samples.items[0].span.samples[1].weight, LT_GO_WEIGHT_MAX);
	assert_int_equal(t.samples.items[0].span.samples[2].weight, 5 * LT_GO_ONCE);
	assert_int_equal(t.samples.items[1].span.samples[0].weight, 100);
	assert_true(w.of[5] > 1 && w.of[5] < 100);
	assert_int_equal(vec_push(&t.heap.shares, (struct go_heap_share){ 3, 6, GO_YOUNG, 4, 0 }), 0);
	assert_int_equal(vec_push(&t.heap.shares, (struct go_heap_share){ 3, 6, GO_RECENT, 4, 0 }), 0);
	go_weights_apply_shares(&w, &t.heap);
	assert_true(is_near(t.heap.shares.items[0].objects, 12));
	assert_true(is_near(t.heap.shares.items[1].objects, 4));
	spans_end(&t);
}

/* What is left stands for all: as each span has the same, so many times that as there are spans. */
static void test_thin(void **state)
{
	enum { SPANS = 1024 };
	static const struct area_span none = { 0 };
	struct spans_test t = spans_make(24, &none, 0);
	const uint8_t more[LT_GO_CLASSES] = { [7] = 3, [8] = 3 };
	uint64_t weight = 0;
	size_t kept = 0;

	t.shift[8] = 2;
	for (unsigned int i = 0; i < SPANS; i++)
		spans_sample(&t, i, 7, sample_of(1, 98, 0, 3));
	spans_sample(&t, SPANS, 8, sample_of(2, 98, 0, LT_GO_WEIGHT_MAX / LT_GO_ONCE));
	spans_sample(&t, SPANS + 1, 0, sample_of(3, 98, 0, 1));
	go_samples_thin(&t.samples, t.shift, more);
	assert_false(t.samples.items[SPANS + 1].gone);
	assert_int_equal(t.samples.items[SPANS + 1].span.samples[0].weight, LT_GO_ONCE);
	t.samples.n--;
	vec_foreach(s, &t.samples) {
		const uint8_t class = s->span.spanclass;

		assert_int_equal(!s->gone, lt_go_is_followed(s->start, t.shift[class] + 3));
		assert_true(s->changed);
		kept += !s->gone && class == 7;
		weight += s->gone || class != 7 ? 0 : s->span.samples[0].weight;
	}
	assert_in_range(kept, SPANS / 8 - SPANS / 16, SPANS / 8 + SPANS / 16);
	assert_int_equal(weight, kept * 8 * 3 * LT_GO_ONCE);
	assert_int_equal(t.samples.items[SPANS].span.samples[0].weight, LT_GO_WEIGHT_MAX);
	spans_end(&t);
}

/* What was allocated of a size is the sum of three counts. */
static void test_allocated(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(releases); i++) {
		struct spans_test t = spans_make(releases[i], NULL, 0);
		const struct go_layout *l = t.rt.layout;
		uint64_t allocated[LT_GO_SIZES];

		for (unsigned int k = 0; k < GO_HEAP_STATS; k++)
			go_area_put(t.a, AT_HEAP_STATS + k * l->heapStatsDelta.size +
				    l->heapStatsDelta.smallAllocCount + 67 * 8, k == 2 ? -7ULL : 100, 8);
		assert_int_equal(go_spans_allocated(&t.rt, allocated), 0);
		assert_int_equal(allocated[67], 193);
		assert_int_equal(allocated[66], 0);
		assert_int_equal(allocated[68], 0);
		t.rt.at.heap_stats = 0;
		assert_int_equal(go_spans_allocated(&t.rt, allocated), -ENODATA);
		spans_end(&t);
	}
}

static void test_turn_lengths(void **state)
{
	assert_int_equal(go_turns_times(1), LT_GO_ONCE);
	assert_int_equal(go_turns_times(0.25), 4 * LT_GO_ONCE);
	assert_int_equal(go_turns_times(3), LT_GO_ONCE);
	assert_in_range(go_turns_times(0), LT_GO_ONCE, 100 * LT_GO_ONCE);
	assert_true(is_near(go_turns_period_ns(2000), 2 * go_turns_period_ns(1000)));
	assert_true(go_turns_period_ns(100000) >= 1e9);
}

/* BPF reads no more of a span than this. */
static void test_layouts(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(releases); i++) {
		struct go_area *a = go_area_make();
		struct go_runtime rt = go_area_runtime(a, releases[i]);
		struct lt_go_heap row;

		assert_int_equal(go_spans_layout(&rt, &row), 0);
		assert_int_equal(row.start, rt.layout->mspan.startAddr);
		assert_int_equal(row.wide, releases[i] < 22);
		free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_survivors),
		cmocka_unit_test(test_followed),
		cmocka_unit_test(test_as_before),
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_hostile_spans),
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_begin),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_thin),
		cmocka_unit_test(test_allocated),
		cmocka_unit_test(test_turn_lengths),
		cmocka_unit_test(test_layouts),
	};

	return cmocka_run_group_tests_name("go_spans", tests, NULL, NULL);
}
