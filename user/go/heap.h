/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heap of a Go process by stack, read from outside, in one of two ways:
 *
 *   GO_HEAP_PROFILE  the profile that the runtime itself keeps, with what was allocated before tracing:
 *                    what `go tool pprof` shows of the program. A sample of what is allocated, scaled.
 *   GO_HEAP_SPANS    for a program that keeps none, as most do: how much is in use, by the runtime's own
 *                    counts, divided among the stacks by the objects that probes have seen (go/spans.h).
 *
 * The program keeps a profile when it is linked with what reads one (net/http/pprof, runtime/pprof), or
 * when its rate of sampling has been set.
 */
#pragma once
#include <stdbool.h>
#include "base/err.h"
#include "base/vec.h"
#include "go/runtime.h"

enum go_heap_method { GO_HEAP_PROFILE, GO_HEAP_SPANS };

struct go_heap_record {
	/* GO_HEAP_PROFILE: in heap->pcs, return addresses in the process, leaf first, the runtime's own
	 * functions among them. GO_HEAP_SPANS: none; `stack` is the number that the samples have, or what
	 * whoever took them makes of it */
	size_t pcs, n_pcs;
	uint64_t stack;
	uint64_t size; /* of each object; 0: various */
	/* GO_HEAP_PROFILE: the samples as recorded, not scaled */
	uint64_t alloc_objects, alloc_bytes, free_objects, free_bytes;
	double inuse_objects, inuse_bytes; /* scaled, as pprof does it; never negative */
};

/* A bucket of the profile; all but its counts stays what it is. */
struct go_bucket {
	uint64_t counts; /* where they are */
	uint64_t size;
	size_t pcs, n_pcs;
};

/* Of objects: allocated since their span was swept last; before that; and before that long ago. */
enum go_age { GO_RECENT, GO_YOUNG, GO_OLD, GO_AGES };

/* What a stack is known to have in spans of a class. */
struct go_heap_share {
	uint32_t stack;
	uint8_t class, age; /* enum go_age */
	double objects, bytes;
};

struct go_heap {
	enum go_heap_method method;
	VEC_OF(struct go_heap_record);
	struct {
		VEC_OF(uint64_t);
	} pcs;
	uint64_t rate; /* GO_HEAP_PROFILE: bytes between samples, on average */
	uint64_t torn; /* records and spans that could not be made out */
	bool cut;      /* there was more than is read: GO_BUCKETS_MAX */
	/* GO_HEAP_SPANS: all that is in use, which is the sum of the records and of these */
	double total_bytes, before_bytes, unknown_bytes;
	double total_objects, before_objects, unknown_objects;

	/* GO_HEAP_PROFILE: what is known from one reading to the next */
	struct {
		VEC_OF(struct go_bucket); /* by `counts` */
	} buckets;
	uint64_t head; /* the bucket that was first in the list */
	/* GO_HEAP_SPANS: of each class, when something was known of it last */
	struct {
		VEC_OF(struct go_heap_share);
	} shares;
	uint32_t spans[256];  /* of each class, that are in use */
	struct memory_buffer buffer;
	struct {
		VEC_OF(struct memory_part);
	} parts;
};

#define GO_BUCKETS_MAX	   (1U << 18)
#define GO_BUCKET_PCS_MAX  1088 /* runtime: maxProfStackDepth, and a little more */

/*
 * Reads the profile, a record for each of the runtime's buckets, also those of which nothing is in use.
 * `heap` is { 0 } at first; given again, only what is new or changes is read. As with pprof, it is the
 * heap as of the latest complete garbage collection. 0; -ENODATA: the program keeps no profile;
 * -EOPNOTSUPP: it was not found; -ESRCH, -ENOMEM.
 */
int go_heap_read_profile(struct go_runtime *rt, struct go_heap *heap);
void go_heap_deinit(struct go_heap *heap);

/* How exact a method is, in words: "a sample of one in 512 KiB, scaled, as go tool pprof shows it". */
const char *go_heap_words(const struct go_heap *heap, char *buf, size_t size);

/* The rate of sampling that the program has now; 0: it does not sample. -EOPNOTSUPP: it was not found. */
int go_heap_rate(const struct go_runtime *rt, uint64_t *ret);
