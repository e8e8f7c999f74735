// SPDX-License-Identifier: Apache-2.0
#include "go/spans.h"
#include <errno.h>
#include <leaktrace/books.h>
#include <stdlib.h>
#include <string.h>
#include "base/hashmap.h"

#define BATCH	      16384 /* spans that are read at a time */
#define MSPAN_MAX     256
_Static_assert(sizeof(((struct go_heap *)0)->spans) / sizeof(uint32_t) == LT_GO_CLASSES, "a number for each class");

#define SPAN_IN_USE   1 /* mspan.state */
#define OBJECT_MAX    (1ULL << 47)

struct span {
	uint64_t start, bits, size; /* size: of an object */
	uint32_t freeindex, nelems, allocated, generation;
	uint8_t class;
	bool followed;
	struct go_span_samples *samples;
	const uint8_t *bit_bytes;
};

struct reading {
	struct go_runtime *rt;
	struct go_heap *heap;
	uint32_t sweepgen; /* of the heap */
	struct {
		VEC_OF(struct go_heap_share);
	} shares;
	struct hashmap by_class; /* class and stack -> share */
	struct amount {
		double objects, bytes;
	} left[2][LT_GO_CLASSES], known[2][LT_GO_CLASSES]; /* [1]: recent */
	struct amount before[LT_GO_CLASSES];	  /* of spans that are followed: never taken since */
	struct amount others[2][LT_GO_CLASSES];	  /* of spans that are not followed */
	struct amount nothing[2][LT_GO_CLASSES];  /* of which nothing is known now */
	const uint8_t *shift;
	struct span *spans; /* BATCH of them */
	struct memory_part *parts;
	struct memory_buffer bits;
};

int go_spans_layout(const struct go_runtime *rt, struct lt_go_heap *ret)
{
	const struct go_layout *l = rt->layout;
	const uint32_t wide = l->minor < 22; /* since then uint16 */
	const uint32_t fields[] = { l->mspan.startAddr, l->mspan.freeindex, l->mspan.nelems,
				    l->mspan.allocBits, l->mspan.sweepgen, l->mspan.allocCount,
				    l->mspan.spanclass };

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i] + 8 > LT_GO_MSPAN_BYTES || l->mspan.size < LT_GO_MSPAN_BYTES)
			return -EOPNOTSUPP;
	*ret = (struct lt_go_heap){
		.start = (uint8_t)l->mspan.startAddr,
		.freeindex = (uint8_t)l->mspan.freeindex,
		.nelems = (uint8_t)l->mspan.nelems,
		.alloc_bits = (uint8_t)l->mspan.allocBits,
		.sweepgen = (uint8_t)l->mspan.sweepgen,
		.alloc_count = (uint8_t)l->mspan.allocCount,
		.spanclass = (uint8_t)l->mspan.spanclass,
		.wide = (uint8_t)wide,
	};
	return 0;
}

/* -- one span --------------------------------------------------------------------------------- */

/* mspan.sweepgen says as well that a span is being swept, or is in the hands of a processor. */
static uint32_t generation_of(uint32_t sweepgen, uint32_t of_heap)
{
	if (sweepgen == of_heap - 1)
		return sweepgen - 1;
	return sweepgen & 1 ? sweepgen - 3 : sweepgen;
}

/* False: it is not in use, for objects. */
static bool span_parse(const struct reading *rd, const uint8_t *bytes, struct span *ret)
{
	const struct go_layout *l = rd->rt->layout;
	const size_t size = l->mspan.size;
	const unsigned int wide = l->minor < 22 ? 8 : 2;

	if (go_field(bytes, size, l->mspan.state, 1) != SPAN_IN_USE)
		return false;
	*ret = (struct span){
		.start = go_field(bytes, size, l->mspan.startAddr, 8),
		.bits = go_field(bytes, size, l->mspan.allocBits, 8),
		.size = go_field(bytes, size, l->mspan.elemsize, 8),
		.freeindex = (uint32_t)go_field(bytes, size, l->mspan.freeindex, wide),
		.nelems = (uint32_t)go_field(bytes, size, l->mspan.nelems, wide),
		.allocated = (uint32_t)go_field(bytes, size, l->mspan.allocCount, 2),
		.generation = generation_of((uint32_t)go_field(bytes, size, l->mspan.sweepgen, 4),
					    rd->sweepgen),
		.class = (uint8_t)go_field(bytes, size, l->mspan.spanclass, 1),
	};
	ret->followed = lt_go_is_followed(ret->start, rd->shift[ret->class]);
	if (ret->allocated > ret->nelems) /* read while it was changing */
		ret->allocated = ret->nelems;
	return ret->start && ret->nelems && ret->nelems <= LT_GO_SPAN_OBJECTS && ret->size < OBJECT_MAX;
}

