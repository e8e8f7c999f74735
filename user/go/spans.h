/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heap of a Go process by its spans. How much is in use the spans themselves say (mspan.allocCount);
 * whose it is, the samples that BPF has taken of them (bpf/go.bpf.c): an object of a span that still lives
 * tells of those that were allocated after it.
 *
 *   - Of what is there before tracing, some objects of each span are samples (go_spans_begin()). What
 *     of these still live is from before.
 *   - The rest of a class is divided by what the other samples of it stand for. What was allocated
 *     since the latest garbage collection is divided among the samples of that time. Of what is older,
 *     samples have died as often as what they stand for: each that lives counts for all of it.
 *   - Where not all spans that are taken are seen, what young samples stand for is now more, now less than
 *     there is, as their objects may live no longer than from one turn of looking to the next. So
 *     what is older is what its samples stand for, and the rest is divided as it was on average
 *     over some time.
 *   - Where there are very many spans, or garbage collections, only some spans are followed, chosen by
 *     their addresses: what these tell holds for the others of the class.
 *   - Those of a class of which nothing is known now are divided as they were when something was.
 *
 * So the sum is exact, and the shares are estimates: of one object in each 8 KiB. What is in use includes
 * what the garbage collector has yet to find unused.
 */
#pragma once
#include <leaktrace/go.h>
#include "go/heap.h"

struct go_span_samples {
	uint64_t start; /* of the span */
	struct lt_go_span span;
	bool gone;    /* after a reading or a check: the span is not in use any more, or not followed */
	bool checked; /* after a check: it was possible; what has died is not among the samples */
	bool changed; /* and there was such */
	bool unsure;  /* before it: the check before was not possible */
};

struct go_samples {
	VEC_OF(struct go_span_samples);
};

#define GO_SPANS_MAX (1U << 23)

/* Keeps, of each class, one in 2^more of the spans that `shift` follows; their samples stand for those of the
 * others, too. These are `gone`, and what is kept is `changed`. */
void go_samples_thin(struct go_samples *samples, const uint8_t shift[LT_GO_CLASSES],
		     const uint8_t more[LT_GO_CLASSES]);
/* By `start`. */
void go_samples_sort(struct go_samples *samples);
/* Of what is sorted; NULL: there is none. */
struct go_span_samples *go_samples_find(const struct go_samples *samples, uint64_t start);

/* A span of objects that is in use. */
struct go_heap_span {
	uint64_t at;		     /* its mspan */
	uint64_t start, bits, size;  /* size: of an object */
	uint32_t freeindex, nelems, allocated, generation;
	uint8_t class;
	const uint8_t *bit_bytes; /* of what lived when it was swept last; NULL: not read */
};

/* The room that reading spans takes; { 0 } at first. */
struct go_span_reader {
	struct go_heap_span *spans;
	struct memory_part *parts;
	struct memory_buffer mspans, bits;
};

void go_span_reader_deinit(struct go_span_reader *rd);
/* Where the fields of a span are, for BPF. -EOPNOTSUPP: not where it could read them. */
int go_spans_layout(const struct go_runtime *rt, struct lt_go_heap *ret);
/* mheap.sweepgen: 2 more with each garbage collection. 0 or a negative errno. */
int go_spans_generation(const struct go_runtime *rt, uint32_t *ret);
/* How many objects of each size have ever been allocated, by the runtime's own count: without those in spans
 * that a processor allocates from now. -ENODATA: it was not found; or another negative errno. */
int go_spans_allocated(const struct go_runtime *rt, uint64_t ret[LT_GO_SIZES]);
/* A bit of the span: the object lived when it was swept last. */
bool go_span_bit(const struct go_heap_span *s, uint32_t slot);

/*
 * Calls `each` for all spans that are in use, a batch at a time, with their bits; `*ret_torn` counts those
 * that could not be read. 0; -EOPNOTSUPP: the heap was not found; -ESRCH, -ENOMEM, or what `each`
 * returned that was not 0.
 */
int go_spans_read(const struct go_runtime *rt, struct go_span_reader *rd,
		  int (*each)(void *ctx, const struct go_heap_span *s), void *ctx, uint64_t *ret_torn);

/*
 * Some objects of each span that is in use, and followed as `shift` says, as samples of what was there
 * before: LT_STACK_BEFORE. By `start`. As go_spans_read().
 */
int go_spans_begin(const struct go_runtime *rt, const uint8_t shift[LT_GO_CLASSES], struct go_samples *ret);

/*
 * Drops the samples that had died when their spans were last swept; `n` of `samples`, which are not
 * `checked`, after the garbage collection that made `generation`. It has to be done after each one: once the
 * next has begun, another object may have taken the place. Samples that for want of it were never
 * checked are dropped, too: all that were taken after `last`, the generation of the check before.
 * A span that has not been swept yet is not `checked`: to be tried again. 0, -ESRCH or -ENOMEM.
 */
int go_spans_check(const struct go_runtime *rt, struct go_span_reader *rd, uint32_t generation, uint32_t last,
		   struct go_span_samples *samples, size_t n);

/*
 * Reads all spans: a record for each stack number of the samples, which must be sorted by `start`. `shift`,
 * by class: which spans are followed, as lt_go_is_followed(). `old`: spans are taken that nobody sees; for
 * what is of less generations than that, heap->shares count. 0: all that are taken are seen.
 * `heap` is { 0 } at first. As go_spans_read().
 */
int go_heap_read_spans(const struct go_runtime *rt, struct go_samples *samples,
		       const uint8_t shift[LT_GO_CLASSES], uint32_t old, struct go_heap *heap);
