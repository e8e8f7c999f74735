/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a Go program's heap can be reached, as its garbage collector would find out, but from outside
 * and while the program runs: a mark for each object, and nothing of the heap is kept. Algorithm:
 * src/runtime/mgcmark.go.
 *
 * Work waits as spans, not as objects: a span is read as a whole, and all of its objects that were met
 * so far are scanned then (the idea is that of src/runtime/mgcmark_greenteagc.go). Words of objects that
 * may hold pointers are taken for pointers when they point into the heap; objects of spans without
 * pointers are not read.
 *
 * Memory: two bits for each object, 8 bytes at least, of the heap; 4 bytes for each page of 8 KiB.
 */
#pragma once
#include <stdbool.h>
#include "base/err.h"
#include "base/hashmap.h"
#include "base/vec.h"
#include "go/runtime.h"

struct go_span {
	uint64_t start, size, elem; /* elem: the size of its objects */
	uint64_t specials;	    /* the first of its records of finalizers and the like */
	uint64_t bits;		    /* index of the first object's bit, a multiple of 64 */
	uint32_t n;		    /* objects */
	bool noscan;		    /* they have no pointers */
	bool queued;
};

/* Weak pointers to the object point to the handle. */
struct go_weak {
	uint64_t handle, object;
	bool kept; /* the garbage collector keeps the object */
};

/* When it has to be done, CLOCK_MONOTONIC: the sooner of both. `until_ns` may be set meanwhile; 0 or NULL: none. */
struct go_mark_end {
	uint64_t ns;
	const _Atomic uint64_t *until_ns;
};

struct go_mark {
	const struct go_runtime *rt;
	struct {
		VEC_OF(struct go_span);
	} spans;
	uint64_t low, high;		    /* what all spans are in; multiples of CHUNK_SIZE */
	/* of each 64 MiB from `low` on: for each page the index of its span, and 1 */
	uint32_t **chunks;
	uint64_t *marked, *scanned, n_bits; /* scanned: or hidden */
	uint32_t *queue;		    /* a ring of spans with objects to be scanned */
	size_t queue_at, n_queued;
	struct {
		VEC_OF(struct go_weak);
	} weak;
	bool kept_known;		    /* of the weak pointers there are */
	struct memory_buffer buffer;
	uint8_t *scratch;
	uint64_t heap, scannable;	    /* bytes of spans, and of those that hold pointers */
	uint64_t bytes_read, unread;	    /* unread: spans or roots that could not be read */
	struct go_mark_end end;
};

/*
 * Reads where the heap is; nothing is marked yet. -E2BIG, with words: spans of more than `heap_max`
 * bytes; -EOPNOTSUPP: they cannot be found; -EAGAIN: they make no sense; -ESRCH, -ENOMEM.
 */
int go_mark_init(struct go_mark *m, const struct go_runtime *rt, uint64_t heap_max, struct err *e);
/* Reads again where the heap is, when nothing waits to be scanned: marks stay where it is as it was. As
 * above; the heap is as before when it fails. */
int go_mark_renew(struct go_mark *m, uint64_t heap_max, struct err *e);
void go_mark_deinit(struct go_mark *m);

/* Marks what `word` points into, if it does. */
void go_mark_word(struct go_mark *m, uint64_t word);
/* All words of `size` bytes, which need not be aligned. */
void go_mark_words(struct go_mark *m, const void *bytes, size_t size);
/* The same of [at, at + size) in the process. */
void go_mark_range(struct go_mark *m, uint64_t at, uint64_t size);
/* Is it marked, or no part of the heap? */
bool go_mark_has(const struct go_mark *m, uint64_t at);
/* The object at `at`: its start, or 0 when there is none. */
uint64_t go_mark_object(const struct go_mark *m, uint64_t at, uint64_t *ret_size);
/* The object at `at` is not scanned, even when it is marked; and the end of that, for a marked one. */
void go_mark_hide(struct go_mark *m, uint64_t at);
void go_mark_show(struct go_mark *m, uint64_t at);
bool go_mark_is_over(const struct go_mark *m);
/* Scans all that is marked and whatever is met thereby. 0; -ETIMEDOUT, -ESRCH, -ENOMEM. */
int go_mark_drain(struct go_mark *m);

/* Marks what the program's variables and the heap's special records point to (mark_roots.c). */
int go_mark_roots(struct go_mark *m);

/* -- stacks (mark_stack.c) -------------------------------------------------------------------- */

/* Where a goroutine stands. */
struct go_stand {
	uint64_t address; /* of its struct g */
	uint64_t low, high, pc, sp;
	bool parked; /* in a call, so that the compiler's maps of its stack hold; else all of it counts */
};

/* What the compiler says of the frames at addresses that were met. */
struct go_maps {
	struct hashmap by_pc; /* index into frames */
	struct {
		VEC_OF(struct go_frame_map);
	} frames;
	uint64_t rodata;
	uint8_t *stack;
	size_t stack_cap;
	struct {
		VEC_OF(struct go_stack_object);
	} objects;
	struct {
		VEC_OF(uint64_t);
	} met; /* addresses on the stack that are pointed to */
};

/* Marks what the stack of a goroutine and its struct g point to. 0, -ENOMEM. */
int go_mark_stack(struct go_mark *m, struct go_maps *maps, const struct go_stand *g);
void go_maps_deinit(struct go_maps *maps);

/* Only for user/go/mark*.c. */
#define GO_PAGE	      8192
#define GO_CHUNK_BITS 26
#define GO_CHUNK      (1ULL << GO_CHUNK_BITS)
#define GO_SCRATCH    (1U << 20)

static inline struct go_span *go_mark_span(const struct go_mark *m, uint64_t at)
{
	const uint64_t offset = at - m->low;
	const uint32_t *pages;
	uint32_t index;

	if (offset >= m->high - m->low)
		return NULL;
	pages = m->chunks[offset >> GO_CHUNK_BITS];
	if (!pages)
		return NULL;
	index = pages[(offset & (GO_CHUNK - 1)) / GO_PAGE];
	return index ? &m->spans.items[index - 1] : NULL;
}
