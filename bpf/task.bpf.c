// SPDX-License-Identifier: GPL-2.0
/*
 * Threads and children. A thread is held from clone to its end, a child from fork until it has been
 * waited for: as a running one first, then as a zombie.
 *
 * Tracepoints give all of it, on every kernel. Where their programs can be preempted, kprobes at functions
 * that are called a little later tell of the same. That a zombie has been waited for shows when its
 * task_struct goes, a little late (the kernel waits for readers of it): a census corrects that while the
 * parent lives, and the parent's own end does for what its books then say for good.
 */
#include "task.bpf.h"

#define SIGNAL_GROUP_EXIT 4
#define EXIT_ZOMBIE	  32 /* it has not been waited for */

/* -- beginnings ------------------------------------------------------------------------------ */

static __always_inline void pthread_created(struct task_struct *task, u32 tgid, u32 tid)
{
	struct lt_pthread_call *call =
		bpf_task_storage_get(&pthread_calls, bpf_get_current_task_btf(), 0, 0);
	struct lt_thread_key by_tid = lt_thread_key(tgid, tid), by_handle;
	struct lt_pthread p = { .handle = BPF_CORE_READ(task, thread.fsbase) };
	int stack;

	if (!call || !call->creating)
		return;
	call->creating = false;
	p.settled = call->detached;
	stack = lt_user_stack(tgid, LT_KIND_UNJOINED, lt_via());
	if (stack < 0)
		return;
	p.unjoined_stack = stack;
	by_handle = lt_thread_key(tgid, p.handle);
	bpf_map_update_elem(&pthreads, &by_tid, &p, BPF_ANY);
	bpf_map_update_elem(&pthread_tids, &by_handle, &tid, BPF_ANY);
}

static __always_inline void child_created(struct task_struct *task, u32 tgid, u32 pid)
{
	struct lt_child c = { .tgid = tgid, .pid = pid, .parent = bpf_get_current_pid_tgid() >> 32 };
	u32 global = BPF_CORE_READ(task, pid), via = lt_via();
	int running = lt_user_stack(tgid, LT_KIND_CHILD, via);
	int zombie = lt_user_stack_again(tgid, LT_KIND_ZOMBIE, via);

	if (running < 0 || zombie < 0)
		return;
	c.zombie_stack = zombie;
	if (bpf_map_update_elem(&children, &global, &c, BPF_ANY)) {
		lt_count(LT_COUNT_LOST_MAP_FULL);
		return;
	}
	lt_hold(tgid, LT_KIND_CHILD, pid, running);
}

/* In the context of the task that makes it. */
static __always_inline int task_made(void *ctx, struct task_struct *task)
{
	u32 tgid = lt_traced(), own = bpf_get_current_pid_tgid() >> 32, pid;
	u64 began;

	if (!tgid)
		return 0;
	began = lt_event_begin();
	if (config.kernel_stacks)
		lt_kernel_stack_take(ctx);
	pid = lt_visible_pid(task);
	if ((u32)BPF_CORE_READ(task, tgid) == own) {
		if (lt_wants(LT_KIND_THREAD)) {
			lt_acquire_one(tgid, LT_KIND_THREAD, lt_via(), pid);
			pthread_created(task, tgid, pid);
		}
	} else if ((u32)BPF_CORE_READ(task, real_parent, tgid) == own && lt_wants(LT_KIND_CHILD)) {
		child_created(task, tgid, pid); /* not one of CLONE_PARENT */
	}
	lt_event_end(began);
	return 0;
}

SEC("raw_tracepoint/task_newtask")
int task_new(struct bpf_raw_tracepoint_args *ctx)
{
	return task_made(ctx, (void *)ctx->args[0]);
}

SEC("kprobe")
int kprobe_task_new(struct pt_regs *ctx)
{
	return task_made(ctx, (void *)ctx->rdi);
}

/* -- ends ------------------------------------------------------------------------------------ */

