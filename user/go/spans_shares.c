// SPDX-License-Identifier: Apache-2.0
/* What each stack has of the spans: see spans.h. */
#include <errno.h>
#include <leaktrace/books.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/hashmap.h"
#include "go/spans.h"

struct amount {
	double objects, bytes;
};

/* Spans of a class, and the objects in them that are recent or not. */
struct sums {
	struct amount all, followed; /* followed: of these spans */
	struct amount before;	     /* and what samples stand for of what is from before */
};

struct reading {
	struct go_heap *heap;
	struct go_samples *samples;
	const uint8_t *shift;
	uint32_t old;
	struct {
		VEC_OF(struct go_heap_share);
	} shares;
	struct hashmap by_class; /* class, age and stack -> share */
	struct sums sums[2][LT_GO_CLASSES]; /* [1]: recent */
	/* what the samples stand for; and what there is, but for what is from before */
	struct amount known[GO_AGES][LT_GO_CLASSES], is[GO_AGES][LT_GO_CLASSES];
	double was[GO_AGES][LT_GO_CLASSES]; /* heap->shares, as the reading began */
	double now[LT_GO_CLASSES]; /* the part of what is young that is as samples say now, and not on average */
};

#define LARGE_CLASSES 2 /* the first: all that are taken are seen */

static void amount_add(struct amount *to, double objects, double bytes)
{
	to->objects += objects;
	to->bytes += bytes;
}

/* -- one span --------------------------------------------------------------------------------- */

/* The object that the sample is of has not been freed since. */
static bool sample_lives(const struct go_heap_span *s, const struct lt_go_sample *sample)
{
	return sample->slot < s->nelems && (sample->generation == s->generation || go_span_bit(s, sample->slot));
}

static int share_add(struct reading *rd, enum go_age age, uint8_t class, uint32_t stack, double objects,
		     double bytes)
{
	const uint64_t key = (uint64_t)age << 40 | (uint64_t)class << 32 | stack;
	const uint64_t *at = hashmap_get(&rd->by_class, key);
	struct go_heap_share *share;
	int r;

	if (!at) {
		r = vec_push(&rd->shares, (struct go_heap_share){ .stack = stack, .class = class,
								.age = (uint8_t)age });
		if (!r)
			r = hashmap_put(&rd->by_class, key, rd->shares.n - 1);
		if (r)
			return r;
		at = hashmap_get(&rd->by_class, key);
	}
	share = &rd->shares.items[*at];
	share->objects += objects;
	share->bytes += bytes;
	amount_add(&rd->known[age][class], objects, bytes);
	return 0;
}

/* How many objects lived when the span was swept last. */
static uint32_t survivors(const struct go_heap_span *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; s->bit_bytes && i < s->nelems; i++)
		n += go_span_bit(s, i);
	return n < s->allocated ? n : s->allocated;
}

static bool in_turns(const struct reading *rd, unsigned int class)
{
	return rd->old && class >= LARGE_CLASSES;
}

static enum go_age age_of(const struct reading *rd, const struct go_heap_span *s,
			  const struct lt_go_sample *sample)
{
	if (sample->generation == s->generation)
		return GO_RECENT;
	return in_turns(rd, s->class) && sample->stack != LT_STACK_BEFORE &&
	       s->generation - sample->generation < rd->old ? GO_YOUNG : GO_OLD;
}

/*
 * Counts what the samples stand for that live and were taken since the latest sweep, or before it. Of
 * the former none has died, and what the span has handed out since, `n`, is theirs.
 */
static int divide(struct reading *rd, const struct go_heap_span *s, const struct lt_go_span *span, bool recent,
		  double n)
{
	double all = 0;
	int r = 0;

	for (unsigned int i = 0; i < span->n && i < LT_GO_SAMPLES; i++)
		if (recent == (span->samples[i].generation == s->generation))
			all += span->samples[i].weight;
	for (unsigned int i = 0; i < span->n && i < LT_GO_SAMPLES && !r; i++) {
		const struct lt_go_sample *sample = &span->samples[i];
		double objects = sample->weight / (double)LT_GO_ONCE;

		if (recent != (age_of(rd, s, sample) == GO_RECENT) || !sample_lives(s, sample))
			continue;
		if (recent && all > 0)
			objects = n * sample->weight / all * sample->times / LT_GO_ONCE;
		if (sample->stack == LT_STACK_BEFORE)
			amount_add(&rd->sums[recent][s->class].before, objects, objects * (double)s->size);
		else
			r = share_add(rd, age_of(rd, s, sample), s->class, sample->stack, objects,
				      objects * (double)s->size);
	}
	return r;
}

