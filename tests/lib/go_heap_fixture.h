/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of a Go process made by hand, with buckets of a profile and spans, in the layout of a release. */
#pragma once
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "go/spans.h"

#define BASE	   0x100000ULL
#define AREA_BYTES (1U << 17)

static const unsigned int releases[] = { 19, 21, 22, 23, 24, 25, 26, 27 };

/* Where things are. */
#define AT_HEAD	   (BASE + 0x100)
#define AT_CYCLE   (BASE + 0x110)
#define AT_RATE	   (BASE + 0x118)
#define AT_HEAP_STATS (BASE + 0x200)
#define AT_POINTERS (BASE + 0x1000) /* allspans */
#define AT_SPANS    (BASE + 0x2000)
#define AT_BITS	    (BASE + 0x4000)
#define AT_BUCKETS  (BASE + 0x8000)
#define BUCKET_ROOM 0x400
#define SPAN_ROOM   0x100
#define HEAP_BYTES  0x10000 /* of the mheap, up to what is read of it: at its end */
#define AT_HEAP	    (BASE + AREA_BYTES - HEAP_BYTES - 0x1000)

struct go_area {
	uint8_t bytes[AREA_BYTES];
	unsigned int reads;
	bool restless; /* the cycle counts on with each reading */
};

static inline int go_area_read(const struct memory *m, uint64_t at, void *to, size_t size)
{
	struct go_area *a = (struct go_area *)(uintptr_t)m->ctx;

	if (a->restless)
		a->bytes[AT_CYCLE - BASE] += 2;
	a->reads++;
	if (at < BASE || at - BASE > AREA_BYTES || size > AREA_BYTES - (at - BASE))
		return -EFAULT;
	memcpy(to, a->bytes + (at - BASE), size);
	return 0;
}

static inline void go_area_put(struct go_area *a, uint64_t at, uint64_t value, size_t size)
{
	memcpy(a->bytes + (at - BASE), &value, size);
}

/* NULL: there is no memory. */
static inline struct go_area *go_area_make(void)
{
	struct go_area *a = calloc(1, sizeof(*a));

	if (a)
		go_area_put(a, AT_RATE, 512 * 1024, 8);
	return a;
}

static inline bool is_near(double got, double wanted)
{
	return fabs(got - wanted) < 1e-6 * (fabs(wanted) + 1);
}

/* A runtime that is read from the area; its table and image are of no use. */
static inline struct go_runtime go_area_runtime(struct go_area *a, unsigned int minor)
{
	return (struct go_runtime){
		.memory = { .read = go_area_read, .ctx = a },
		.minor = minor,
		.layout = go_layout_next(minor, NULL),
		.at = { .mheap = AT_HEAP, .mbuckets = AT_HEAD, .mprof_cycle = AT_CYCLE,
			.mem_profile_rate = AT_RATE, .heap_stats = AT_HEAP_STATS },
		.keeps_profile = true,
	};
}

/* -- the profile ------------------------------------------------------------------------------ */

struct counts {
	uint64_t allocs, frees;
};

static inline uint64_t go_area_bucket(const struct go_runtime *rt, struct go_area *a, unsigned int number,
				      uint64_t size, uint64_t n_pcs, uint64_t next,
				      const struct counts counts[4])
{
	const struct go_layout *l = rt->layout;
	uint64_t at = AT_BUCKETS + number * BUCKET_ROOM, record = at + l->bucket.nstk + 8 + n_pcs * 8;

	go_area_put(a, at + l->bucket.allnext, next, 8);
	go_area_put(a, at + l->bucket.typ, 1, 8);
	go_area_put(a, at + l->bucket.size, size, 8);
	go_area_put(a, at + l->bucket.nstk, n_pcs, 8);
	for (uint64_t i = 0; i < n_pcs; i++)
		go_area_put(a, at + l->bucket.nstk + 8 + i * 8, 0x400000 + number * 0x1000 + i, 8);
	for (unsigned int i = 0; i < 4; i++) {
		uint64_t c = record + (i ? l->memRecord.future + (i - 1) * l->memRecordCycle.size : 0);

		go_area_put(a, c + l->memRecordCycle.allocs, counts[i].allocs, 8);
		go_area_put(a, c + l->memRecordCycle.frees, counts[i].frees, 8);
		if (l->memRecordCycle.alloc_bytes == GO_NONE)
			continue;
		go_area_put(a, c + l->memRecordCycle.alloc_bytes, counts[i].allocs * size, 8);
		go_area_put(a, c + l->memRecordCycle.free_bytes, counts[i].frees * size, 8);
	}
	return at;
}

/* -- spans ------------------------------------------------------------------------------------ */

struct area_span {
	uint64_t start, size, nelems, freeindex, allocated, generation, class, state, bits;
};

static inline void go_area_heap(const struct go_runtime *rt, struct go_area *a, uint64_t n, uint64_t sweepgen)
{
	go_area_put(a, AT_HEAP + rt->layout->mheap.sweepgen, sweepgen, 4);
	go_area_put(a, AT_HEAP + rt->layout->mheap.allspans, AT_POINTERS, 8);
	go_area_put(a, AT_HEAP + rt->layout->mheap.allspans + 8, n, 8);
	go_area_put(a, AT_HEAP + rt->layout->mheap.allspans + 16, n, 8);
}

static inline void go_area_span(const struct go_runtime *rt, struct go_area *a, unsigned int number,
				const struct area_span *s)
{
	const struct go_layout *l = rt->layout;
	const size_t wide = l->minor < 22 ? 8 : 2;
	uint64_t at = AT_SPANS + number * SPAN_ROOM, bits = AT_BITS + number * 8;

	go_area_put(a, AT_POINTERS + number * 8, at, 8);
	go_area_put(a, bits, s->bits, 8);
	go_area_put(a, at + l->mspan.startAddr, s->start, 8);
	go_area_put(a, at + l->mspan.npages, 1, 8);
	go_area_put(a, at + l->mspan.freeindex, s->freeindex, wide);
	go_area_put(a, at + l->mspan.nelems, s->nelems, wide);
	go_area_put(a, at + l->mspan.allocBits, bits, 8);
	go_area_put(a, at + l->mspan.sweepgen, s->generation, 4);
	go_area_put(a, at + l->mspan.allocCount, s->allocated, 2);
	go_area_put(a, at + l->mspan.spanclass, s->class, 1);
	go_area_put(a, at + l->mspan.state, s->state, 1);
	go_area_put(a, at + l->mspan.elemsize, s->size, 8);
}
