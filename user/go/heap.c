// SPDX-License-Identifier: Apache-2.0
/* The profile that the runtime keeps: src/runtime/mprof.go. */
#include "go/heap.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/units.h"

#define MEM_PROFILE  1 /* bucket.typ */
#define CYCLES	     4 /* in a memRecord: active, and future[3] */
#define RECORD_BYTES 128
#define HEADER_BYTES 64
#define RATE_DEFAULT (512 * 1024)
#define READINGS     3

struct cycle {
	uint64_t allocs, frees, alloc_bytes, free_bytes;
};

/* -- the list of buckets ---------------------------------------------------------------------- */

/* 0, also when the bucket is none that makes sense; -ENOMEM. */
static int bucket_add(struct go_runtime *rt, struct go_heap *heap, uint64_t at, const uint8_t *header)
{
	const struct go_layout *l = rt->layout;
	const uint32_t stack = l->bucket.nstk + 8;
	uint64_t n = go_field(header, HEADER_BYTES, l->bucket.nstk, 8);
	struct go_bucket b = {
		.counts = at + stack + n * 8,
		.size = go_field(header, HEADER_BYTES, l->bucket.size, 8),
		.pcs = heap->pcs.n,
		.n_pcs = n,
	};

	if (go_field(header, HEADER_BYTES, l->bucket.typ, 8) != MEM_PROFILE || n > GO_BUCKET_PCS_MAX) {
		heap->torn++;
		return 0;
	}
	if (vec_reserve(&heap->pcs, n + 1))
		return -ENOMEM;
	if (n && memory_read(&rt->memory, at + stack, heap->pcs.items + heap->pcs.n, n * 8)) {
		heap->torn++;
		return 0;
	}
	heap->pcs.n += n;
	return vec_push(&heap->buckets, b);
}

static int compare_buckets(const void *a, const void *b)
{
	const struct go_bucket *x = a, *y = b;

	return x->counts < y->counts ? -1 : x->counts > y->counts;
}

/* Adds the buckets that are new: they come before those that were there. */
static int buckets_update(struct go_runtime *rt, struct go_heap *heap)
{
	uint64_t head = go_read_word(rt, rt->at.mbuckets), at = head;
	const size_t known = heap->buckets.n, known_pcs = heap->pcs.n;
	uint8_t header[HEADER_BYTES];

	for (size_t n = known; at && at != heap->head; n++) {
		int r;

		if (n >= GO_BUCKETS_MAX) {
			heap->cut = true;
			break;
		}
		r = memory_read(&rt->memory, at, header, rt->layout->bucket.nstk + 8);
		if (r == -ESRCH)
			return r;
		if (r) { /* next time, then */
			heap->torn++;
			heap->buckets.n = known;
			heap->pcs.n = known_pcs;
			return 0;
		}
		r = bucket_add(rt, heap, at, header);
		if (r)
			return r;
		at = go_field(header, HEADER_BYTES, rt->layout->bucket.allnext, 8);
	}
	heap->head = head;
	if (heap->buckets.n > known)
		qsort(heap->buckets.items, heap->buckets.n, sizeof(*heap->buckets.items), compare_buckets);
	return 0;
}

/* -- counts ----------------------------------------------------------------------------------- */

/* From 1.27 on there are no bytes in it: all objects of a bucket have one size. */
static struct cycle cycle_read(const struct go_layout *l, const uint8_t *record, unsigned int which,
			       uint64_t size)
{
	uint32_t at = which ? l->memRecord.future + (which - 1) * l->memRecordCycle.size : l->memRecord.active;
	struct cycle c;

	if (at + l->memRecordCycle.size > l->memRecord.size)
		return (struct cycle){ 0 };
	record += at;
	c.allocs = go_field(record, l->memRecordCycle.size, l->memRecordCycle.allocs, 8);
	c.frees = go_field(record, l->memRecordCycle.size, l->memRecordCycle.frees, 8);
	c.alloc_bytes = c.allocs * size;
	c.free_bytes = c.frees * size;
	if (l->memRecordCycle.alloc_bytes != GO_NONE) {
		c.alloc_bytes = go_field(record, l->memRecordCycle.size, l->memRecordCycle.alloc_bytes, 8);
		c.free_bytes = go_field(record, l->memRecordCycle.size, l->memRecordCycle.free_bytes, 8);
	}
	return c;
}

static void record_count(struct go_heap_record *to, const struct cycle *c)
{
	to->alloc_objects += c->allocs;
	to->alloc_bytes += c->alloc_bytes;
	to->free_objects += c->frees;
	to->free_bytes += c->free_bytes;
}

/*
 * As MemProfile() counts: what is active, and what the latest garbage collection has completed but not
 * yet put there. That is future[cycle % 3], which is empty when it has been put there. `all`: every
 * cycle, as before the first collection.
 */