/* What is known of the span; NULL: nothing. */
static const struct lt_go_span *samples_of(const struct reading *rd, const struct go_heap_span *s,
					   bool followed)
{
	struct go_span_samples *found = go_samples_find(rd->samples, s->start);

	if (!found)
		return NULL;
	found->gone = !followed;
	return followed && found->span.spanclass == s->class ? &found->span : NULL;
}

static int span_count(void *ctx, const struct go_heap_span *s)
{
	struct reading *rd = ctx;
	const bool followed = lt_go_is_followed(s->start, rd->shift[s->class]);
	const struct lt_go_span *span = samples_of(rd, s, followed);
	const double size = (double)s->size;
	const uint32_t old = survivors(s);
	int r = 0;

	rd->heap->spans[s->class]++;
	for (int recent = 0; recent < 2 && !r; recent++) {
		struct sums *sums = &rd->sums[recent][s->class];
		const double n = recent ? s->allocated - old : old;

		amount_add(&sums->all, n, n * size);
		if (!followed)
			continue;
		amount_add(&sums->followed, n, n * size);
		if (!in_turns(rd, s->class) && span && !span->taken) /* so it is exact */
			amount_add(&sums->before, n, n * size);
		else if (span && !(recent && in_turns(rd, s->class))) /* what is recent is known otherwise */
			r = divide(rd, s, span, recent, n);
	}
	return r;
}

/* -- by stack --------------------------------------------------------------------------------- */

static int record_add(struct go_heap *heap, struct hashmap *by_stack, uint32_t stack, double objects,
		      double bytes)
{
	const uint64_t *at = hashmap_get(by_stack, stack);
	int r;

	if (stack == LT_STACK_UNSEEN) {
		heap->unknown_objects += objects;
		heap->unknown_bytes += bytes;
		return 0;
	}
	if (!at) {
		r = vec_push(heap, (struct go_heap_record){ .stack = stack });
		if (!r)
			r = hashmap_put(by_stack, stack, heap->n - 1);
		if (r)
			return r;
		at = hashmap_get(by_stack, stack);
	}
	heap->items[*at].inuse_objects += objects;
	heap->items[*at].inuse_bytes += bytes;
	return 0;
}

static double part_of(double n, double all)
{
	return all > 0 ? n / all : 0;
}

static double at_most(double n, double most)
{
	return n < most ? n : most;
}

/* What of the class is not from before. */
static struct amount after_of(const struct sums *s)
{
	const double scale = s->followed.objects > 0 ? s->all.objects / s->followed.objects : 0;

	return (struct amount){
		.objects = s->all.objects - at_most(s->before.objects * scale, s->all.objects),
		.bytes = s->all.bytes - at_most(s->before.bytes * scale, s->all.bytes),
	};
}

/* Counts all of a class, and what of it is from before; returns the rest. */
static struct amount class_count(struct reading *rd, bool recent, unsigned int class)
{
	const struct sums *s = &rd->sums[recent][class];
	const struct amount after = after_of(s);

	rd->heap->total_objects += s->all.objects;
	rd->heap->total_bytes += s->all.bytes;
	rd->heap->before_objects += s->all.objects - after.objects;
	rd->heap->before_bytes += s->all.bytes - after.bytes;
	return after;
}

/* The part of `after`, neither recent nor from before, that is old: what samples stand for, if there is
 * anything young. */
static double old_part(const struct reading *rd, unsigned int class, const struct amount *after, double followed)
{
	if (!(rd->was[GO_YOUNG][class] > 0))
		return 1;
	return at_most(part_of(rd->known[GO_OLD][class].objects, after->objects * followed), 1);
}

/* As much is young as there is on average, divided so; unless there is less, because much has died since
 * anything was allocated. */
static double now_part(const struct reading *rd, unsigned int class, double young)
{
	const double now = rd->known[GO_YOUNG][class].objects, was = rd->was[GO_YOUNG][class];

	if (!(now > 0) || young >= was || now >= was)
		return 0;
	return young <= now ? 1 : (was - young) / (was - now);
}