/* The object that the sample is of has not been freed since. */
static bool sample_lives(const struct span *s, const struct lt_go_sample *sample)
{
	if (sample->slot >= s->nelems)
		return false;
	if (sample->generation == s->generation)
		return true;
	return s->bit_bytes && s->bit_bytes[sample->slot / 8] >> (sample->slot & 7) & 1;
}

static int share_add(struct reading *rd, bool recent, uint8_t class, uint32_t stack, double objects,
		     double bytes)
{
	const uint64_t key = (uint64_t)recent << 40 | (uint64_t)class << 32 | stack;
	const uint64_t *at = hashmap_get(&rd->by_class, key);
	struct go_heap_share *share;
	int r;

	if (!at) {
		r = vec_push(&rd->shares, (struct go_heap_share){ .stack = stack, .class = class,
								.recent = recent });
		if (!r)
			r = hashmap_put(&rd->by_class, key, rd->shares.n - 1);
		if (r)
			return r;
		at = hashmap_get(&rd->by_class, key);
	}
	share = &rd->shares.items[*at];
	share->objects += objects;
	share->bytes += bytes;
	rd->known[recent][class].objects += objects;
	rd->known[recent][class].bytes += bytes;
	return 0;
}

/* How many objects lived when the span was swept last. */
static uint32_t survivors(const struct span *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; s->bit_bytes && i < s->nelems; i++)
		n += s->bit_bytes[i / 8] >> (i & 7) & 1;
	return n < s->allocated ? n : s->allocated;
}

/*
 * Divides `n` objects among the samples that live and were taken since the latest sweep, or before it.
 * None of the former has died, so they stand for just these. The latter have died as often as those they
 * stand for: each that lives counts for all of them, and what is too much in this span is too little in
 * others, where it has died. What remains, perhaps less than nothing, is returned in `*ret_left`.
 */
static int divide(struct reading *rd, const struct span *s, bool recent, double n, double *ret_left)
{
	const struct lt_go_span *span = &s->samples->span;
	double stand_for = 0, part = 1;
	int r = 0;

	for (unsigned int i = 0; i < span->n && i < LT_GO_SAMPLES; i++)
		if (recent == (span->samples[i].generation == s->generation) &&
		    sample_lives(s, &span->samples[i]))
			stand_for += span->samples[i].objects;
	if (recent && stand_for > 0)
		part = n / stand_for;
	for (unsigned int i = 0; i < span->n && i < LT_GO_SAMPLES && !r; i++) {
		const struct lt_go_sample *sample = &span->samples[i];
		double objects = sample->objects * part;

		if (recent == (sample->generation == s->generation) && sample_lives(s, sample))
			r = share_add(rd, recent, s->class, sample->stack, objects, objects * (double)s->size);
	}
	*ret_left = n - stand_for * part;
	return r;
}

static void amount_add(struct amount *to, double objects, double size)
{
	to->objects += objects;
	to->bytes += objects * size;
}

static int span_count(struct reading *rd, const struct span *s)
{
	const double allocated = s->allocated, size = (double)s->size;
	const uint32_t old = survivors(s);
	int r = 0;

	rd->heap->spans[s->class]++;
	rd->heap->total_objects += allocated;
	rd->heap->total_bytes += allocated * size;
	if (s->followed && !s->samples) {
		amount_add(&rd->before[s->class], allocated, size);
		return 0;
	}
	for (int recent = 0; recent < 2 && !r; recent++) {
		double n = recent ? allocated - old : old, left;

		if (!s->followed) {
			amount_add(&rd->others[recent][s->class], n, size);
			continue;
		}
		r = divide(rd, s, recent, n, &left);
		amount_add(&rd->left[recent][s->class], left, size);
	}
	return r;
}

/* -- many of them ----------------------------------------------------------------------------- */

static int compare_samples(const void *key, const void *item)
{
	const uint64_t start = *(const uint64_t *)key;
	const struct go_span_samples *s = item;

	return start < s->start ? -1 : start > s->start;
}