static __always_inline void thread_ended(u32 tgid, u32 tid)
{
	struct lt_thread_key key = lt_thread_key(tgid, tid);
	struct lt_pthread *p = bpf_map_lookup_elem(&pthreads, &key);

	if (lt_release_one(tgid, LT_KIND_THREAD, tid))
		lt_count(LT_COUNT_UNMATCHED);
	if (!p)
		return;
	if (!p->settled)
		lt_hold(tgid, LT_KIND_UNJOINED, tid, p->unjoined_stack);
	if (!p->settled)
		return;
	lt_release_one(tgid, LT_KIND_UNJOINED, tid); /* should it have been settled just now */
	bpf_map_delete_elem(&pthreads, &key);
}

/* Whether the child's parent is still the one that made it: the books of one that has ended before it
 * stay as they are, whoever takes the child over. */
static __always_inline bool child_has_parent(struct task_struct *task, const struct lt_child *c)
{
	return (u32)BPF_CORE_READ(task, real_parent, tgid) == c->parent;
}

static __always_inline void child_ended(struct task_struct *task, u32 global)
{
	struct lt_child *c = bpf_map_lookup_elem(&children, &global), copy;

	if (!c)
		return;
	copy = *c;
	if (!child_has_parent(task, &copy))
		return;
	c->task = (u64)task;
	lt_release_one(copy.tgid, LT_KIND_CHILD, copy.pid);
	lt_hold(copy.tgid, LT_KIND_ZOMBIE, copy.pid, copy.zombie_stack);
}

/*
 * Of each child: whether a process that ends has waited for it. The kernel's own record of it may be
 * somebody else's by now: that it goes is not always told.
 */
static long release_reaped(void *map, int *global, struct lt_child *c, u32 *tgid)
{
	const struct task_struct *task = (const void *)c->task;

	if (c->tgid == *tgid && task &&
	    !(BPF_CORE_READ(task, pid) == *global && BPF_CORE_READ(task, exit_state) & EXIT_ZOMBIE))
		lt_release_one(c->tgid, LT_KIND_ZOMBIE, c->pid);
	return 0;
}

/* In the context of the task that ends. */
static __always_inline int task_ended(struct task_struct *task)
{
	u32 pid = BPF_CORE_READ(task, pid), global = BPF_CORE_READ(task, tgid), tgid;
	bool last = !BPF_CORE_READ(task, signal, live.counter);
	u64 began;

	if (!enabled)
		return 0;
	if (last)
		child_ended(task, global);
	tgid = lt_traced();
	if (tgid && last)
		bpf_for_each_map_elem(&children, release_reaped, &tgid, 0);
	/* when all of the process ends, its books stay as they are */
	if (!tgid || pid == global || BPF_CORE_READ(task, signal, flags) & SIGNAL_GROUP_EXIT)
		return 0;
	began = lt_event_begin();
	if (lt_wants(LT_KIND_THREAD))
		thread_ended(tgid, lt_visible_pid(task));
	lt_event_end(began);
	return 0;
}

SEC("raw_tracepoint/sched_process_exit")
int task_exit(struct bpf_raw_tracepoint_args *ctx)
{
	return task_ended((void *)ctx->args[0]);
}

/* exit_files() is for a fork that fails as well. */
SEC("kprobe")
int kprobe_task_exit(struct pt_regs *ctx)
{
	struct task_struct *task = (void *)ctx->rdi;

	return task == bpf_get_current_task_btf() ? task_ended(task) : 0;
}

/* The last of a task: it has been waited for. A second time it does nothing. */
static __always_inline int task_freed(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	u32 global = BPF_CORE_READ(task, pid);
	struct lt_child *c = bpf_map_lookup_elem(&children, &global), copy;

	if (!c || !enabled)
		return 0;
	copy = *c;
	bpf_map_delete_elem(&children, &global);
	if (child_has_parent(task, &copy))
		lt_release_one(copy.tgid, LT_KIND_ZOMBIE, copy.pid);
	return 0;
}

SEC("raw_tracepoint/sched_process_free")
int task_free(struct bpf_raw_tracepoint_args *ctx)
{
	return task_freed(ctx);
}

SEC("raw_tracepoint/sched_process_free")
int task_free_spare(struct bpf_raw_tracepoint_args *ctx)
{
	return task_freed(ctx);
}

char LICENSE[] SEC("license") = "GPL";
