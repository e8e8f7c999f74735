/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heap of a Go process by its spans. How much is in use the spans themselves say (mspan.allocCount);
 * whose it is, the samples that BPF has taken of them (bpf/go.bpf.c): an object of a span that still lives
 * tells of those that were allocated after it.
 *
 *   - A span of which nothing was seen was filled before tracing began.
 *   - What was allocated since the latest garbage collection is divided among the samples of that time.
 *   - Of what is older, samples have died as often as what they stand for: each that lives counts for all
 *     that it stands for. The sum over the spans of a class is brought to what they say is in use.
 *   - Where spans of a class are taken often, only some are followed: the others are divided as these.
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
	bool gone; /* after the reading: the span is not in use any more */
};

#define GO_SPANS_MAX (1U << 23)

/* Where the fields of a span are, for BPF. -EOPNOTSUPP: not where it could read them. */
int go_spans_layout(const struct go_runtime *rt, struct lt_go_heap *ret);
/*
 * Reads all spans: a record for each stack number of the samples, which must be sorted by `start`. `shift`,
 * by class: which spans are followed, as lt_go_is_followed(). `heap` is { 0 } at first. 0; -EOPNOTSUPP: the heap was not found; -ESRCH, -ENOMEM.
 */
int go_heap_read_spans(struct go_runtime *rt, struct go_span_samples *samples, size_t n,
		       const uint8_t shift[LT_GO_CLASSES], struct go_heap *heap);
