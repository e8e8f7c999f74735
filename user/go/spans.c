// SPDX-License-Identifier: Apache-2.0
#include "go/spans.h"
#include <errno.h>
#include <leaktrace/books.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"

#define BATCH	  16384 /* spans that are read at a time */
#define MSPAN_MAX 256
_Static_assert(ARRAY_SIZE(((struct go_heap *)0)->spans) == LT_GO_CLASSES, "a number for each class");

#define SPAN_IN_USE 1 /* mspan.state */
#define OBJECT_MAX  (1ULL << 47)

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
		.times = LT_GO_ONCE,
	};
	return 0;
}

int go_spans_generation(const struct go_runtime *rt, uint32_t *ret)
{
	return memory_read(&rt->memory, rt->at.mheap + rt->layout->mheap.sweepgen, ret, sizeof(*ret));
}

int go_spans_allocated(const struct go_runtime *rt, uint64_t ret[LT_GO_SIZES])
{
	const uint64_t size = rt->layout->heapStatsDelta.size;
	const uint32_t first = rt->layout->heapStatsDelta.smallAllocCount;
	uint8_t stats[GO_HEAP_STATS * GO_HEAP_STATS_MAX];
	int r = rt->at.heap_stats ? memory_read(&rt->memory, rt->at.heap_stats, stats, GO_HEAP_STATS * size)
				  : -ENODATA;

	memset(ret, 0, LT_GO_SIZES * sizeof(*ret));
	for (uint32_t i = 0; i < GO_HEAP_STATS && !r; i++)
		for (uint32_t k = 0; k < GO_SIZE_CLASSES; k++)
			ret[k] += go_field(stats, sizeof(stats), (uint32_t)(i * size) + first + k * 8, 8);
	return r;
}

