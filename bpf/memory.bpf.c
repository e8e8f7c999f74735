// SPDX-License-Identifier: GPL-2.0
/*
 * Memory: generic programs for the entry and the return of any allocator's functions. What a
 * function does, and where its arguments are, comes with the probe's cookie (leaktrace/probe.h).
 *
 * Blocks are kept in the books here. Mappings are ranges (a munmap may cut a hole into one, an mmap
 * may replace parts of many), which a hash table cannot hold: they go to user space as events, in
 * order, and only their stacks are taken here.
 *
 * `tgid` is the owner of the memory, in whose books it is; the current process may be one that shares it.
 */
#include "segment.bpf.h"
#include "space.bpf.h"
#include "uprobe.bpf.h"

#define MAP_NORESERVE 0x4000
#define MAP_STACK     0x20000
#define MAP_FAILED   (~0ULL)
#define PAGE_MASK    4095ULL
#define MAX_ERRNO    4095

/* An argument by number. Read out of the context all at once: clang would fold a choice of one into
 * a variable offset, which the verifier does not allow there. */
struct args {
	u64 n[8];
};

static __always_inline struct args args_of(struct pt_regs *ctx)
{
	return (struct args){ { ctx->rdi, ctx->rsi, ctx->rdx, ctx->rcx, ctx->r8, ctx->r9 } };
}

static __always_inline u64 arg(const struct args *args, u32 n)
{
	return args->n[n & 7];
}

static __always_inline struct lt_cookie cookie_of(struct pt_regs *ctx)
{
	union {
		u64 raw;
		struct lt_cookie c;
	} u = { .raw = bpf_get_attach_cookie(ctx) };

	return u.c;
}

/* size_arg * count_arg; a product that overflows is one that the allocator refuses. */
static __always_inline u64 requested(const struct args *args, const struct lt_cookie *c)
{
	u64 size = arg(args, c->size_arg), count, product;

	if (c->count_arg == LT_ARG_NONE || c->role == LT_ROLE_REMAP)
		return size;
	count = arg(args, c->count_arg);
	product = size * count;
	barrier_var(product); /* or clang sees a multiplication of 128 bits, which BPF lacks */
	if (size && product / size != count)
		return ~0ULL;
	return product;
}

/* -- ranges ---------------------------------------------------------------------------------- */

static __always_inline void send_range(u32 op, u32 tgid, u64 addr, u64 len, u64 stack, u32 internal)
{
	struct lt_event_range e = {
		.head = { .type = LT_EVENT_RANGE, .tgid = tgid },
		.op = op,
		.tid = (u32)bpf_get_current_pid_tgid(),
		.addr = addr,
		.len = (len + PAGE_MASK) & ~PAGE_MASK,
		.stack = stack,
		.ns = bpf_ktime_get_ns(),
		.internal = internal,
	};

	if (bpf_ringbuf_output(&events, &e, sizeof(e), BPF_RB_NO_WAKEUP))
		lt_count(LT_COUNT_LOST_RING_FULL);
}

/* A library's own calls say nothing of the program: free unmaps what was never the program's, and
 * when a thread ends glibc frees once more what it has cached for it. */
static __always_inline bool library_call(struct pt_regs *ctx, struct lt_thread *t,
					 const struct lt_cookie *c, u32 tgid, u64 slot)
{
	return c->library && lt_called_from(&t->walk, tgid, ctx->rip, slot);
}

/* A thread's stack, or an arena for one whose first call of the allocator is free(). */
static __always_inline bool maps_for_library(struct pt_regs *ctx, struct lt_thread *t,
					     const struct lt_cookie *c, u32 tgid, u64 slot, u64 flags)
{
	return flags & MAP_STACK || (flags & MAP_NORESERVE && library_call(ctx, t, c, tgid, slot));
}

static __always_inline void enter_unmap(struct pt_regs *ctx, const struct args *args,
					struct lt_thread *t, const struct lt_cookie *c, u32 tgid,
					u64 slot)
{
	u64 addr = arg(args, c->id_arg), len = arg(args, c->size_arg);

	if ((addr & PAGE_MASK) || !len) /* EINVAL: unmaps nothing */
		return;
	if (lt_nested(t, tgid, slot)) /* inside malloc or realloc: its own affair */
		return;
	send_range(LT_RANGE_UNMAP, tgid, addr, len, 0, library_call(ctx, t, c, tgid, slot));
}

