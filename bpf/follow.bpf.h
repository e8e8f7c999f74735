/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Processes that come of traced ones. From its first instruction on such a process is in `traced`, so what
 * the kernel's hooks see of it is booked at once; its probes are attached by user space, some milliseconds
 * later. Where nothing of it may be missed it is held meanwhile.
 */
#pragma once
#include "space.bpf.h"

/* Children are followed. */
volatile __u32 follow __weak SEC(".data");

/* How many there are in `births`: every system call of the machine asks for it while there may be some. */
volatile __u32 n_births __weak SEC(".data");

/* Those that are to be held when they come to their first instruction, and the process each has come of. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LT_MAX_BIRTHS);
	__type(key, u32);
	__type(value, u32);
} births __weak SEC(".maps");

/* -- who is traced ------------------------------------------------------------------------------ */

/* How many processes have been traced so far, also by user space (user/probe/mappings.c): each has
 * generations of its own. */
volatile __u32 n_begun __weak SEC(".data");

/* A process is traced from here on, with mappings of which nothing is known yet. Not 0: there is no room. */
static __always_inline int lt_trace_begin(u32 tgid)
{
	u32 slot = tgid % LT_TRACED_SLOTS, generation;
	u64 *there = bpf_map_lookup_elem(&traced, &slot);

	if (!there)
		return -1;
	generation = lt_first_generation(__sync_fetch_and_add(&n_begun, 1) + 1);
	for (int i = 0; i < LT_NEXT_TRIES; i++) {
		u64 old = *(volatile u64 *)there;
		bool many = LT_TRACED_IS_MANY(old);
		u64 now = old ? LT_TRACED_MANY(many ? (old >> 32) + 1 : 2) : LT_TRACED(tgid, generation);
		u32 other = old, others = lt_next_generation(old >> 32);

		if (old && bpf_map_update_elem(&generations, &tgid, &generation, BPF_ANY))
			return -1;
		if (old && !many && bpf_map_update_elem(&generations, &other, &others, BPF_ANY))
			return -1;
		if (__sync_val_compare_and_swap(there, old, now) == old)
			return 0;
	}
	return -1;
}

/* It is not traced any more. A second time it does nothing. */
static __always_inline void lt_trace_end(u32 id)
{
	u32 slot = id % LT_TRACED_SLOTS;
	u64 *there = bpf_map_lookup_elem(&traced, &slot);
	bool known = false;

	for (int i = 0; there && i < LT_NEXT_TRIES; i++) {
		u64 old = *(volatile u64 *)there, n = old >> 32;

		if (LT_TRACED_IS_MANY(old) && !known && bpf_map_delete_elem(&generations, &id))
			return;
		known |= LT_TRACED_IS_MANY(old);
		if (!known && (u32)old != id)
			return;
		if (__sync_val_compare_and_swap(there, old, known && n > 1 ? LT_TRACED_MANY(n - 1) : 0) == old)
			return;
	}
}

/* -- births ------------------------------------------------------------------------------------- */

/* `tgid` has come of `parent`. Who cannot be told of is not traced. */
static __always_inline void lt_tell_born(u32 parent, u32 tgid, bool held)
{
	struct lt_event_born e = {
		.head = { .type = LT_EVENT_BORN, .tgid = parent },
		.tgid = tgid,
		.held = held,
		.ns = bpf_ktime_get_ns(),
	};

	if (!bpf_ringbuf_output(&events, &e, sizeof(e), BPF_RB_FORCE_WAKEUP))
		return;
	if (held) /* nobody else would */
		bpf_send_signal(SIGCONT);
	lt_trace_end(tgid);
	lt_count(LT_COUNT_LOST_CHILD);
}

/* The same in its own context, where it can be held. */
static __always_inline void lt_born_here(u32 parent, u32 tgid)
{
	lt_tell_born(parent, tgid, hold && !bpf_send_signal(SIGSTOP));
}

/* In its parent's context, before it has run. */
static __always_inline void lt_born(u32 parent, u32 tgid)
{
	if (lt_trace_begin(tgid))
		lt_count(LT_COUNT_LOST_CHILD);
	else if (!hold || bpf_map_update_elem(&births, &tgid, &parent, BPF_NOEXIST))
		lt_tell_born(parent, tgid, false);
	else
		__sync_fetch_and_add(&n_births, 1);
}

/* It has come to its first instruction, or to its end before. False: it is none of those, or has been dealt with. */
static __always_inline bool lt_birth_over(u32 tgid)
{
	if (!n_births || bpf_map_delete_elem(&births, &tgid))
		return false;
	__sync_fetch_and_add(&n_births, -1);
	return true;
}
