/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stacks that lead through code of which nothing is known yet: that of a module that is met for the
 * first time, which is when modules allocate most. A walk cannot pass such code. So a copy of the stack
 * goes to user space, which has it walked again (again.bpf.c) when it knows the code. With it go the
 * mappings that the stack may lead through, as they are now: when user space reads the copy they may
 * have become others.
 *
 * Until then the stack has an id of its own, which tells stacks apart by all that may be return
 * addresses in them, each by its place in its file: those of one id are one stack.
 */
#pragma once
#include "ledger.bpf.h"
#include "unwind.bpf.h"

#define LT_DESKS	4
#define LT_LATE_WINDOWS 8	     /* that are looked at for return addresses */
#define LT_COPY_WORDS	(LT_COPY_PAGES * LT_COPY_PAGE / 8)
#define LT_LATE_IDS	(config.stack_mask / 4) /* each takes a slot for ever */

/* Where a copy is made: a program that is preempted meanwhile keeps its desk. */
struct lt_desk {
	u32 taken;
	struct lt_no_code no_code;
	struct lt_vma vma;
	struct lt_event_copy copy;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LT_DESKS);
	__type(key, u32);
	__type(value, struct lt_desk);
} desks __weak SEC(".maps");

/* Not the same as `events`: when this one is full, nothing is lost but whole stacks. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} copies __weak SEC(".maps");

volatile __u32 late_ids __weak SEC(".data"); /* that have been given out */

static __always_inline struct lt_desk *lt_desk_at(u32 i)
{
	return bpf_map_lookup_elem(&desks, &i);
}

static __always_inline struct lt_desk *lt_desk_take(int *ret_number)
{
	for (u32 i = 0; i < LT_DESKS; i++) {
		struct lt_desk *d = lt_desk_at(i);

		*ret_number = i;
		if (d && !__sync_lock_test_and_set(&d->taken, 1))
			return d;
	}
	return 0;
}

/* Copies page `i` of the stack. Returns how many pages there are up to it, `pages` when it is absent. */
__weak __noinline u32 lt_copy_page(struct lt_event_copy *c, u32 i, u32 pages)
{
	if (!c || i >= LT_COPY_PAGES ||
	    lt_read_user(&c->stack[i * LT_COPY_PAGE], LT_COPY_PAGE, c->base + i * LT_COPY_PAGE))
		return pages;
	c->present |= 1U << i;
	return i + 1;
}

/* Copies the stack that has just been walked, which has this id meanwhile. Returns the number of the desk
 * where it is, or -1. */
__weak __noinline int lt_copy_take(struct lt_walk *w, u64 id, u64 rip, u64 rsp, u64 rbp)
{
	struct lt_event_copy *c;
	struct lt_desk *d;
	u32 pages = 0;
	int number;

	d = w ? lt_desk_take(&number) : 0;
	if (!w || !d)
		return -1;
	c = &d->copy;
	c->head.type = LT_EVENT_COPY;
	c->head.tgid = w->tgid;
	c->id = id;
	c->frames_id = lt_walk_id(w);
	c->generation = w->generation;
	c->rip = rip;
	c->rsp = rsp;
	c->rbp = rbp;
	c->base = rsp & ~(u64)(LT_COPY_PAGE - 1);
	c->kind = w->out.kind;
	c->via = w->out.via;
	c->present = 0;
	c->n_mappings = 0;
	for (u32 i = 0; i < LT_COPY_MAPPINGS; i++)
		c->mappings[i].start = c->mappings[i].end = 0;
	for (u32 i = 0; i < LT_COPY_PAGES && i < pages + LT_COPY_HOLE; i++)
		pages = lt_copy_page(c, i, pages);
	if (pages > LT_COPY_PAGES)
		pages = LT_COPY_PAGES;
	c->size = pages * LT_COPY_PAGE;
	return number;
}

/* Adds the mapping of a word of the copy to those that go with it, should there be code. */
__weak __noinline int lt_copy_mapping(struct lt_desk *d, u64 at)
{
	struct lt_event_copy *c = &d->copy;
	u64 is_in = 0; /* its sign: one of them has the address */
	u32 n;
	int r;

	if (!d || at <= LT_PAGE_MASK || at >> LT_ADDRESS_BITS || lt_is_no_code(&d->no_code, at))
		return 0;
	n = c->n_mappings;
	if (n >= LT_COPY_MAPPINGS)
		return 0;
	for (u32 i = 0; i < LT_COPY_MAPPINGS; i++) /* without a branch: the verifier follows each */
		is_in |= ~(at - c->mappings[i].start) & (at - c->mappings[i].end);
	if (is_in >> 63)
		return 0;
	r = lt_vma_ask(&d->vma, at);
	if (r == LT_NO_CODE)
		lt_no_code_take(&d->no_code, &d->vma.seen);
	if (r)
		return 0;
	c->mappings[n & (LT_COPY_MAPPINGS - 1)] = d->vma.seen;
	c->n_mappings = n + 1;
	return 0;
}

