/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The one concept: something is acquired at a stack, under an id, with an amount, and released.
 * This is the only code that writes the books; a resource kind's probes call what is here.
 *
 * Exactness rests on three orders. A release is booked before the resource can be handed out again
 * (at the entry of free), an acquisition after it has been (at the return of malloc), and what a
 * resize may free is taken out at its entry and put back should it fail.
 */
#pragma once
#include "go_net.bpf.h"
#include "kernel.bpf.h"
#include "late.bpf.h"
#include "memo.bpf.h"
#include "python.bpf.h"

/* Nothing is recorded until user space has attached everything and sets this. */
volatile __u32 enabled __weak SEC(".data");
/* A command that we have started: it is stopped with SIGSTOP when it has run exec, and when its
 * loader has loaded something, while it is being started or has a single thread: of several, one may
 * be in a system call that a stop makes fail with EINTR (signal(7)). 0: none. */
volatile __u32 command_tgid __weak SEC(".data");
volatile __u32 command_starting __weak SEC(".data");
/* The same holds for all that have come of it (follow.bpf.h). */
volatile __u32 hold __weak SEC(".data");

/* An acquiring call that has begun and not yet returned: the outermost one of its thread. */
struct lt_pending {
	u64 slot;   /* address of its return address; 0: none */
	u64 pc;	    /* in the function */
	u64 amount;
	u64 id;	    /* resize, remap: the block it was called for */
	u64 out;    /* where the result will be stored; 0: it is the return value */
	struct lt_holding held; /* resize: the block's entry, when it was taken out */
	u32 kind;
	u8 role, via, uncounted, took;
};

struct lt_thread {
	struct lt_pending pending;
	struct lt_walk walk;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct lt_thread);
} threads __weak SEC(".maps");

static __always_inline struct lt_thread *lt_thread_of(struct task_struct *task)
{
	struct lt_thread *t = bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!t)
		lt_count(LT_COUNT_LOST_STACK_READ);
	return t;
}

static __always_inline struct lt_thread *lt_thread_get(void)
{
	return lt_thread_of(bpf_get_current_task_btf());
}

/* The process id as user space sees it: in our own pid namespace, not the initial one. */
static __always_inline u32 lt_tgid(void)
{
	struct bpf_pidns_info ns;

	if (!config.pidns_ino)
		return bpf_get_current_pid_tgid() >> 32;
	if (bpf_get_ns_current_pid_tgid(config.pidns_dev, config.pidns_ino, &ns, sizeof(ns)))
		return 0;
	return ns.tgid;
}

#define SIGCONT 18
#define SIGSTOP 19

/* The current process when it is traced, else 0. */
static __always_inline u32 lt_traced(void)
{
	u32 tgid;

	if (!enabled)
		return 0;
	tgid = lt_tgid();
	return lt_generation(tgid) ? tgid : 0;
}

static __always_inline void lt_notify(u32 type, u32 tgid)
{
	struct lt_event e = { .type = type, .tgid = tgid };

	bpf_ringbuf_output(&events, &e, sizeof(e), BPF_RB_FORCE_WAKEUP);
}

/* Stops the current process until user space, which is told so, has looked. Where it cannot be told, one that it does
 * not wait for itself goes on. */
static __always_inline bool lt_stop(struct lt_event *event, u32 size, u32 tgid)
{
	if (bpf_send_signal(SIGSTOP))
		return false;
	if (bpf_ringbuf_output(&events, event, size, BPF_RB_FORCE_WAKEUP) && tgid != command_tgid)
		bpf_send_signal(SIGCONT);
	return true;
}

/* The low bits of the tick that is on, above the time of some moment in it, in units of 1024 ns: one
 * word, so that both belong together. */
volatile __u64 clock_word __weak SEC(".data");

#define LT_CLOCK_SHIFT 10
#define LT_CLOCK_BITS  48

