/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What BPF keeps of the heap of a Go process that has no profile of its own: which stacks the objects of
 * a span come from. See bpf/go.bpf.c; user/go/spans.c makes of it how much each stack holds.
 */
#pragma once
#include "leaktrace/types.h"

#define LT_GO_SPANS	   65536 /* that are followed, of all processes */
#define LT_GO_SPAN_OBJECTS 1024 /* at most, in a span */
#define LT_GO_SAMPLES	   4	/* of a span, that are kept */
#define LT_GO_WEIGHT_MAX   (1U << 30)

/* The fields of runtime.mspan, by their offsets in it; all lie in its first LT_GO_MSPAN_BYTES. */
#define LT_GO_MSPAN_BYTES 128
#define LT_GO_CLASSES	  256 /* of spans: by the size of objects, and whether there are pointers in them */
#define LT_GO_ONCE	  16  /* lt_go_heap.times when all spans that are taken are seen */
struct lt_go_heap {
	__u8 start, freeindex, nelems, alloc_bits, sweepgen, alloc_count, spanclass;
	__u8 wide; /* freeindex and nelems take 8 bytes, not 2 */
	__u8 via;  /* of its stacks */
	__u8 reserved;
	__u16 times; /* how many a span that is taken now stands for, in parts of LT_GO_ONCE; 0: leave it */
	__u8 shift[LT_GO_CLASSES]; /* of the class's spans one in 2^shift is followed; it only grows */
};
LT_ASSERT_SIZE(struct lt_go_heap, 12 + LT_GO_CLASSES);

/* What has come of the probe where spans are taken. */
#define LT_GO_SIZES (LT_GO_CLASSES / 2)
struct lt_go_seen {
	__u64 hits;
	/* that samples were taken to stand for, in parts of LT_GO_ONCE; exact: while all were seen */
	__u64 exact[LT_GO_SIZES], estimated[LT_GO_SIZES];
};

static inline __u32 lt_go_size_class(__u8 spanclass)
{
	return spanclass >> 1;
}

/* lt_cookie.via: of the sites of go_span. */
enum lt_go_way { LT_GO_REFILL, LT_GO_LARGE };

/* Which spans are followed: always the same, and with a larger shift some of those with a smaller one. */
static inline int lt_go_is_followed(__u64 start, __u32 shift)
{
	return !((start >> 13) * 0x9e3779b97f4a7c15ULL >> 40 & ((1U << (shift & 31)) - 1));
}

struct lt_go_span_key {
	__u64 start;
	__u32 tgid, reserved;
};

/* An object of which it is known who allocated it. It stands for all that were allocated into the span
 * from then on, until it was full or given back; and for what was allocated while nobody looked. */
struct lt_go_sample {
	__u32 stack; /* the number of its slot in `stacks`, or LT_STACK_BEFORE, or LT_STACK_UNSEEN */
	__u32 generation; /* the sweepgen in which it was allocated: it lives as long as this lasts */
	__u32 weight;	  /* how many objects it stands for, in parts of LT_GO_ONCE */
	__u16 slot;	  /* the object's number in the span */
	__u16 times;	  /* how many each object of the span stood for then, in the same parts */
};
LT_ASSERT_SIZE(struct lt_go_sample, 16);

struct lt_go_span {
	__u64 at; /* its mspan */
	__u32 generation; /* when it was handed out last */
	__u8 spanclass;
	__u8 n;
	__u8 last; /* the sample that was taken then; LT_GO_SAMPLES: it has been given back since */
	__u8 taken; /* there was a sample other than of what was there before */
	struct lt_go_sample samples[LT_GO_SAMPLES];
};
LT_ASSERT_SIZE(struct lt_go_span, 80);
