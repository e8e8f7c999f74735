/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who shares the address space of a traced process (leaktrace/space.h). What such a thread group acquires
 * and releases is booked under the owner: memory always, descriptors where it shares those as well.
 *
 * A process that is not traced pays one look at a counter.
 */
#pragma once
#include "track.bpf.h"
#include "leaktrace/space.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LT_MAX_SHARERS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, struct lt_sharer);
} sharers __weak SEC(".maps");

/* Owners whose probes see whoever shares their memory. Where all probes do, `sees_sharers` says so. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LT_MAX_SHARERS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, u32);
} shared_spaces __weak SEC(".maps");

volatile __u32 sees_sharers __weak SEC(".data");
volatile __u32 n_sharers __weak SEC(".data"); /* that there are: none is the usual case */
volatile __u32 n_file_sharers __weak SEC(".data"); /* those of them that share descriptors */

/* The owner of the memory that the current process shares, should it be traced; else 0. */
static __always_inline u32 lt_shared_space(void)
{
	struct lt_sharer *s;
	u32 tgid;

	if (!enabled || !n_sharers)
		return 0;
	tgid = lt_tgid();
	s = bpf_map_lookup_elem(&sharers, &tgid);
	return s && lt_generation(s->owner) ? s->owner : 0;
}

/* In whose books the current process's memory is; 0: it is none of our business. */
static __always_inline u32 lt_traced_space(void)
{
	u32 tgid = lt_traced();

	return tgid ? tgid : lt_shared_space();
}

/* For lt_traced_files(): a process that is not traced itself. */
__weak __noinline u32 lt_shared_files(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 tgid = lt_tgid();
	struct lt_sharer *s = bpf_map_lookup_elem(&sharers, &tgid);

	if (!s || !lt_generation(s->owner))
		return 0;
	/* it may have taken a copy for itself since */
	return s->files == LT_FILES_ANY || s->files == (u64)task->files ? s->owner : 0;
}

/* In whose books the current process's descriptors are; 0: none of our business. */
static __always_inline u32 lt_traced_files(void)
{
	u32 tgid = lt_traced();

	return tgid || !enabled || !n_file_sharers ? tgid : lt_shared_files();
}

/* -- the life of a sharer ---------------------------------------------------------------------- */

/*
 * Whether the task has ever met a probe's breakpoint in its life: the kernel gives it a struct uprobe_task
 * then, and takes it away when the task gives up its memory.
 */
static __always_inline bool lt_has_met_probe(struct task_struct *task)
{
	return BPF_CORE_READ(task, utask) != 0;
}

/* The sharer is seen from here on: what it may have done to memory before is counted, and told at once. */
static __always_inline void lt_sharer_judge(struct lt_sharer *s)
{
	if (__sync_lock_test_and_set(&s->seen, 1) || !s->hit || !(config.kinds >> LT_KIND_MEMORY & 1) ||
	    !lt_generation(s->owner))
		return;
	lt_count(LT_COUNT_LOST_SHARER);
	lt_notify(LT_EVENT_SHARER, s->owner);
}

/* The sharer has ended, or become another program: `counted` as one that is not traced. A second time it does nothing. */
__weak __noinline int lt_sharer_gone(u32 tgid, bool counted)
{
	struct lt_sharer *s = bpf_map_lookup_elem(&sharers, &tgid);
	bool of_files, child;

	if (!s)
		return 0;
	s->hit |= !s->judged;
	lt_sharer_judge(s);
	of_files = s->files != 0;
	child = counted && lt_generation(s->owner);
	if (bpf_map_delete_elem(&sharers, &tgid))
		return 0;
	if (child)
		lt_count(LT_COUNT_CHILDREN);
	__sync_fetch_and_add(&n_sharers, -1);
	if (of_files)
		__sync_fetch_and_add(&n_file_sharers, -1);
	return 0;
}