/* Reads the bits of those spans of which it must be known what was freed. */
static int bits_read(struct reading *rd, size_t n)
{
	size_t wanted = 0;
	int r;

	for (size_t i = 0; i < n; i++) {
		const struct span *s = &rd->spans[i];

		if ((s->samples || !s->followed) && s->allocated && s->bits)
			rd->parts[wanted++] = (struct memory_part){ .at = s->bits,
								    .size = (s->nelems + 63) / 64 * 8,
								    .owner = i };
	}
	r = memory_gather(&rd->rt->memory, rd->parts, wanted, &rd->bits);
	for (size_t i = 0; i < wanted && !r; i++)
		rd->spans[rd->parts[i].owner].bit_bytes = rd->parts[i].bytes;
	return r;
}

/* Counts the spans whose addresses are `pointers`, at most BATCH of them. */
static int batch_count(struct reading *rd, const uint64_t *pointers, size_t n,
		       struct go_span_samples *samples, size_t n_samples)
{
	size_t in_use = 0;
	int r;

	for (size_t i = 0; i < n; i++)
		rd->parts[i] = (struct memory_part){ .at = pointers[i], .size = rd->rt->layout->mspan.size };
	r = memory_gather(&rd->rt->memory, rd->parts, n, &rd->heap->buffer);
	for (size_t i = 0; i < n && !r; i++) {
		struct span *s = &rd->spans[in_use];

		rd->heap->torn += !rd->parts[i].bytes;
		if (!rd->parts[i].bytes || !span_parse(rd, rd->parts[i].bytes, s))
			continue;
		s->samples = n_samples ? bsearch(&s->start, samples, n_samples, sizeof(*samples),
						 compare_samples) : NULL;
		if (s->samples)
			s->samples->gone = false;
		if (s->samples && (!s->followed || s->samples->span.spanclass != s->class)) {
			s->samples->gone = !s->followed;
			s->samples = NULL;
		}
		in_use++;
	}
	if (!r)
		r = bits_read(rd, in_use);
	for (size_t i = 0; i < in_use && !r; i++)
		r = span_count(rd, &rd->spans[i]);
	return r;
}