static __always_inline u64 lt_clock_time(u64 word)
{
	return word << (64 - LT_CLOCK_BITS) >> (64 - LT_CLOCK_BITS - LT_CLOCK_SHIFT);
}

/* CLOCK_MONOTONIC, and what is acquired from here on has a time that is not before this one. */
static __always_inline u64 lt_clock_begin(u64 tick)
{
	u64 word = tick | (bpf_ktime_get_ns() >> LT_CLOCK_SHIFT & ((1ULL << LT_CLOCK_BITS) - 1));

	clock_word = word;
	return lt_clock_time(word);
}

static __always_inline u64 lt_clock_tick(void)
{
	return bpf_jiffies64() << LT_CLOCK_BITS;
}

/* CLOCK_MONOTONIC at some moment in the tick that is on: reading the clock is dear. */
static __always_inline u64 lt_clock_ns(void)
{
	u64 tick = lt_clock_tick(), word = clock_word;

	return (word ^ tick) >> LT_CLOCK_BITS ? lt_clock_begin(tick) : lt_clock_time(word);
}

/* -- books ---------------------------------------------------------------------------------- */

static __always_inline bool lt_is_memory(u32 kind)
{
	return LT_KINDS_MEMORY >> kind & 1;
}

static __always_inline void lt_book_release(const struct lt_holding *h)
{
	struct lt_stack *s = lt_stack_at(h->stack);

	if (!s) {
		if (h->stack == LT_STACK_BEFORE)
			lt_count(LT_COUNT_UNMATCHED);
		return;
	}
	__sync_fetch_and_add(&s->totals.released, 1);
	if (lt_is_memory(h->kind))
		__sync_fetch_and_add(&s->totals.released_amount, h->amount);
}

/* Sends the stack in the walk to user space; at once when it has Python frames, as what they point to
 * lives no longer than the program. */
static __always_inline int lt_announce_stack(struct lt_walk *w, u64 id)
{
	u32 n = w->out.n + 2U * w->out.n_python, size;
	u64 wake = w->out.n_python ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;

	w->out.head.type = LT_EVENT_STACK;
	w->out.head.tgid = w->tgid;
	w->out.id = id;
	if (n > LT_MAX_FRAMES)
		n = LT_MAX_FRAMES;
	size = __builtin_offsetof(struct lt_event_stack, frames) + n * 8;
	return bpf_ringbuf_output(&events, &w->out, size, wake) ? -1 : 0;
}

#define LT_EEXIST 17

/* Keeps the thread's latest stack, continued as Go's are, under `id`, for others to be continued with it.
 * 0: there is no room. */
__weak __noinline u64 lt_go_keep(u64 id)
{
	struct lt_thread *t = lt_thread_get();
	long err;

	if (!t || !id)
		return 0;
	if (bpf_map_lookup_elem(&go_traces, &id))
		return id;
	err = bpf_map_update_elem(&go_traces, &id, &t->walk.own, BPF_NOEXIST);
	if (!err || err == -LT_EEXIST)
		return id;
	lt_count(LT_COUNT_LOST_MAP_FULL);
	return 0;
}

/* Where the walk of a stack begins. */
struct lt_regs {
	u64 rip, rsp, rbp;
	u64 r14; /* Go has the goroutine there */
};

#define LT_REGS(ctx) ((struct lt_regs){ (ctx)->rip, (ctx)->rsp, (ctx)->rbp, (ctx)->r14 })

/* The slot of the stack in the walk, which has this id. A new stack gets one only when it has been
 * sent, so a full ring loses no stack for good. */
static __always_inline struct lt_stack *lt_stack_known(struct lt_walk *w, u64 id, u32 *ret_number)
{
	struct lt_stack *s = lt_stack_find(id, false, ret_number);

	if (s)
		return s;
	if (w->unknown)
		lt_notify(LT_EVENT_UNKNOWN, w->tgid);
	if (lt_announce_stack(w, id)) {
		lt_count(LT_COUNT_LOST_RING_FULL);
		return 0;
	}
	s = lt_stack_find(id, true, ret_number);
	if (!s)
		lt_count(LT_COUNT_LOST_MAP_FULL);
	return s;
}

