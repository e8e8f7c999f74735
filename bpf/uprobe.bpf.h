/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Programs at uprobes: LT_UPROBE(NAME) { ... } instead of SEC("uprobe") int NAME(struct pt_regs *ctx).
 *
 * From Linux 6.13 on, the stack of such a program is memory of the processor, not of the task. But the
 * program can be preempted (CONFIG_PREEMPT, CONFIG_PREEMPT_LAZY) by another task that hits a probe on
 * the same processor: both runs write into one stack, what the verifier has proven of it no longer
 * holds, and the kernel panics. A program with a tail call in it is given the task's stack. The call
 * is never made: the verifier drops it, because its condition is a constant.
 *
 * Each program has a map of its own for it: those that share one must be attached in the same way.
 */
#pragma once
#include "helpers.bpf.h"

const volatile __u32 lt_never __weak SEC(".rodata");

#define LT_UPROBE(name)                                                                            \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY);                                             \
		__uint(max_entries, 1);                                                            \
		__type(key, u32);                                                                  \
		__type(value, u32);                                                                \
	} name##_tail SEC(".maps");                                                                \
	static __always_inline int name##_run(struct pt_regs *ctx);                                \
	SEC("uprobe") int name(struct pt_regs *ctx)                                                \
	{                                                                                          \
		if (lt_never)                                                                      \
			bpf_tail_call(ctx, &name##_tail, 0);                                       \
		return name##_run(ctx);                                                            \
	}                                                                                          \
	static __always_inline int name##_run(struct pt_regs *ctx)

/* Whether a session program runs at the return: there, the address is no longer the probe's. Linux 7
 * gave bpf_session_is_return() an argument, and an object can name only one of the two. */
static __always_inline int lt_is_return(struct pt_regs *ctx)
{
	return ctx->rip != bpf_get_func_ip(ctx);
}