static int compare_addresses(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int spans_count(struct reading *rd, struct go_span_samples *samples, size_t n_samples)
{
	const struct go_slice all = go_read_slice(rd->rt, rd->rt->at.mheap + rd->rt->layout->mheap.allspans);
	_cleanup_free_ uint64_t *pointers = NULL;
	int r;

	if (!all.n || all.n > GO_SPANS_MAX)
		return -EOPNOTSUPP;
	pointers = malloc(all.n * sizeof(*pointers));
	if (!pointers)
		return -ENOMEM;
	r = memory_read(&rd->rt->memory, all.at, pointers, all.n * sizeof(*pointers));
	if (r)
		return r;
	qsort(pointers, all.n, sizeof(*pointers), compare_addresses);
	for (size_t i = 0; i < all.n && !r; i += BATCH)
		r = batch_count(rd, pointers + i, all.n - i < BATCH ? all.n - i : BATCH, samples,
				n_samples);
	return r;
}

/* -- by stack --------------------------------------------------------------------------------- */

static int record_add(struct go_heap *heap, struct hashmap *by_stack, uint32_t stack, double objects,
		      double bytes)
{
	const uint64_t *at = hashmap_get(by_stack, stack);
	int r;

	if (stack == LT_STACK_BEFORE) {
		heap->before_objects += objects;
		heap->before_bytes += bytes;
		return 0;
	}
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

/*
 * What is known of the spans that are followed is brought to what is in them, and then, together with
 * what is from before in spans that have never been taken, to what is in all spans of the class.
 */
static double scale_of(const struct reading *rd, bool recent, unsigned int class)
{
	const double known = rd->known[recent][class].objects, left = rd->left[recent][class].objects;
	const double before = recent ? 0 : rd->before[class].objects;
	const double followed = (known > 0 ? known + left : 0) + before;

	return (1 + part_of(left, known)) * (1 + part_of(rd->others[recent][class].objects, followed));
}

/* What is from before, and what nothing is known of. */
static void rest_make(struct reading *rd, bool recent, unsigned int class)
{
	const struct amount *left = &rd->left[recent][class], *others = &rd->others[recent][class];
	const struct amount *before = &rd->before[class];
	const double known = rd->known[recent][class].objects;
	const double size = before->objects > 0 ? before->bytes / before->objects : 0;
	double followed = known > 0 ? known + left->objects : 0, more;

	if (!(known > 0))
		rd->nothing[recent][class] = *left;
	if (!recent) {
		followed += before->objects;
		more = before->objects * (1 + part_of(others->objects, followed));
		rd->heap->before_objects += more;
		rd->heap->before_bytes += more * size;
	}
	if (!(followed > 0)) {
		rd->nothing[recent][class].objects += others->objects;
		rd->nothing[recent][class].bytes += others->bytes;
	}
}

/* What nothing is known of: as it was when something was. The latest shares take the place of those. */
static int nothing_divide(struct reading *rd, struct hashmap *by_stack)
{
	struct amount was[2][LT_GO_CLASSES] = { 0 };
	size_t n = 0;
	int r = 0;

	vec_foreach(s, &rd->heap->shares)
		was[s->recent][s->class].objects += s->objects;
	vec_foreach(s, &rd->heap->shares) {
		const struct amount *nothing = &rd->nothing[s->recent][s->class];
		const double part = part_of(s->objects, was[s->recent][s->class].objects);

		if (!r && nothing->objects > 0 && part > 0)
			r = record_add(rd->heap, by_stack, s->stack, nothing->objects * part,
				       nothing->bytes * part);
		if (!(rd->known[s->recent][s->class].objects > 0))
			rd->heap->shares.items[n++] = *s;
	}
	rd->heap->shares.n = n;
	vec_foreach(s, &rd->shares)
		if (!r)
			r = vec_push(&rd->heap->shares, *s);
	for (unsigned int i = 0; i < 2 * LT_GO_CLASSES; i++) {
		if (was[i / LT_GO_CLASSES][i % LT_GO_CLASSES].objects > 0)
			continue;
		rd->heap->unknown_objects += rd->nothing[i / LT_GO_CLASSES][i % LT_GO_CLASSES].objects;
		rd->heap->unknown_bytes += rd->nothing[i / LT_GO_CLASSES][i % LT_GO_CLASSES].bytes;
	}
	return r;
}

static int records_make(struct reading *rd)
{
	_cleanup_(hashmap_deinit) struct hashmap by_stack = { 0 };
	int r = 0;

	for (unsigned int i = 0; i < 2 * LT_GO_CLASSES; i++)
		rest_make(rd, i / LT_GO_CLASSES, i % LT_GO_CLASSES);
	vec_foreach(s, &rd->shares) {
		const double scale = scale_of(rd, s->recent, s->class);

		if (!r && s->objects > 0)
			r = record_add(rd->heap, &by_stack, s->stack, s->objects * scale, s->bytes * scale);
	}
	return r ? r : nothing_divide(rd, &by_stack);
}

int go_heap_read_spans(struct go_runtime *rt, struct go_span_samples *samples, size_t n,
		       const uint8_t shift[LT_GO_CLASSES], struct go_heap *heap)
{
	struct reading *rd;
	uint64_t sweepgen;
	int r;

	if (!rt->at.mheap || rt->layout->mspan.size > MSPAN_MAX)
		return -EOPNOTSUPP;
	sweepgen = go_read_word(rt, rt->at.mheap + rt->layout->mheap.sweepgen);
	rd = calloc(1, sizeof(*rd));
	if (!rd)
		return -ENOMEM;
	rd->rt = rt;
	rd->heap = heap;
	rd->sweepgen = (uint32_t)sweepgen;
	rd->shift = shift;
	rd->spans = calloc(BATCH, sizeof(*rd->spans));
	rd->parts = calloc(BATCH, sizeof(*rd->parts));
	heap->method = GO_HEAP_SPANS;
	heap->n = 0;
	heap->torn = 0;
	memset(heap->spans, 0, sizeof(heap->spans));
	heap->total_bytes = heap->before_bytes = heap->unknown_bytes = 0;
	heap->total_objects = heap->before_objects = heap->unknown_objects = 0;
	for (size_t i = 0; i < n; i++)
		samples[i].gone = true;
	r = rd->spans && rd->parts ? spans_count(rd, samples, n) : -ENOMEM;
	if (!r)
		r = records_make(rd);
	memory_buffer_deinit(&rd->bits);
	vec_free(&rd->shares);
	hashmap_deinit(&rd->by_class);
	free(rd->spans);
	free(rd->parts);
	free(rd);
	return r;
}