static __always_inline void enter_release(struct pt_regs *ctx, const struct lt_cookie *c, u64 id,
					  u32 tgid, u64 slot)
{
	struct lt_thread *t;

	if (!id || !lt_release(tgid, LT_KIND_MEMORY, id))
		return;
	t = lt_thread_get();
	if (t && !lt_nested(t, tgid, slot) && !library_call(ctx, t, c, tgid, slot))
		lt_count(LT_COUNT_UNMATCHED);
}

static __always_inline void enter_loader(u32 tgid)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct lt_event stopped = { .type = LT_EVENT_STOPPED, .tgid = tgid };
	bool told = !lt_table_holds(tgid); /* and user space has not read the mappings since */

	lt_mappings_changed(tgid);
	if ((tgid == command_tgid || hold) && lt_tgid() == tgid &&
	    ((command_starting && tgid == command_tgid) || BPF_CORE_READ(task, signal, nr_threads) == 1) &&
	    lt_stop(&stopped, sizeof(stopped), tgid))
		return;
	if (!told)
		lt_notify(LT_EVENT_LOADER, tgid);
}

/* -- entry ----------------------------------------------------------------------------------- */

/* Returns 1 when the return of this call is of interest. */
static __always_inline int enter(struct pt_regs *ctx, const struct lt_cookie *c, u32 tgid)
{
	struct lt_thread *t;
	struct lt_pending *p;
	struct args args = args_of(ctx);
	u64 slot = ctx->rsp + c->sp_delta;

	if (!tgid)
		return c->role == LT_ROLE_TRY;
	lt_count(LT_COUNT_HITS);
	if (c->stepped)
		lt_count(LT_COUNT_STEPPED);
	if (c->role == LT_ROLE_RELEASE) {
		enter_release(ctx, c, arg(&args, c->id_arg), tgid, slot);
		return 0;
	}
	if (c->role == LT_ROLE_MODULES) {
		enter_loader(tgid);
		return 0;
	}
	t = lt_thread_get();
	if (!t)
		return 0;
	if (c->role == LT_ROLE_UNMAP) {
		enter_unmap(ctx, &args, t, c, tgid, slot);
		return 0;
	}
	if (c->role == LT_ROLE_SHMDT) {
		send_range(LT_RANGE_DROP, tgid, arg(&args, c->id_arg), 0, 0, 0);
		return 0;
	}
	p = lt_call_begin(t, tgid, ctx->rip, slot);
	if (!p)
		return 0;
	p->kind = LT_KIND_MEMORY;
	p->role = c->role;
	p->via = c->via;
	p->amount = requested(&args, c);
	if (c->out_arg != LT_ARG_NONE)
		p->out = arg(&args, c->out_arg);
	if (c->flags_arg != LT_ARG_NONE && c->role == LT_ROLE_MAP)
		p->uncounted = maps_for_library(ctx, t, c, tgid, slot, arg(&args, c->flags_arg));
	if (c->id_arg != LT_ARG_NONE)
		p->id = arg(&args, c->id_arg);
	if (p->role == LT_ROLE_RESIZE && p->id)
		p->took = !lt_take(tgid, LT_KIND_MEMORY, p->id, &p->held);
	if (p->role == LT_ROLE_SHMAT)
		p->amount = lt_segment_size(p->id);
	if (p->role == LT_ROLE_REMAP)
		send_range(LT_RANGE_TAKE, tgid, p->id, arg(&args, c->count_arg), 0, 0);
	return 1;
}

/* -- return ---------------------------------------------------------------------------------- */

/* The block that the call has returned or stored; 0: none. */
static __always_inline u64 acquired(struct pt_regs *ctx, const struct lt_pending *p)
{
	u64 id = ctx->rax;

	if (p->out && ((u32)ctx->rax || lt_read_user(&id, sizeof(id), p->out)))
		return 0;
	return id;
}