static int compare_samples(const void *a, const void *b)
{
	const struct go_span_samples *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

void go_samples_sort(struct go_samples *samples)
{
	if (samples->n)
		qsort(samples->items, samples->n, sizeof(*samples->items), compare_samples);
}

struct go_span_samples *go_samples_find(const struct go_samples *samples, uint64_t start)
{
	const struct go_span_samples key = { .start = start };

	return samples->n ? bsearch(&key, samples->items, samples->n, sizeof(key), compare_samples) : NULL;
}

void go_samples_thin(struct go_samples *samples, const uint8_t shift[LT_GO_CLASSES],
		     const uint8_t more[LT_GO_CLASSES])
{
	vec_foreach(s, samples) {
		const unsigned int by = more[s->span.spanclass];

		if (!by)
			continue;
		s->gone |= !lt_go_is_followed(s->start, shift[s->span.spanclass] + by);
		s->changed = true;
		for (uint8_t i = 0; i < s->span.n && i < LT_GO_SAMPLES; i++) {
			uint32_t *weight = &s->span.samples[i].weight;

			*weight = *weight < LT_GO_WEIGHT_MAX >> by ? *weight << by : LT_GO_WEIGHT_MAX;
		}
	}
}

bool go_span_bit(const struct go_heap_span *s, uint32_t slot)
{
	return s->bit_bytes && slot < s->nelems && s->bit_bytes[slot / 8] >> (slot & 7) & 1;
}

void go_span_reader_deinit(struct go_span_reader *rd)
{
	free(rd->spans);
	free(rd->parts);
	memory_buffer_deinit(&rd->mspans);
	memory_buffer_deinit(&rd->bits);
	*rd = (struct go_span_reader){ 0 };
}

static int reader_init(struct go_span_reader *rd)
{
	if (!rd->spans)
		rd->spans = calloc(BATCH, sizeof(*rd->spans));
	if (!rd->parts)
		rd->parts = calloc(BATCH, sizeof(*rd->parts));
	return rd->spans && rd->parts ? 0 : -ENOMEM;
}

/* mspan.sweepgen says as well that a span is being swept, or is in the hands of a processor. */
static uint32_t generation_of(uint32_t sweepgen, uint32_t of_heap)
{
	if (sweepgen == of_heap - 1)
		return sweepgen - 1;
	return sweepgen & 1 ? sweepgen - 3 : sweepgen;
}

/* False: it is not in use, for objects. */
static bool span_parse(const struct go_layout *l, uint32_t sweepgen, const struct memory_part *part,
		       struct go_heap_span *ret)
{
	const uint8_t *bytes = part->bytes;
	const size_t size = l->mspan.size;
	const unsigned int wide = l->minor < 22 ? 8 : 2;

	if (go_field(bytes, size, l->mspan.state, 1) != SPAN_IN_USE)
		return false;
	*ret = (struct go_heap_span){
		.at = part->at,
		.start = go_field(bytes, size, l->mspan.startAddr, 8),
		.bits = go_field(bytes, size, l->mspan.allocBits, 8),
		.size = go_field(bytes, size, l->mspan.elemsize, 8),
		.freeindex = (uint32_t)go_field(bytes, size, l->mspan.freeindex, wide),
		.nelems = (uint32_t)go_field(bytes, size, l->mspan.nelems, wide),
		.allocated = (uint32_t)go_field(bytes, size, l->mspan.allocCount, 2),
		.generation = generation_of((uint32_t)go_field(bytes, size, l->mspan.sweepgen, 4), sweepgen),
		.class = (uint8_t)go_field(bytes, size, l->mspan.spanclass, 1),
	};
	if (ret->allocated > ret->nelems) /* read while it was changing */
		ret->allocated = ret->nelems;
	return ret->start && ret->nelems && ret->nelems <= LT_GO_SPAN_OBJECTS && ret->size < OBJECT_MAX;
}

/* Reads the bits of the first `n` of rd->spans, where there are any. */
static int bits_read(const struct go_runtime *rt, struct go_span_reader *rd, size_t n)
{
	size_t wanted = 0;
	int r;

	for (size_t i = 0; i < n; i++) {
		const struct go_heap_span *s = &rd->spans[i];

		if (s->allocated && s->bits)
			rd->parts[wanted++] = (struct memory_part){ .at = s->bits,
								    .size = (s->nelems + 63) / 64 * 8,
								    .owner = i };
	}
	r = memory_gather(&rt->memory, rd->parts, wanted, &rd->bits);
	for (size_t i = 0; i < wanted && !r; i++)
		rd->spans[rd->parts[i].owner].bit_bytes = rd->parts[i].bytes;
	return r;
}

/* Reads the spans whose mspans rd->parts[].at are, `n` of them, at most BATCH; those in use are in
 * rd->spans then, `*ret` of them. `owners`, by span: the parts' owners; NULL: they do not matter. */
static int batch_read(const struct go_runtime *rt, struct go_span_reader *rd, uint32_t sweepgen, size_t n,
		      size_t *owners, size_t *ret, uint64_t *ret_torn)
{
	size_t in_use = 0;
	int r;

	for (size_t i = 0; i < n; i++)
		rd->parts[i].size = rt->layout->mspan.size;
	r = memory_gather(&rt->memory, rd->parts, n, &rd->mspans);
	for (size_t i = 0; i < n && !r; i++) {
		*ret_torn += !rd->parts[i].bytes;
		if (!rd->parts[i].bytes || !span_parse(rt->layout, sweepgen, &rd->parts[i], &rd->spans[in_use]))
			continue;
		if (owners)
			owners[in_use] = rd->parts[i].owner;
		in_use++;
	}
	*ret = r ? 0 : in_use;
	return r ? r : bits_read(rt, rd, in_use);
}

static int compare_addresses(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int go_spans_read(const struct go_runtime *rt, struct go_span_reader *rd,
		  int (*each)(void *ctx, const struct go_heap_span *s), void *ctx, uint64_t *ret_torn)
{
	_cleanup_free_ uint64_t *pointers = NULL;
	struct go_slice all;
	uint32_t sweepgen;
	size_t in_use;
	int r;

	if (!rt->at.mheap || rt->layout->mspan.size > MSPAN_MAX)
		return -EOPNOTSUPP;
	all = go_read_slice(rt, rt->at.mheap + rt->layout->mheap.allspans);
	if (!all.n || all.n > GO_SPANS_MAX)
		return -EOPNOTSUPP;
	pointers = malloc(all.n * sizeof(*pointers));
	r = pointers ? reader_init(rd) : -ENOMEM;
	if (!r)
		r = go_spans_generation(rt, &sweepgen);
	if (!r)
		r = memory_read(&rt->memory, all.at, pointers, all.n * sizeof(*pointers));
	if (r)
		return r;
	qsort(pointers, all.n, sizeof(*pointers), compare_addresses);
	for (size_t from = 0; from < all.n && !r; from += BATCH) {
		const size_t n = all.n - from < BATCH ? all.n - from : BATCH;

		for (size_t i = 0; i < n; i++)
			rd->parts[i] = (struct memory_part){ .at = pointers[from + i] };
		r = batch_read(rt, rd, sweepgen, n, NULL, &in_use, ret_torn);
		for (size_t i = 0; i < in_use && !r; i++)
			r = each(ctx, &rd->spans[i]);
	}
	return r;
}

/* -- samples of what was there before --------------------------------------------------------- */

struct beginning {
	const uint8_t *shift;
	struct go_samples *samples;
	uint32_t sweepgen;
	uint32_t random;
};

/* All objects before freeindex have been allocated, and of those behind it what the bits say. */
static bool is_allocated(const struct go_heap_span *s, uint32_t slot)
{
	return slot < s->freeindex || go_span_bit(s, slot);
}

/* The allocated objects of the span that come `nth` in their order. */
static uint32_t nth_allocated(const struct go_heap_span *s, uint32_t nth)
{
	for (uint32_t slot = 0; slot < s->nelems; slot++)
		if (is_allocated(s, slot) && !nth--)
			return slot;
	return s->nelems;
}

/* One of each part of the span's objects, at random (Numerical Recipes' generator). */
static int begin_span(void *ctx, const struct go_heap_span *s)
{
	struct beginning *b = ctx;
	struct go_span_samples samples = { .start = s->start };
	uint32_t n = s->allocated < LT_GO_SAMPLES ? s->allocated : LT_GO_SAMPLES;

	if (!lt_go_is_followed(s->start, b->shift[s->class]) || !n)
		return 0;
	samples.span = (struct lt_go_span){ .at = s->at, .generation = b->sweepgen, .spanclass = s->class,
					    .last = LT_GO_SAMPLES };
	for (uint32_t i = 0; i < n; i++) {
		uint32_t from = s->allocated * i / n, many = s->allocated * (i + 1) / n - from, slot;

		b->random = b->random * 1664525 + 1013904223;
		slot = nth_allocated(s, from + (b->random >> 16) % many);
		if (slot >= s->nelems) /* it has changed meanwhile */
			continue;
		samples.span.samples[samples.span.n++] = (struct lt_go_sample){
			.stack = LT_STACK_BEFORE,
			.generation = go_span_bit(s, slot) ? s->generation - 2 : s->generation,
			.weight = many * LT_GO_ONCE,
			.slot = (uint16_t)slot,
			.times = LT_GO_ONCE,
		};
	}
	return vec_push(b->samples, samples);
}

int go_spans_begin(const struct go_runtime *rt, const uint8_t shift[LT_GO_CLASSES], struct go_samples *ret)
{
	_cleanup_(go_span_reader_deinit) struct go_span_reader rd = { 0 };
	struct beginning b = { .shift = shift, .samples = ret, .random = 1 };
	uint64_t torn = 0;
	int r = rt->at.mheap ? go_spans_generation(rt, &b.sweepgen) : -EOPNOTSUPP;

	if (!r)
		r = go_spans_read(rt, &rd, begin_span, &b, &torn);
	if (!r)
		go_samples_sort(ret);
	return r;
}

/* -- samples that have died ------------------------------------------------------------------- */

/* Nobody has looked since, and it may be another object by now. */
static bool is_missed(const struct go_span_samples *s, const struct lt_go_sample *sample, uint32_t generation,
		      uint32_t last)
{
	const uint32_t next = sample->generation + 2;

	if (!lt_go_size_class(s->span.spanclass)) /* BPF sees when another large object takes the place */
		return false;
	return next < generation && (next > last || (s->unsure && next == last));
}

static void drop_dead(struct go_span_samples *of, const struct go_heap_span *s, uint32_t generation,
		      uint32_t last)
{
	struct lt_go_span *span = &of->span;
	uint8_t n = 0, newest = LT_GO_SAMPLES;

	for (uint8_t i = 0; i < span->n && i < LT_GO_SAMPLES; i++) {
		const struct lt_go_sample sample = span->samples[i];

		if (sample.generation != generation &&
		    (is_missed(of, &sample, generation, last) || !go_span_bit(s, sample.slot)))
			continue;
		if (i == span->last)
			newest = n;
		span->samples[n++] = sample;
	}
	of->changed = n != span->n;
	span->n = n;
	span->last = newest;
}

int go_spans_check(const struct go_runtime *rt, struct go_span_reader *rd, uint32_t generation, uint32_t last,
		   struct go_span_samples *samples, size_t n)
{
	_cleanup_free_ size_t *owners = calloc(BATCH, sizeof(*owners));
	size_t i = 0, in_use;
	uint64_t torn = 0;
	int r = owners ? reader_init(rd) : -ENOMEM;

	while (i < n && !r) {
		size_t batch = 0;

		for (; i < n && batch < BATCH; i++) {
			if (samples[i].checked)
				continue;
			samples[i].gone = true;
			rd->parts[batch++] = (struct memory_part){ .at = samples[i].span.at, .owner = i };
		}
		r = batch_read(rt, rd, generation, batch, owners, &in_use, &torn);
		for (size_t k = 0; k < in_use && !r; k++) {
			struct go_span_samples *of = &samples[owners[k]];
			const struct go_heap_span *s = &rd->spans[k];

			of->gone = s->start != of->start || s->class != of->span.spanclass;
			of->checked = s->generation == generation;
			if (of->checked && !of->gone)
				drop_dead(of, s, generation, last);
		}
	}
	for (i = 0; i < n; i++)
		samples[i].checked |= samples[i].gone;
	return r;
}
