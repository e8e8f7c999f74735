// SPDX-License-Identifier: GPL-2.0
/*
 * exec: the process becomes another program, and all that it held is gone. Of a running process what the new one does
 * is recorded at once, as far as its files have probes; otherwise recording stops here, and goes on when user space has
 * looked at the new program. A command that leaktrace itself has started, and what has come of it, is stopped
 * meanwhile, so that nothing of it is missed. Who shared another one's memory does so no more.
 *
 * The end: of the last thread, with the CPU time that is not to be had any more a moment later; and of the
 * first one, as there are probes that go with it.
 */
#include "follow.bpf.h"

#define SIGNAL_GROUP_EXIT 4

static __always_inline void tell(const void *event, u32 size)
{
	if (bpf_ringbuf_output(&events, (void *)event, size, BPF_RB_FORCE_WAKEUP))
		lt_count(LT_COUNT_LOST_RING_FULL);
}

#define EXEC_SLOTS 256 /* many more than execs at the same moment */

/* The latest execs with which recording has begun, each in the slot that the process's id selects. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, EXEC_SLOTS);
	__type(key, u32);
	__type(value, u64);
} begun_by_exec SEC(".maps");

static __always_inline u64 this_exec(u32 tgid)
{
	return (u64)tgid << 32 | (u32)BPF_CORE_READ(bpf_get_current_task_btf(), self_exec_id);
}

static __always_inline bool known_exec(u32 tgid)
{
	u32 slot = tgid % EXEC_SLOTS;
	u64 *latest = bpf_map_lookup_elem(&begun_by_exec, &slot);

	return latest && *latest == this_exec(tgid);
}

static __always_inline int begin_by_exec(u32 tgid)
{
	u32 slot = tgid % EXEC_SLOTS;
	u64 exec = this_exec(tgid);

	if (lt_trace_begin(tgid))
		return -1;
	bpf_map_update_elem(&begun_by_exec, &slot, &exec, BPF_ANY);
	return 0;
}

/* Who shared the memory of `owner` has some of its own from now on. */
static __always_inline void born_by_exec(u32 owner, u32 tgid)
{
	if (begin_by_exec(tgid))
		lt_count(LT_COUNT_LOST_CHILD);
	else
		lt_born_here(owner, tgid);
}

/* What the first thread of a running process has made of it is recorded at once: probes in files that both programs have
 * mapped are bound to that thread, and stay. */
static __always_inline bool goes_on(u32 tgid, struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return !hold && tgid != command_tgid && lt_generation(tgid) && (int)ctx->args[1] == BPF_CORE_READ(task, pid);
}

/* A second time it does nothing. */
static __always_inline int execed(struct bpf_raw_tracepoint_args *ctx)
{
	u32 tgid = lt_tgid(), waiting = tgid | LT_TRACED_WAITING;
	u32 owner = lt_shared_space();
	struct lt_event_exec e = { .head = { .type = LT_EVENT_EXEC, .tgid = tgid } };
	struct lt_thread *t;

	if (known_exec(tgid))
		return 0;
	if (n_sharers)
		lt_sharer_gone(tgid, !follow);
	if (owner && follow && !lt_generation(tgid)) {
		born_by_exec(owner, tgid);
		return 0;
	}
	if (!(lt_generation(tgid) || lt_generation(waiting)))
		return 0;
	t = lt_thread_get();
	if (t) /* what it remembers is of another program, whatever generation comes */
		t->walk.generation = 0;
	e.recorded = goes_on(tgid, ctx);
	lt_trace_end(tgid);
	lt_trace_end(waiting);
	bpf_map_delete_elem(&processes, &tgid);
	bpf_map_delete_elem(&pythons, &tgid);
	e.ns = lt_clock_begin(lt_clock_tick());
	if (e.recorded)
		e.recorded = !begin_by_exec(tgid);
	if (tgid == command_tgid)
		command_starting = 1;
	if (!(tgid == command_tgid || hold) || !lt_stop(&e.head, sizeof(e), tgid))
		tell(&e, sizeof(e));
	return 0;
}

SEC("raw_tracepoint/sched_process_exec")
int lifecycle_exec(struct bpf_raw_tracepoint_args *ctx)
{
	return execed(ctx);
}

SEC("raw_tracepoint/sched_process_exec")
int lifecycle_exec_spare(struct bpf_raw_tracepoint_args *ctx)
{
	return execed(ctx);
}

/* -- the end --------------------------------------------------------------------------------- */

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
		if (lt_birth_over(tgid)) { /* of which nobody has heard */
			lt_trace_end(tgid);
			lt_count(LT_COUNT_CHILDREN);
			return 0;
		}
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
