/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stacks that lead through code of which nothing is known yet: that of a module in the moments
 * between its loading and user space's reading of it, which is when modules allocate most. A walk
 * cannot pass such code. So a copy of the stack goes to user space, which has it walked again
 * (again.bpf.c) when it knows the code.
 *
 * Until then the stack has an id of its own, which tells stacks apart by all that may be return
 * addresses in them: those of one id are one stack.
 */
#pragma once
#include "ledger.bpf.h"
#include "unwind.bpf.h"

#define LT_DESKS	4
#define LT_LATE_WINDOWS 8	     /* that are looked at for return addresses */
#define LT_LATE_IDS	(LT_MAX_STACKS / 4) /* each takes a slot for ever */

/* Where a copy is made: a program that is preempted meanwhile keeps its desk. */
struct lt_desk {
	u32 taken;
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

static __always_inline struct lt_desk *lt_desk_take(void)
{
	for (u32 i = 0; i < LT_DESKS; i++) {
		u32 key = i;
		struct lt_desk *d = bpf_map_lookup_elem(&desks, &key);

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

/* Sends a copy of the stack that has just been walked, which has this id meanwhile. */
__weak __noinline int lt_send_copy(struct lt_walk *w, u64 id, u64 rip, u64 rsp, u64 rbp)
{
	struct lt_desk *d = w ? lt_desk_take() : 0;
	struct lt_event_copy *c;
	u32 pages = 0;
	long err;

	if (!w || !d)
		return -1;
	c = &d->copy;
	c->head.type = LT_EVENT_COPY;
	c->head.tgid = w->tgid;
	c->id = id;
	c->frames_id = lt_walk_id(w);
	c->rip = rip;
	c->rsp = rsp;
	c->rbp = rbp;
	c->base = rsp & ~(u64)(LT_COPY_PAGE - 1);
	c->kind = w->out.kind;
	c->via = w->out.via;
	c->present = 0;
	for (u32 i = 0; i < LT_COPY_PAGES && i < pages + LT_COPY_HOLE; i++)
		pages = lt_copy_page(c, i, pages);
	if (pages > LT_COPY_PAGES)
		pages = LT_COPY_PAGES;
	c->size = pages * LT_COPY_PAGE;
	err = bpf_ringbuf_output(&copies, c,
				 __builtin_offsetof(struct lt_event_copy, stack) + pages * LT_COPY_PAGE,
				 BPF_RB_NO_WAKEUP);
	__sync_lock_test_and_set(&d->taken, 0);
	return err ? -1 : 0;
}

/* The word when it may be an address of code, even of a module that is unknown yet; else 0. */
__weak __noinline u64 lt_code_word(struct lt_walk *w, u64 word)
{
	if (!w || word < LT_PAGE_MASK || word >> 47)
		return 0;
	if (lt_is_near(word, w->unknown, LT_MODULE_REACH))
		return word;
	return lt_find_mapping(w, word) ? 0 : word;
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

/* The id that the stack just walked has meanwhile. Should no copy of it be possible, it will stay cut
 * short, and is what is known of its frames. */
static __always_inline u64 lt_late_id(struct lt_walk *w, u64 rip, u64 rsp, u64 rbp)
{
	u64 at = rsp & ~7ULL, frames_id = lt_walk_id(w), id = frames_id ^ at;
	u32 number;

	if (!w->late_left)
		return frames_id;
	w->late_left--;
	w->window_size = 0;
	for (int i = 0; i < LT_LATE_WINDOWS; i++, at += sizeof(w->window)) {
		if (lt_read_user(w->window, sizeof(w->window), at))
			break;
		id = lt_hash_code(w, id);
	}
	id |= 1;
	if (lt_stack_find(id, 0, &number))
		return id;
	if (late_ids >= LT_LATE_IDS || lt_send_copy(w, id, rip, rsp, rbp))
		return frames_id;
	__sync_fetch_and_add(&late_ids, 1);
	return id;
}