/* What bpf_loop() hands on, which must lie on the stack. */
struct lt_copy_call {
	struct lt_desk *desk;
};

static long lt_copy_word(u32 i, struct lt_copy_call *call)
{
	lt_copy_mapping(call->desk, *(u64 *)&call->desk->copy.stack[(i & (LT_COPY_WORDS - 1)) * 8]);
	return 0;
}

/* Sends the copy at the desk, with the mappings with code that the stack may lead through. -1: there is no
 * room. Calls nest only so deep, and here is where they nest deepest. */
static __always_inline int lt_copy_send(int number)
{
	struct lt_desk *d = lt_desk_at(number);
	struct lt_copy_call call = { d };
	u32 size;
	long err;

	if (!d)
		return -1;
	if (lt_can_ask()) {
		lt_no_code_begin(&d->no_code, &d->vma, d->copy.rsp);
		lt_copy_mapping(d, d->copy.rip);
		bpf_loop(d->copy.size / 8, lt_copy_word, &call, 0);
	}
	size = d->copy.size;
	if (size > sizeof(d->copy.stack))
		size = sizeof(d->copy.stack);
	err = bpf_ringbuf_output(&copies, &d->copy, __builtin_offsetof(struct lt_event_copy, stack) + size,
				 BPF_RB_NO_WAKEUP);
	__sync_lock_test_and_set(&d->taken, 0);
	return err ? -1 : 0;
}

/* The place in a module or an unknown file that the word may be the address of, else 0. What could not
 * be found out may be another place in another generation. */
__weak __noinline u64 lt_code_word(struct lt_walk *w, u64 word)
{
	int r;

	if (!w || word <= LT_PAGE_MASK || word >> LT_ADDRESS_BITS ||
	    lt_is_no_code(&w->no_code, word))
		return 0;
	r = lt_in_mapping(w, word) ? 0 : lt_find_mapping_here(w, word); /* calls nest only so deep */
	if (!r)
		return w->module ? LT_FRAME(w->module, word - w->bias) : word;
	if (r == LT_STRANGER)
		return w->stranger;
	if (r == LT_NOT_KNOWN && lt_is_near(word, w->unknown, LT_MODULE_REACH))
		return lt_hash_frame(word, w->generation);
	return 0;
}

/* Adds the addresses of code in the window, and where they are. */
__weak __noinline u64 lt_hash_code(struct lt_walk *w, u64 hash)
{
	if (!w)
		return 0;
	for (u32 i = 0; i < LT_WINDOW; i++)
		hash = (hash ^ lt_code_word(w, w->window[i])) * 0x9e3779b97f4a7c15ULL;
	return hash;
}

/* Reads a window of the stack at `at`; where the stack ends within it, the rest of it is 0. 1: that was the last one, -1:
 * there is none. */
__weak __noinline int lt_read_window(struct lt_walk *w, u64 at)
{
	u32 left = LT_COPY_PAGE - (at & (LT_COPY_PAGE - 1));

	if (!w)
		return -1;
	if (!lt_read_user(w->window, sizeof(w->window), at))
		return 0;
	if (left >= sizeof(w->window) || lt_read_user(w->window, left, at))
		return -1;
	return 1;
}

/* The id that the stack just walked has meanwhile. Should no copy of it be possible, it will stay cut
 * short, and is what is known of its frames. */
static __always_inline u64 lt_late_id(struct lt_walk *w, u64 rip, u64 rsp, u64 rbp)
{
	u64 at = rsp & ~7ULL, frames_id = lt_walk_id(w), id = frames_id ^ at;
	int desk, last = 0;
	u32 number;

	if (!w->late_left)
		return frames_id;
	w->late_left--;
	w->window_size = 0;
	lt_no_code_begin(&w->no_code, &w->vma, rsp);
	id = lt_hash_frame(id, lt_code_word(w, w->unknown));
	for (int i = 0; i < LT_LATE_WINDOWS && !last; i++, at += sizeof(w->window)) {
		last = lt_read_window(w, at);
		if (last < 0)
			break;
		id = lt_hash_code(w, id);
	}
	id |= 1;
	if (lt_stack_find(id, 0, &number))
		return id;
	if (late_ids >= LT_LATE_IDS)
		return frames_id;
	desk = lt_copy_take(w, id, rip, rsp, rbp);
	if (desk < 0 || lt_copy_send(desk))
		return frames_id;
	__sync_fetch_and_add(&late_ids, 1);
	return id;
}