/* The id of the stack that has just been walked from these registers on. */
static __always_inline u64 lt_walked_id(struct lt_walk *w, const struct lt_regs *regs)
{
	return w->late ? lt_late_id(w, regs->rip, regs->rsp, regs->rbp) : lt_walk_id(w);
}

/*
 * Walks the stack of a call that has just returned. NULL when it could not be recorded, which has
 * then been counted.
 */
static __always_inline struct lt_stack *lt_stack(struct lt_thread *t, const struct lt_regs *regs,
						 u32 tgid, u32 kind, u8 via, u32 *ret_number)
{
	struct lt_walk *w = &t->walk;

	lt_walk_begin(w, tgid, regs->rip, regs->rsp, regs->rbp, 1, lt_stack_seed(tgid, kind, via));
	lt_walk_on(w, regs->rsp);
	w->out.kind = kind;
	w->out.via = via;
	if (kind != LT_KIND_MEMORY)
		lt_go_continue(w, tgid, regs->r14, regs->rsp);
	return lt_stack_known(w, lt_walked_id(w, regs), ret_number);
}

/* The same of a system call: with frames of Python, what made a goroutine, and frames in the kernel where
 * they are wanted. */
static __always_inline struct lt_stack *lt_stack_of_syscall(struct lt_thread *t, const struct lt_regs *regs,
							    u32 tgid, u32 kind, u8 via, u32 *ret_number)
{
	bool by_heart = !config.kernel_stacks && !lt_go_program(tgid);
	u64 seed = lt_stack_seed(tgid, kind, via), id;
	struct lt_walk *w = &t->walk;

	lt_walk_begin(w, tgid, regs->rip, regs->rsp, regs->rbp, 1, seed);
	if (by_heart && lt_memo_recall(w)) {
		struct lt_stack *s;

		lt_python_stack(w, tgid);
		s = lt_stack_find(lt_walk_id(w), false, ret_number);
		if (s)
			return s;
		lt_walk_begin(w, tgid, regs->rip, regs->rsp, regs->rbp, 1, seed);
	}
	if (config.kernel_stacks)
		lt_kernel_stack_push(w);
	lt_walk_on(w, regs->rsp);
	if (by_heart)
		lt_memo_keep(w, regs->rip, regs->rsp, regs->rbp);
	w->out.kind = kind;
	w->out.via = via;
	lt_python_stack(w, tgid);
	lt_go_continue(w, tgid, regs->r14, regs->rsp);
	id = lt_walked_id(w, regs);
	if ((kind == LT_KIND_CONNECTION || kind == LT_KIND_FD) && w->own)
		lt_go_keep(id);
	return lt_stack_known(w, id, ret_number);
}

static __always_inline int lt_take(u32 tgid, u32 kind, u64 id, struct lt_holding *ret)
{
	struct lt_holding_key key = { .id = id, .tgid = tgid, .kind = kind };

	return lt_holding_take(&key, ret);
}

/* Books what has been acquired at the stack `s`, which has this number. */
static __always_inline void lt_book_acquire(const struct lt_holding_key *key, struct lt_stack *s,
					    u32 number, u64 amount)
{
	struct lt_holding h = { .amount = amount, .tgid = key->tgid, .kind = key->kind }, old;

	if (!lt_holding_take(key, &old)) {
		lt_book_release(&old);
		lt_count(LT_COUNT_OVERTAKEN);
	}
	h.stack = number;
	h.ns = lt_clock_ns();
	if (lt_holding_put(key, &h)) {
		lt_count(LT_COUNT_LOST_MAP_FULL);
		return;
	}
	if (!s)
		return;
	__sync_fetch_and_add(&s->totals.acquired, 1);
	if (lt_is_memory(key->kind))
		__sync_fetch_and_add(&s->totals.acquired_amount, amount);
}

