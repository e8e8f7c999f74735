/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The made-up process of go_process.h, with a heap that a marker can walk: all of its goroutines wait in a
 * select, and it depends on what else knows their channels whether they are leaked.
 */
#pragma once
#include "go/leak.h"
#include "go_process.h"

/* Three spans: of the goroutines, of objects with pointers, and of some without. */
enum { GOL_SPANS = 3, GOL_G_SIZE = 0x400, GOL_OBJECTS = 0x4000, GOL_SIZE = 128, GOL_BYTES = 0x6000 };
/* Places in the bss. */
enum { GOL_ALLSPANS = 0x180, GOL_LIST = 0x200, GOL_SPAN = 0x240 };
#define GOL_SPAN_SIZE 0xc0

static inline uint64_t gol_object(unsigned int i)
{
	return GOP_HEAP + GOL_OBJECTS + i * (uint64_t)GOL_SIZE;
}

static inline uint64_t gol_span(unsigned int i)
{
	return GOP_BASE + GOP_BSS + GOL_SPAN + i * GOL_SPAN_SIZE;
}

static inline void gol_put_span(struct gop *p, unsigned int i, uint64_t start, uint64_t pages, uint64_t elem,
				uint8_t class)
{
	const struct go_layout *l = p->layout;
	const uint64_t at = gol_span(i);

	gop_put(p, GOP_BASE + GOP_BSS + GOL_LIST + i * 8, at, 8);
	gop_put(p, at + l->mspan.startAddr, start, 8);
	gop_put(p, at + l->mspan.npages, pages, 8);
	gop_put(p, at + l->mspan.nelems, pages * 8192 / elem, l->minor < 22 ? 8 : 2);
	gop_put(p, at + l->mspan.elemsize, elem, 8);
	gop_put(p, at + l->mspan.spanclass, class, 1);
	gop_put(p, at + l->mspan.state, 1, 1);
}

/* Goroutine number `i` also waits for object `channel`, by the record in object `sudog`. */
static inline void gol_wait(struct gop *p, unsigned int i, unsigned int sudog, unsigned int channel)
{
	const struct go_layout *l = p->layout;
	const uint64_t at = gol_object(sudog), behind = l->minor < 26 ? 0 : 8;
	uint64_t next = 0;

	memcpy(&next, gop_at(p, gop_g(i) + l->g.waiting, 8), 8);
	gop_put(p, at + l->sudog.g, gop_g(i), 8);
	gop_put(p, at + l->sudog.waitlink, next, 8);
	gop_put(p, at + l->sudog.c, gol_object(channel), 8);
	gop_put(p, at + l->sudog.c + behind, gol_object(channel), 8);
	gop_put(p, at + l->sudog.elem, gol_object(channel), 8); /* the value is part of the same object */
	gop_put(p, gol_object(channel) + 64, at, 8);
	gop_field(p, i, l->g.waiting, at, 8);
}

/* The variable with number `i` points at an object. */
static inline void gol_know(struct gop *p, unsigned int i, unsigned int object)
{
	gop_put(p, GOP_BASE + GOP_DATA + i * 8, object ? gol_object(object) : 0, 8);
}

/*
 * All in a select: number 0 for object 1, 1 for 2, 2 for 3, 3 for both 4 and 5, and 4 (id 18, else it runs)
 * for 6. Nothing is known yet.
 */
static inline void gol_init(struct gop *p, const struct go_layout *l, const char *version)
{
	static const unsigned int waits[][2] = { { 0, 1 }, { 1, 2 }, { 2, 3 }, { 3, 4 }, { 3, 5 }, { 4, 6 } };

	gop_init(p, l, version);
	gop_put(p, GOP_BASE + GOP_BSS + GOL_ALLSPANS, GOP_BASE + GOP_BSS + GOL_LIST, 8);
	gop_put(p, GOP_BASE + GOP_BSS + GOL_ALLSPANS + 8, GOL_SPANS, 8);
	gop_put(p, GOP_BASE + GOP_BSS + GOL_ALLSPANS + 16, GOL_SPANS, 8);
	gol_put_span(p, 0, GOP_HEAP, 2, GOL_G_SIZE, 0);
	gol_put_span(p, 1, GOP_HEAP + GOL_OBJECTS, 1, GOL_SIZE, 2);
	gol_put_span(p, 2, GOP_HEAP + GOL_BYTES, 1, 64, 5);
	gop_field(p, 4, l->g.atomicstatus, GO_WAITING, 4);
	gop_field(p, 4, l->g.waitreason, 9, 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(waits); i++)
		gol_wait(p, waits[i][0], 32 + i, waits[i][1]);
}

/* What is not in the program's code is where it was put. */
static inline void gol_find(struct go_runtime *rt)
{
	rt->at.mheap = GOP_BASE + GOP_BSS + GOL_ALLSPANS - rt->layout->mheap.allspans;
}