static void class_divide(struct reading *rd, unsigned int class)
{
	const struct amount after = class_count(rd, false, class);
	const struct sums *s = &rd->sums[0][class];
	const double followed = part_of(s->followed.objects, s->all.objects);
	const double old = old_part(rd, class, &after, followed);

	rd->is[GO_RECENT][class] = class_count(rd, true, class);
	rd->is[GO_OLD][class] = (struct amount){ after.objects * old, after.bytes * old };
	rd->is[GO_YOUNG][class] = (struct amount){ after.objects * (1 - old), after.bytes * (1 - old) };
	rd->now[class] = now_part(rd, class, rd->is[GO_YOUNG][class].objects * followed);
}

/* The part of what there is of the class and age that is divided as samples say now. */
static double known_part(const struct reading *rd, unsigned int age, unsigned int class)
{
	const double now = rd->known[age][class].objects, was = rd->was[age][class];
	const double part = rd->now[class];

	if (age != GO_YOUNG || !(was > 0))
		return now > 0;
	return part_of(part * now, part * now + (1 - part) * was);
}

/* Adds these parts of what there is of the share's class and age. */
static int share_record(struct reading *rd, struct hashmap *by_stack, const struct go_heap_share *s, double objects,
			double bytes)
{
	const struct amount *is = &rd->is[s->age][s->class];

	if (!(objects > 0) || !(is->objects > 0))
		return 0;
	return record_add(rd->heap, by_stack, s->stack, is->objects * objects, is->bytes * bytes);
}

/* What nothing is known of: as it was when something was. The latest shares take the place of those. */
static int nothing_divide(struct reading *rd, struct hashmap *by_stack)
{
	size_t n = 0;
	int r = 0;

	vec_foreach(s, &rd->heap->shares) {
		const double part = (1 - known_part(rd, s->age, s->class)) *
				    part_of(s->objects, rd->was[s->age][s->class]);

		if (!r)
			r = share_record(rd, by_stack, s, part, part);
		if (s->age == GO_YOUNG || !(rd->known[s->age][s->class].objects > 0))
			rd->heap->shares.items[n++] = *s;
	}
	rd->heap->shares.n = n;
	vec_foreach(s, &rd->shares)
		if (!r && s->age != GO_YOUNG)
			r = vec_push(&rd->heap->shares, *s);
	return r;
}

static void unknown_count(struct reading *rd)
{
	for (unsigned int i = 0; i < GO_AGES * LT_GO_CLASSES; i++) {
		const unsigned int age = i / LT_GO_CLASSES, class = i % LT_GO_CLASSES;

		if (rd->was[age][class] > 0 || rd->known[age][class].objects > 0)
			continue;
		rd->heap->unknown_objects += rd->is[age][class].objects;
		rd->heap->unknown_bytes += rd->is[age][class].bytes;
	}
}

static int records_make(struct reading *rd)
{
	_cleanup_(hashmap_deinit) struct hashmap by_stack = { 0 };
	int r = 0;

	vec_foreach(s, &rd->heap->shares)
		rd->was[s->age][s->class] += s->objects;
	for (unsigned int i = 0; i < LT_GO_CLASSES; i++)
		class_divide(rd, i);
	vec_foreach(s, &rd->shares) {
		const struct amount *known = &rd->known[s->age][s->class];
		const double part = known_part(rd, s->age, s->class);

		if (!r)
			r = share_record(rd, &by_stack, s, part * part_of(s->objects, known->objects),
					 part * part_of(s->bytes, known->bytes));
	}
	unknown_count(rd);
	return r ? r : nothing_divide(rd, &by_stack);
}

int go_heap_read_spans(const struct go_runtime *rt, struct go_samples *samples,
		       const uint8_t shift[LT_GO_CLASSES], uint32_t old, struct go_heap *heap)
{
	_cleanup_(go_span_reader_deinit) struct go_span_reader reader = { 0 };
	struct reading *rd = calloc(1, sizeof(*rd));
	int r;

	if (!rd)
		return -ENOMEM;
	rd->heap = heap;
	rd->samples = samples;
	rd->shift = shift;
	rd->old = old;
	heap->method = GO_HEAP_SPANS;
	heap->n = 0;
	heap->torn = 0;
	memset(heap->spans, 0, sizeof(heap->spans));
	heap->total_bytes = heap->before_bytes = heap->unknown_bytes = 0;
	heap->total_objects = heap->before_objects = heap->unknown_objects = 0;
	vec_foreach(s, samples)
		s->gone = true;
	r = go_spans_read(rt, &reader, span_count, rd, &heap->torn);
	if (!r)
		r = records_make(rd);
	vec_free(&rd->shares);
	hashmap_deinit(&rd->by_class);
	free(rd);
	return r;
}