/* The same for a resize, with the old block's fate settled. */
static __always_inline u64 resized(struct pt_regs *ctx, u32 tgid, const struct lt_pending *p)
{
	u64 id = ctx->rax;

	if (!id && p->amount) { /* failed: the old block lives on */
		if (p->took)
			lt_put_back(tgid, LT_KIND_MEMORY, p->id, &p->held);
		return 0;
	}
	if (p->took)
		lt_book_release(&p->held);
	else if (p->id)
		lt_count(LT_COUNT_UNMATCHED);
	return id;
}

/* What a call that has returned leaves in the books. */
struct left {
	u64 id;	     /* the block; 0: none */
	bool range;  /* it was a call for mappings */
	bool failed; /* ... and has none */
	bool stack;  /* the stack is to be taken */
};

static __always_inline struct left left_by(struct pt_regs *ctx, u32 tgid, const struct lt_pending *p)
{
	struct left l = { 0 };

	if (p->role == LT_ROLE_ACQUIRE) {
		l.id = acquired(ctx, p);
	} else if (p->role == LT_ROLE_RESIZE) {
		l.id = resized(ctx, tgid, p);
	} else {
		l.range = true;
		l.failed = ctx->rax >= (u64)-MAX_ERRNO;
		l.stack = !l.failed && !p->uncounted;
		return l;
	}
	l.stack = l.id && p->amount >= config.min_amount && p->amount <= config.max_amount;
	return l;
}

/* A remapping is told of also where it failed: it ends what its entry began. */
static __always_inline void leave_range(struct pt_regs *ctx, u32 tgid, const struct lt_pending *p,
					const struct left *l, const struct lt_stack *s)
{
	if (p->role == LT_ROLE_REMAP)
		send_range(LT_RANGE_SETTLE, tgid, l->failed ? 0 : ctx->rax, l->failed ? 0 : p->amount,
			   s ? s->id : 0, 0);
	else if (!l->failed)
		send_range(LT_RANGE_MAP, tgid, ctx->rax, p->amount, s ? s->id : 0, 0);
}

static __always_inline void leave(struct pt_regs *ctx, u32 tgid)
{
	struct lt_thread *t;
	struct lt_pending *p;
	struct lt_regs regs = LT_REGS(ctx);
	struct lt_stack *s = 0;
	struct left l;
	u32 number = 0;

	if (!tgid)
		return;
	lt_count(LT_COUNT_RETURNS);
	t = lt_thread_get();
	if (!t)
		return;
	p = lt_call_end(t, ctx->rsp);
	if (!p)
		return;
	l = left_by(ctx, tgid, p);
	p->took = 0;
	if (l.stack) /* the one place: a walk is much to verify */
		s = lt_stack(t, &regs, tgid, LT_KIND_MEMORY, p->via, &number);
	if (l.range)
		leave_range(ctx, tgid, p, &l, s);
	else if (s)
		lt_acquire(s, number, tgid, LT_KIND_MEMORY, l.id, p->amount);
}

/* -- programs: one pair, in the three shapes in which kernels attach them ---------------------- */

LT_UPROBE(memory_enter)
{
	struct lt_cookie c = cookie_of(ctx);

	enter(ctx, &c, lt_traced_space());
	return 0;
}

LT_UPROBE(memory_leave)
{
	leave(ctx, lt_traced_space());
	return 0;
}

/* expected_attach_type is set by user space, which knows whether the kernel has it */
LT_UPROBE(memory_session)
{
	struct lt_cookie c;

	if (lt_is_return(ctx)) {
		leave(ctx, lt_traced());
		return 0;
	}
	c = cookie_of(ctx);
	return !enter(ctx, &c, lt_traced()); /* non-zero: no return probe for this call */
}

/* For those who share a traced process's memory, at probes beside its own, which do not see them. */
LT_UPROBE(sharer_enter)
{
	u32 owner = lt_shared_space();
	struct lt_cookie c;

	if (!owner) {
		lt_count(LT_COUNT_PASSED);
		return 0;
	}
	c = cookie_of(ctx);
	enter(ctx, &c, owner);
	return 0;
}

LT_UPROBE(sharer_leave)
{
	u32 owner = lt_shared_space();

	if (owner)
		leave(ctx, owner);
	else
		lt_count(LT_COUNT_PASSED);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
