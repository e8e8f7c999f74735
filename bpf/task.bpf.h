/* SPDX-License-Identifier: GPL-2.0 */
/* What is kept of threads and children besides the books. */
#pragma once
#include "system.bpf.h"

/* Children of traced processes, by their process id in the initial namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LT_MAX_TASKS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, struct lt_child);
} children __weak SEC(".maps");

/* Threads made by pthread_create, by tid. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LT_MAX_TASKS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct lt_thread_key);
	__type(value, struct lt_pthread);
} pthreads __weak SEC(".maps");

/* Their tids by pthread_t, which glibc and musl both make the thread's fs base. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LT_MAX_TASKS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct lt_thread_key);
	__type(value, u32);
} pthread_tids __weak SEC(".maps");

/* A pthread_create or pthread_join that the thread is in. */
struct lt_pthread_call {
	u64 slot; /* of a join: address of its return address; 0: none */
	u32 tid;  /* ... and whom it waits for */
	bool creating, detached;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct lt_pthread_call);
} pthread_calls __weak SEC(".maps");

static __always_inline struct lt_thread_key lt_thread_key(u32 tgid, u64 id)
{
	return (struct lt_thread_key){ .id = id, .tgid = tgid };
}

#define PIDNS_DEPTH 8 /* below leaktrace's own namespace */

/* A thread's or process's id as leaktrace sees it; 0: not at all. */
static __always_inline u32 lt_visible_pid(struct task_struct *task)
{
	struct pid *pid;
	u32 level;

	if (!config.pidns_ino)
		return BPF_CORE_READ(task, pid);
	pid = BPF_CORE_READ(task, thread_pid);
	if (!pid)
		return 0;
	level = BPF_CORE_READ(pid, level);
	for (u32 i = 0; i < PIDNS_DEPTH && i <= level; i++) {
		/* our own declaration has one of `numbers` only, and not the kernel's size of it */
		struct upid *upid = (void *)pid + bpf_core_field_offset(pid->numbers) +
				    (u64)(level - i) * bpf_core_type_size(struct upid);

		if (BPF_CORE_READ(upid, ns, ns.inum) == config.pidns_ino)
			return BPF_CORE_READ(upid, nr);
	}
	return 0;
}
