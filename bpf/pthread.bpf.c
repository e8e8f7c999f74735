// SPDX-License-Identifier: GPL-2.0
/*
 * Which threads are joined or detached: those that are neither leave their stack behind when they end.
 * A thread is known by the pthread_t that pthread_create gave it, which task.bpf.c finds out; a thread
 * from before tracing is not known.
 *
 * A join that has returned may overtake the thread's own end, which the kernel lets the joiner know of
 * first: so it marks the thread, and its end does no more.
 */
#include "task.bpf.h"
#include "uprobe.bpf.h"

#define ATTR_FLAGS	  8 /* of pthread_attr_t (glibc: sysdeps/nptl/internaltypes.h, struct pthread_attr) */
#define ATTR_DETACHSTATE 1

static __always_inline struct lt_cookie cookie_of(struct pt_regs *ctx)
{
	union {
		u64 raw;
		struct lt_cookie c;
	} u = { .raw = bpf_get_attach_cookie(ctx) };

	return u.c;
}

static __always_inline u32 tid_of(u32 tgid, u64 handle)
{
	struct lt_thread_key key = lt_thread_key(tgid, handle);
	u32 *tid = bpf_map_lookup_elem(&pthread_tids, &key);

	return tid ? *tid : 0;
}

/* The thread will leave nothing behind. */
static __always_inline void settle(u32 tgid, u32 tid)
{
	struct lt_thread_key key = lt_thread_key(tgid, tid);
	struct lt_pthread *p = bpf_map_lookup_elem(&pthreads, &key);

	if (!p)
		return;
	p->settled = 1;
	if (!lt_release_one(tgid, LT_KIND_UNJOINED, tid)) /* it had ended */
		bpf_map_delete_elem(&pthreads, &key);
}

static __always_inline void creating(struct pt_regs *ctx, struct lt_pthread_call *call)
{
	u64 attr = ctx->rsi;
	u32 flags = 0;

	if (attr && lt_read_user(&flags, sizeof(flags), attr + ATTR_FLAGS))
		flags = 0;
	call->creating = true;
	call->detached = flags & ATTR_DETACHSTATE;
}

/* Returns 1 when the return of this call is of interest. */
static __always_inline int enter(struct pt_regs *ctx)
{
	struct lt_cookie c = cookie_of(ctx);
	struct lt_pthread_call *call;
	u32 tgid = lt_traced(), tid;

	if (!tgid)
		return 0;
	lt_count(LT_COUNT_HITS);
	if (c.stepped)
		lt_count(LT_COUNT_STEPPED);
	if (c.role == LT_ROLE_DETACH) {
		tid = tid_of(tgid, ctx->rdi);
		if (tid)
			settle(tgid, tid);
		return 0;
	}
	call = bpf_task_storage_get(&pthread_calls, bpf_get_current_task_btf(), 0,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!call)
		return 0;
	if (c.role == LT_ROLE_CREATE) {
		creating(ctx, call);
		return 0;
	}
	call->tid = tid_of(tgid, ctx->rdi);
	call->slot = call->tid ? ctx->rsp + c.sp_delta : 0;
	return call->tid != 0;
}

static __always_inline void leave(struct pt_regs *ctx)
{
	struct lt_pthread_call *call;
	u32 tgid = lt_traced();

	if (!tgid)
		return;
	lt_count(LT_COUNT_RETURNS);
	call = bpf_task_storage_get(&pthread_calls, bpf_get_current_task_btf(), 0, 0);
	if (!call || !call->slot || call->slot != ctx->rsp - 8)
		return;
	call->slot = 0;
	if (!(u32)ctx->rax)
		settle(tgid, call->tid);
}

LT_UPROBE(pthread_enter)
{
	enter(ctx);
	return 0;
}

LT_UPROBE(pthread_leave)
{
	leave(ctx);
	return 0;
}

LT_UPROBE(pthread_session)
{
	if (lt_is_return(ctx)) {
		leave(ctx);
		return 0;
	}
	return !enter(ctx);
}

char LICENSE[] SEC("license") = "GPL";
