// SPDX-License-Identifier: GPL-2.0
/*
 * Children. Those with memory of their own are followed (follow.bpf.h), or else counted, so that the report can say
 * so. Those that share their parent's address space are entered when they are made, and leave when they end or
 * become another program, which has memory of its own.
 *
 * Probes that are filtered by thread group do not see such a child until it has some of its own. Nearly all
 * children of this sort are between vfork and exec, and never touch memory that others hold. Whether one did
 * is told by the kernel itself: a task that has met no breakpoint of any probe in its life called nothing
 * that we trace. So these cost nothing and spoil nothing, and the others are counted.
 */
#include "follow.bpf.h"
#include "task.bpf.h"

#define CLONE_VM     0x100
#define CLONE_FILES  0x400
#define CLONE_VFORK  0x4000
#define CLONE_THREAD 0x10000

#define CHILD_SLOTS 256 /* many more than children that are made at the same moment */

/* A sharer makes a thread: whether that meets probes is not followed. */
static __always_inline void thread_made(void)
{
	u32 tgid = lt_tgid();
	struct lt_sharer *s = bpf_map_lookup_elem(&sharers, &tgid);

	if (s)
		s->hit = 1;
}

/* The latest children that were counted, each in the slot that its id selects: when it was made. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CHILD_SLOTS);
	__type(key, u32);
	__type(value, u64);
} counted_children SEC(".maps");

/* A child with memory of its own. */
static __always_inline void fork_made(struct task_struct *task)
{
	u64 made = BPF_CORE_READ(task, start_time), *counted;
	u32 slot = (u32)BPF_CORE_READ(task, pid) % CHILD_SLOTS, parent = lt_traced_space(), pid;

	counted = parent ? bpf_map_lookup_elem(&counted_children, &slot) : 0;
	if (!counted || __sync_lock_test_and_set(counted, made) == made)
		return;
	pid = follow ? lt_visible_pid(task) : 0;
	if (pid)
		lt_born(parent, pid);
	else
		lt_count(LT_COUNT_CHILDREN);
}

/* In the context of the parent, before the child runs. A second time it does nothing. */
static __always_inline int child_made(struct task_struct *task, u64 flags)
{
	struct lt_sharer s = { .task = (u64)task, .vforked = (flags & CLONE_VFORK) != 0 };
	u32 pid;

	if (!enabled)
		return 0;
	if (!(flags & CLONE_VM)) {
		fork_made(task);
		return 0;
	}
	if (flags & CLONE_THREAD) {
		if (n_sharers)
			thread_made();
		return 0;
	}
	s.owner = lt_traced_space();
	pid = s.owner ? lt_visible_pid(task) : 0;
	if (!pid)
		return 0;
	if (flags & CLONE_FILES && lt_traced_files())
		s.files = (u64)bpf_get_current_task_btf()->files;
	s.ns = bpf_ktime_get_ns();
	s.seen = sees_sharers || bpf_map_lookup_elem(&shared_spaces, &s.owner);
	if (bpf_map_update_elem(&sharers, &pid, &s, BPF_NOEXIST)) {
		if (!bpf_map_lookup_elem(&sharers, &pid))
			lt_count(LT_COUNT_LOST_MAP_FULL);
		return 0;
	}
	__sync_fetch_and_add(&n_sharers, 1);
	if (s.files)
		__sync_fetch_and_add(&n_file_sharers, 1);
	if (!s.seen && !s.vforked)
		lt_notify(LT_EVENT_SHARER, s.owner);
	return 0;
}

/* The current task is about to give up its memory: this is the last moment to ask. */
static __always_inline int memory_going(void)
{
	u32 tgid;
	struct lt_sharer *s;

	if (!n_sharers)
		return 0;
	tgid = lt_tgid();
	s = bpf_map_lookup_elem(&sharers, &tgid);
	if (!s)
		return 0;
	s->hit |= lt_has_met_probe(bpf_get_current_task_btf());
	s->judged = 1;
	return 0;
}

/* Before Linux 6.16 a task that ends has given up its memory by now. */
static __always_inline int task_ended(struct task_struct *task)
{
	if (!n_sharers)
		return 0;
	if (BPF_CORE_READ(task, mm))
		memory_going();
	if (!BPF_CORE_READ(task, signal, live.counter))
		lt_sharer_gone(lt_tgid(), false);
	return 0;
}

#define AT_MADE(name)                                                                              \
	SEC("raw_tracepoint/task_newtask") int name(struct bpf_raw_tracepoint_args *ctx)           \
	{                                                                                          \
		return child_made((void *)ctx->args[0], ctx->args[1]);                             \
	}
#define AT_EXEC(name)                                                                              \
	SEC("raw_tracepoint/sched_prepare_exec") int name(void *ctx)                               \
	{                                                                                          \
		return memory_going();                                                             \
	}
#define AT_END(name)                                                                               \
	SEC("raw_tracepoint/sched_process_exit") int name(struct bpf_raw_tracepoint_args *ctx)     \
	{                                                                                          \
		return task_ended((void *)ctx->args[0]);                                           \
	}

AT_MADE(sharer_made)
AT_MADE(sharer_made_spare)
AT_EXEC(sharer_execs)
AT_EXEC(sharer_execs_spare)
AT_END(sharer_ends)
AT_END(sharer_ends_spare)

SEC("kprobe")
int kprobe_sharer_ends(struct pt_regs *ctx)
{
	return memory_going();
}

/* Run by user space (BPF_PROG_TEST_RUN): looks at a sharer, which is seen from here on or is not. */
SEC("raw_tp")
int sharer_look(struct bpf_raw_tracepoint_args *ctx)
{
	u32 tgid = ctx->args[LT_LOOK_TGID];
	struct lt_sharer *s = bpf_map_lookup_elem(&sharers, &tgid);
	struct task_struct *task = s ? (void *)s->task : 0;

	if (!s)
		return 0;
	s->hit |= !task || lt_has_met_probe(task);
	if (s->hit || ctx->args[LT_LOOK_SEEN])
		lt_sharer_judge(s);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
