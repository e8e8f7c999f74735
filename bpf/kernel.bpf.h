/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stacks that begin in the kernel, where the configuration asks for them. A hook takes the kernel's frames
 * while it has its context; they are put before the user's frames when these are walked, so both make
 * the stack's id.
 */
#pragma once
#include "unwind.bpf.h"

struct lt_kernel_stack {
	u32 n, reserved;
	u64 frames[LT_MAX_KERNEL_FRAMES];
};

/* What the thread's latest hook has taken. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct lt_kernel_stack);
} kernel_stacks __weak SEC(".maps");

static __always_inline struct lt_kernel_stack *lt_kernel_stack_get(u64 flags)
{
	return bpf_task_storage_get(&kernel_stacks, bpf_get_current_task_btf(), 0, flags);
}

/* Takes them; `ctx` is the program's. */
static __always_inline void lt_kernel_stack_take(void *ctx)
{
	struct lt_kernel_stack *k = lt_kernel_stack_get(BPF_LOCAL_STORAGE_GET_F_CREATE);
	long size;

	if (!k)
		return;
	size = bpf_get_stack(ctx, k->frames, sizeof(k->frames), 0);
	k->n = size > 0 ? size / sizeof(k->frames[0]) : 0;
}

/* Puts them into a walk that has just begun. The first is where the kernel runs, not a return address. */
__weak __noinline int lt_kernel_stack_push(struct lt_walk *w)
{
	struct lt_kernel_stack *k = w ? lt_kernel_stack_get(0) : 0;

	if (!k)
		return 0;
	for (u32 i = 0; i < LT_MAX_KERNEL_FRAMES && i < k->n; i++)
		lt_push_frame(w, k->frames[i] + !i);
	return 0;
}