/* Books what a call has returned at a stack that lt_stack() has found, with its number there. */
static __always_inline void lt_acquire(struct lt_stack *s, u32 number, u32 tgid, u32 kind, u64 id,
				       u64 amount)
{
	struct lt_holding_key key = { .id = id, .tgid = tgid, .kind = kind };

	lt_book_acquire(&key, s, number, amount);
}

__weak __noinline int lt_put_back(u32 tgid, u32 kind, u64 id, const struct lt_holding *h)
{
	struct lt_holding_key key = { .id = id, .tgid = tgid, .kind = kind };

	if (!h || !lt_holding_put(&key, h))
		return 0;
	lt_count(LT_COUNT_LOST_MAP_FULL);
	lt_book_release(h);
	return 0;
}

static __always_inline int lt_release(u32 tgid, u32 kind, u64 id)
{
	struct lt_holding h;

	if (lt_take(tgid, kind, id, &h))
		return -1;
	lt_book_release(&h);
	return 0;
}

/* -- pairing of a call's entry with its return ------------------------------------------------ */

/*
 * Whether the call whose return address lies at `slot` comes from the module that holds `pc`. A global
 * function, so that it is verified once: few calls come that far. Any table will do: the thread is
 * in that module, which so is where it has been; and the kernel does not always answer.
 */
__weak __noinline int lt_called_from(struct lt_walk *w, u32 tgid, u64 pc, u64 slot)
{
	u64 ra;
	u32 module;

	if (!w)
		return 0;
	lt_walk_in(w, tgid);
	if (lt_read_user(&ra, sizeof(ra), slot) || (lt_find_in_table(w, pc, true) && lt_find_mapping(w, pc)))
		return 0;
	module = w->module;
	return module && (lt_in_mapping(w, ra) || !lt_find_in_table(w, ra, true) || !lt_find_mapping(w, ra)) &&
	       w->module == module;
}

/*
 * Whether a call at `slot` is made by the pending one (malloc by calloc, mmap by malloc), or the
 * pending one was left by longjmp or an exception. The stack grows down, so what is nested lies
 * below it; its return probe's trampoline must still stand at its slot, and the caller must be its
 * own module: an allocator does not call the program. At the very same slot it is a tail call.
 */
static __always_inline bool lt_nested(struct lt_thread *t, u32 tgid, u64 slot)
{
	struct lt_pending *p = &t->pending;
	u64 ra;

	if (p->slot < slot || lt_read_user(&ra, sizeof(ra), p->slot) ||
	    !lt_hidden_return(ra, p->slot))
		return false;
	return p->slot == slot || lt_called_from(&t->walk, tgid, p->pc, slot);
}

/*
 * Begins an acquiring call, at `pc`, whose return address lies at `slot`. NULL: it is nested in
 * another one of the same thread, which is the one that counts.
 */
static __always_inline struct lt_pending *lt_call_begin(struct lt_thread *t, u32 tgid, u64 pc,
							u64 slot)
{
	struct lt_pending *p = &t->pending;

	if (p->slot) {
		if (lt_nested(t, tgid, slot))
			return 0;
		lt_count(LT_COUNT_LOST_MISSED_RETURN);
		if (p->took)
			lt_put_back(tgid, p->kind, p->id, &p->held);
	}
	p->slot = slot;
	p->pc = pc;
	p->id = p->out = p->amount = 0;
	p->took = 0;
	p->uncounted = 0;
	return p;
}

/* The pending call that has now returned, closed; NULL when the return belongs to no such call. */
static __always_inline struct lt_pending *lt_call_end(struct lt_thread *t, u64 sp)
{
	struct lt_pending *p = &t->pending;

	if (!p->slot || p->slot != sp - 8)
		return 0;
	p->slot = 0;
	return p;
}