static void records_fill(const struct go_runtime *rt, struct go_heap *heap, uint32_t cycle, bool all)
{
	heap->n = 0;
	for (size_t i = 0; i < heap->buckets.n; i++) {
		const struct go_bucket *b = &heap->buckets.items[i];
		const uint8_t *bytes = heap->parts.items[i].bytes;
		struct go_heap_record rec = { .pcs = b->pcs, .n_pcs = b->n_pcs, .size = b->size };

		if (!bytes) {
			heap->torn++;
			continue;
		}
		for (unsigned int which = 0; which < CYCLES; which++) {
			struct cycle c = cycle_read(rt->layout, bytes, which, b->size);

			if (all || !which || which - 1 == cycle % (CYCLES - 1))
				record_count(&rec, &c);
		}
		heap->items[heap->n++] = rec;
	}
}

static bool counted(const struct go_heap *heap)
{
	vec_foreach(rec, heap)
		if (rec->alloc_objects || rec->free_objects)
			return true;
	return false;
}

/* Objects of a size are sampled with a probability of 1 - exp(-size / rate). */
static void record_scale(struct go_heap_record *rec, uint64_t rate)
{
	double objects = (double)rec->alloc_objects - (double)rec->free_objects;
	double bytes = (double)rec->alloc_bytes - (double)rec->free_bytes;
	double scale = 1;

	if (!(objects > 0) || !(bytes > 0))
		return;
	if (rate > 1)
		scale = 1 / (1 - exp(-(bytes / objects) / (double)rate));
	rec->inuse_objects = objects * scale;
	rec->inuse_bytes = bytes * scale;
}

/* Reads the counts of all buckets; -EAGAIN: a collection has been completed meanwhile. */
static int counts_read(struct go_runtime *rt, struct go_heap *heap, uint32_t *ret_cycle)
{
	const uint32_t size = rt->layout->memRecord.size;
	uint32_t before = (uint32_t)go_read_word(rt, rt->at.mprof_cycle);
	int r = vec_reserve(&heap->parts, heap->buckets.n);

	if (r || size > RECORD_BYTES)
		return r ? r : -EOPNOTSUPP;
	for (size_t i = 0; i < heap->buckets.n; i++)
		heap->parts.items[i] = (struct memory_part){ .at = heap->buckets.items[i].counts,
							     .size = size };
	r = memory_gather(&rt->memory, heap->parts.items, heap->buckets.n, &heap->buffer);
	*ret_cycle = before >> 1; /* the lowest bit says whether it has been put in its place */
	return r ? r : (uint32_t)go_read_word(rt, rt->at.mprof_cycle) == before ? 0 : -EAGAIN;
}

/* -- all -------------------------------------------------------------------------------------- */

int go_heap_rate(const struct go_runtime *rt, uint64_t *ret)
{
	if (!rt->at.mem_profile_rate)
		return -EOPNOTSUPP;
	return memory_read(&rt->memory, rt->at.mem_profile_rate, ret, sizeof(*ret));
}

int go_heap_read_profile(struct go_runtime *rt, struct go_heap *heap)
{
	uint64_t rate = rt->keeps_profile ? RATE_DEFAULT : 0;
	uint32_t cycle = 0;
	int r = go_heap_rate(rt, &rate);

	if (r && r != -EOPNOTSUPP)
		return r;
	if (!rate)
		return -ENODATA;
	if (!rt->at.mbuckets || !rt->at.mprof_cycle)
		return -EOPNOTSUPP;
	heap->method = GO_HEAP_PROFILE;
	heap->rate = rate;
	heap->torn = 0;
	heap->cut = false;
	r = buckets_update(rt, heap);
	for (int i = 0; i < READINGS && (!i || r == -EAGAIN); i++)
		r = r && r != -EAGAIN ? r : counts_read(rt, heap, &cycle);
	if (r && r != -EAGAIN)
		return r;
	heap->n = 0;
	r = vec_reserve(heap, heap->buckets.n);
	if (r)
		return r;
	records_fill(rt, heap, cycle, false);
	if (!counted(heap))
		records_fill(rt, heap, cycle, true);
	vec_foreach(rec, heap)
		record_scale(rec, rate);
	return 0;
}

void go_heap_deinit(struct go_heap *heap)
{
	memory_buffer_deinit(&heap->buffer);
	vec_free(&heap->parts);
	vec_free(&heap->buckets);
	vec_free(&heap->shares);
	vec_free(&heap->pcs);
	vec_free(heap);
	*heap = (struct go_heap){ 0 };
}

const char *go_heap_words(const struct go_heap *heap, char *buf, size_t size)
{
	double known = heap->total_bytes - heap->before_bytes - heap->unknown_bytes;

	if (heap->method == GO_HEAP_SPANS)
		snprintf(buf, size, "in use by the runtime's own counts, by stack as sampled in the spans that it has "
			 "allocated from since tracing began: %s of %s; %s from before; %s of unknown origin",
			 units_bytes((uint64_t)known).s, units_bytes((uint64_t)heap->total_bytes).s,
			 units_bytes((uint64_t)heap->before_bytes).s, units_bytes((uint64_t)heap->unknown_bytes).s);
	else if (heap->rate > 1)
		snprintf(buf, size, "the program's own heap profile, as go tool pprof shows it: one sample in "
			 "%s, scaled, as of the latest garbage collection",
			 units_bytes(heap->rate).s);
	else
		snprintf(buf, size, "the program's own heap profile, of every allocation, as of the latest "
			 "garbage collection");
	return buf;
}
