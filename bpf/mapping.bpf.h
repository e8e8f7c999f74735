/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an address means: which mapping holds it, and of which module.
 *
 * User space keeps a table of each process's mappings. It is some milliseconds behind, and in that time
 * the place of a library that was closed may be another's. So the table says in which generation of the
 * mappings it was read, and is believed in no other: then the kernel is asked for the mapping, here and
 * now, in the thread whose stack is walked. Files are known by what identifies them in the kernel, so
 * a library that user space has met once is known wherever it is mapped, however shortly.
 *
 * What cannot be known remains unknown: no answer is ever taken from another time.
 */
#pragma once
#include "walk.bpf.h"

/* 0: the mapping is found. Else: */
#define LT_NO_CODE   (-1) /* no code is mapped there */
#define LT_NOT_KNOWN (-2) /* it could not be found out */
#define LT_STRANGER  (-3) /* it is a file's of which nothing is known yet; w->stranger tells it from others */

#define LT_ADDRESS_BITS 47
#define LT_ASK_TRIES	16 /* the kernel does not answer while another thread changes mappings */

/* Where the kernel can be asked for mappings: Linux 5.17. Set by user space, which need not want it. */
volatile __u32 ask_kernel __weak SEC(".data");

static __always_inline void lt_take_mapping(struct lt_walk *w, const struct lt_mapping *m)
{
	w->map_start = m->start;
	w->map_end = m->end;
	w->bias = m->bias;
	w->page_base = m->page_base;
	w->module = m->module;
}

#ifdef LT_HOST
static int lt_ask_mapping(struct lt_walk *w, u64 pc)
{
	return LT_NOT_KNOWN;
}

static void lt_ask_file(struct lt_walk *w)
{
}
#else
#include "vma.bpf.h"
#endif

/* Whether the table of the process's mappings is of this generation. */
static __always_inline bool lt_table_holds(u32 tgid)
{
	struct lt_process_head *p = bpf_map_lookup_elem(&processes, &tgid);

	return p && p->generation == lt_generation(tgid);
}

/* The last of `n` sorted mappings that does not begin after `pc`; `max` is a power of two. */
static __always_inline struct lt_mapping *lt_search(struct lt_mapping *mappings, u32 n, u32 max, u64 pc)
{
	u32 lo = 0;

	if (n > max)
		n = max;
	for (u32 left = max; left && n > 1; left >>= 1) {
		u32 half = n >> 1, mid = (lo + half) & (max - 1);

		lo += half & ~(u32)((s64)(pc - mappings[mid].start) >> 63);
		n -= half;
	}
	return &mappings[lo & (max - 1)];
}

/* `any`: also in a table of another generation. */
static __always_inline int lt_find_in_table(struct lt_walk *w, u64 pc, bool any)
{
	u32 tgid = w->tgid;
	struct lt_process_head *few = bpf_map_lookup_elem(&processes, &tgid);
	struct lt_process *many;
	struct lt_mapping *m;

	if (!few || (!any && few->generation != w->generation))
		return LT_NOT_KNOWN;
	if (few->n_mappings <= LT_FEW_MAPPINGS) {
		m = lt_search(few->mappings, few->n_mappings, LT_FEW_MAPPINGS, pc);
	} else {
		many = bpf_map_lookup_elem(&large_processes, &tgid);
		if (!many || many->generation != few->generation)
			return LT_NOT_KNOWN;
		m = lt_search(many->mappings, many->n_mappings, LT_MAX_MAPPINGS, pc);
	}
	if (pc < m->start || pc >= m->end)
		return LT_NOT_KNOWN;
	lt_take_mapping(w, m);
	return 0;
}

static __always_inline int lt_find_mapping_here(struct lt_walk *w, u64 pc)
{
	if (pc <= LT_PAGE_MASK || pc >> LT_ADDRESS_BITS)
		return LT_NO_CODE;
	if (!lt_find_in_table(w, pc, false))
		return 0;
	return w->copy_size ? LT_NOT_KNOWN : lt_ask_mapping(w, pc);
}

/* Finds the mapping of `pc` and remembers it in the walk, whose generation is that of now. */
__weak __noinline int lt_find_mapping(struct lt_walk *w, u64 pc)
{
	return w ? lt_find_mapping_here(w, pc) : LT_NO_CODE;
}

/* The same, patiently. */
static __always_inline int lt_find_mapping_now(struct lt_walk *w, u64 pc)
{
	int r = lt_find_mapping(w, pc);

	for (int i = 0; i < LT_ASK_TRIES && r == LT_NOT_KNOWN && ask_kernel; i++)
		r = lt_find_mapping(w, pc);
	return r;
}

/* The walk is one of this process now: what it remembers of other times is dropped. A global function, or
 * the verifier would follow its every branch through the walk. */
__weak __noinline int lt_walk_in(struct lt_walk *w, u32 tgid)
{
	u32 generation = lt_generation(tgid);

	if (!w)
		return 0;
	w->tgid = tgid;
	if (w->generation == generation)
		return 0;
	lt_forget_steps(w);
	w->generation = generation;
	w->late_left = LT_LATE_MAX;
	return 0;
}
