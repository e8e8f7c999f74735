// SPDX-License-Identifier: GPL-2.0
/*
 * exec: the process becomes another program, and all that it held is gone. Recording stops here; it
 * goes on when user space has looked at the new program. A command that leaktrace itself has
 * started is stopped meanwhile, so that nothing of it is missed. Who shared another one's memory does so
 * no more.
 *
 * The end: of the last thread, with the CPU time that is not to be had any more a moment later; and of the
 * first one, as there are probes that go with it.
 */
#include "space.bpf.h"

#define SIGNAL_GROUP_EXIT 4

/* A second time it does nothing. */
static __always_inline int execed(void)
{
	u32 tgid = lt_tgid(), waiting = tgid | LT_TRACED_WAITING, slot = tgid % LT_TRACED_SLOTS;
	u64 *there = bpf_map_lookup_elem(&traced, &slot);
	struct lt_thread *t;

	if (n_sharers)
		lt_sharer_gone(tgid, true);
	if (!there || !(lt_generation(tgid) || lt_generation(waiting)))
		return 0;
	t = lt_thread_get();
	if (t) /* what it remembers is of another program, whatever generation comes */
		t->walk.generation = 0;
	if (((u32)*there | LT_TRACED_WAITING) == waiting)
		*there = 0;
	bpf_map_delete_elem(&generations, &tgid);
	bpf_map_delete_elem(&generations, &waiting);
	bpf_map_delete_elem(&processes, &tgid);
	if (tgid == command_tgid) {
		command_starting = 1;
		bpf_send_signal(SIGSTOP);
	}
	lt_notify(LT_EVENT_EXEC, tgid);
	return 0;
}

SEC("raw_tracepoint/sched_process_exec")
int lifecycle_exec(void *ctx)
{
	return execed();
}

SEC("raw_tracepoint/sched_process_exec")
int lifecycle_exec_spare(void *ctx)
{
	return execed();
}

/* -- the end --------------------------------------------------------------------------------- */

static __always_inline void tell(const void *event, u32 size)
{
	if (bpf_ringbuf_output(&events, (void *)event, size, BPF_RB_FORCE_WAKEUP))
		lt_count(LT_COUNT_LOST_RING_FULL);
}

static __always_inline void tell_exit(struct task_struct *task, u32 tgid)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct lt_event_exit e = { .head = { .type = LT_EVENT_EXIT, .tgid = tgid } };

	e.cpu_ns = BPF_CORE_READ(task, signal, sum_sched_runtime) + BPF_CORE_READ(task, se.sum_exec_runtime);
	if (leader != task) /* it stays until all others are gone */
		e.cpu_ns += BPF_CORE_READ(leader, se.sum_exec_runtime);
	tell(&e, sizeof(e));
}

/* In the context of the thread that ends. A second time it says the same again. */
static __always_inline int ended(struct task_struct *task)
{
	struct lt_event leader = { .type = LT_EVENT_LEADER };
	u32 tgid = lt_traced();

	if (!tgid)
		return 0;
	if (!BPF_CORE_READ(task, signal, live.counter)) {
		tell_exit(task, tgid);
	} else if (BPF_CORE_READ(task, pid) == BPF_CORE_READ(task, tgid) &&
		   !(BPF_CORE_READ(task, signal, flags) & SIGNAL_GROUP_EXIT)) {
		leader.tgid = tgid;
		tell(&leader, sizeof(leader));
	}
	return 0;
}

#define AT_END(name)                                                                               \
	SEC("raw_tracepoint/sched_process_exit") int name(struct bpf_raw_tracepoint_args *ctx)     \
	{                                                                                          \
		return ended((void *)ctx->args[0]);                                                \
	}

AT_END(lifecycle_exit)
AT_END(lifecycle_exit_spare)
