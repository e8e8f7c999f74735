// SPDX-License-Identifier: GPL-2.0
/*
 * exec: the process becomes another program, and all that it held is gone. Recording stops here; it
 * goes on when user space has looked at the new program. A command that leaktrace itself has
 * started is stopped meanwhile, so that nothing of it is missed. Who shared another one's memory does so
 * no more.
 */
#include "space.bpf.h"

/* A second time it does nothing. */
static __always_inline int execed(void)
{
	u32 tgid = lt_tgid(), slot = tgid % LT_TRACED_SLOTS;
	u64 *there = bpf_map_lookup_elem(&traced, &slot);
	struct lt_thread *t;

	if (n_sharers)
		lt_sharer_gone(tgid);
	if (!lt_generation(tgid) || !there)
		return 0;
	t = lt_thread_get();
	if (t) /* what it remembers is of another program, whatever generation comes */
		t->walk.generation = 0;
	if ((u32)*there == tgid)
		*there = 0;
	bpf_map_delete_elem(&generations, &tgid);
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
