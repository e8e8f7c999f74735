/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All maps. They are weak: every .bpf.c file that includes this header means the same ones once
 * `bpftool gen object` has linked the files. Sizes are upper bounds; user space sets the real ones.
 */
#pragma once
#include "helpers.bpf.h"
#include "leaktrace/books.h"
#include "leaktrace/counters.h"

const volatile struct lt_config config __weak SEC(".rodata");

/* What a JIT has compiled may take the place of other code: stacks of different epochs are different ones. */
volatile __u32 jit_epoch __weak SEC(".data");

/* -- unwind tables, written by user space --------------------------------------------------- */

struct lt_chunk {
	u32 rows[LT_CHUNK_ROWS];
};

struct lt_chunk_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	/* by size: clang leaves out the type of an inner map's value */
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(struct lt_chunk));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, LT_MAX_CHUNKS);
	__type(key, u32);
	__array(values, struct lt_chunk_map);
} chunks __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LT_MAX_PAGES);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, u64); /* chunk << 48 | rows << 32 | first row */
} pages __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LT_MAX_RULES);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct lt_rule);
} rules __weak SEC(".maps");

/* The traced processes; a process that is not here is none of our business. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LT_PROCESSES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, struct lt_process_head);
} processes __weak SEC(".maps");

/* Those with more mappings. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LT_PROCESSES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, struct lt_process);
} large_processes __weak SEC(".maps");

/* Files with code, and what is known of them. BPF adds those that it asks user space for. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct lt_file_key);
	__type(value, struct lt_file);
} files __weak SEC(".maps");

/* The generations of processes that share a slot of `traced`. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LT_PROCESSES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, u32);
} generations __weak SEC(".maps");

/* The traced processes at a glance, without a call: each in the slot that its id selects (LT_TRACED). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LT_TRACED_SLOTS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, u64);
} traced __weak SEC(".maps");

/* The generation of the process's mappings; 0: it is not traced. */
static __always_inline u32 lt_generation(u32 tgid)
{
	u32 slot = tgid % LT_TRACED_SLOTS;
	u64 *there = bpf_map_lookup_elem(&traced, &slot);
	u32 *generation;

	if (!there)
		return 0;
	if ((u32)*there == tgid)
		return *there >> 32;
	if (!LT_TRACED_IS_MANY(*there))
		return 0;
	generation = bpf_map_lookup_elem(&generations, &tgid);
	return generation ? *generation : 0;
}

#define LT_NEXT_TRIES 8

/* The process's mappings are others from now on. A try fails only where somebody else does the same. */
static __always_inline void lt_mappings_changed(u32 tgid)
{
	u32 slot = tgid % LT_TRACED_SLOTS, *generation;
	u64 *there = bpf_map_lookup_elem(&traced, &slot);

	if (!there)
		return;
	for (int i = 0; i < LT_NEXT_TRIES; i++) {
		u64 old = *(volatile u64 *)there;

		if ((u32)old != tgid)
			break;
		if (__sync_val_compare_and_swap(there, old,
						LT_TRACED(tgid, lt_next_generation(old >> 32))) == old)
			return;
	}
	generation = bpf_map_lookup_elem(&generations, &tgid);
	if (generation && __sync_fetch_and_add(generation, 1) == ~0U)
		*generation = lt_next_generation(~0U);
}

/* -- the books, written by ledger.bpf.h ----------------------------------------------------- */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LT_HOLDING_SETS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct lt_holding_set);
} outstanding __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LT_MAX_SPILLED);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct lt_holding_key);
	__type(value, struct lt_holding);
} spilled __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LT_MAX_STACKS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct lt_stack);
} stacks __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
} events __weak SEC(".maps");

struct lt_counters {
	u64 n[LT_COUNT_MAX];
};

/* Per CPU only to keep CPUs apart: a program can be preempted, so additions are atomic all the same. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct lt_counters);
} counters __weak SEC(".maps");

static __always_inline void lt_count_add(enum lt_counter which, u64 n)
{
	u32 zero = 0;
	struct lt_counters *c = bpf_map_lookup_elem(&counters, &zero);

	if (c)
		__sync_fetch_and_add(&c->n[which], n);
}

static __always_inline void lt_count(enum lt_counter which)
{
	lt_count_add(which, 1);
}
