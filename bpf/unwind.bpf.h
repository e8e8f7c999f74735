/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The CFI unwinder: whole user stacks of code built without frame pointers, inside one program.
 *
 * The state lives in memory that the verifier knows nothing about (a map value behind a pointer
 * argument of a global function), which keeps the program at a few thousand verified instructions
 * where state on the BPF stack fails at a million. The binary searches are branchless for the same
 * reason.
 *
 * For every frame, in this order: the row of the module's table; a signal frame's saved registers;
 * the return address that a pending return probe has hidden; the frame pointer (JIT code, and code
 * without a table). When none leads on, the walk stops and says why.
 *
 * Frames that need no more than what the thread remembers of the tables and the window on the stack
 * (walk.bpf.h) are walked in a loop without a call, at a tenth of what others cost.
 */
#pragma once
#include "fold.bpf.h"
#include "mapping.bpf.h"

#define LT_LOOP		  16
#define LT_WALK_FIRST	  8 /* steps that most stacks take at most */
#define LT_WALK_STEPS	  130 /* and its square those that the deepest one takes */
#define LT_MAX_FP_FRAME	  (8ULL << 20)
#define LT_MAX_PENDING_RETURNS 64 /* the kernel's MAX_URETPROBE_DEPTH */

/* The return address that a pending return probe has taken from `slot`, leaving `ra`; 0: none has. */
__weak __noinline u64 lt_original_return(u64 ra, u64 slot)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct xol_area *area = BPF_CORE_READ(task, mm, uprobes_state.xol_area);
	struct return_instance *ri;

	if (!area || ra != BPF_CORE_READ(area, vaddr))
		return 0;
	ri = BPF_CORE_READ(task, utask, return_instances);
	for (int i = 0; i < LT_MAX_PENDING_RETURNS && ri; i++) {
		if (BPF_CORE_READ(ri, stack) == slot)
			return BPF_CORE_READ(ri, orig_ret_vaddr);
		ri = BPF_CORE_READ(ri, next);
	}
	return 0;
}

/*
 * A pending return probe has put the kernel's trampoline, the start of a page of its own, where the
 * return address was; the original is in task->utask->return_instances, under the address of its
 * stack slot (kernel: kernel/events/uprobes.c, prepare_uretprobe). 0: `ra` is not the trampoline.
 */
static __always_inline u64 lt_hidden_return(u64 ra, u64 slot)
{
	return ra & LT_PAGE_MASK ? 0 : lt_original_return(ra, slot);
}

/* The same within a walk. */
static __always_inline u64 lt_walk_hidden_return(struct lt_walk *w, u64 ra, u64 slot)
{
	w->odd |= !(ra & LT_PAGE_MASK);
	return lt_hidden_return(ra, slot);
}

/* Ends the walk. */
static __always_inline int lt_stop_at(struct lt_walk *w, enum lt_stop why)
{
	w->out.stop = why;
	return 1;
}

static __always_inline void lt_push_frame(struct lt_walk *w, u64 frame)
{
	u32 n = w->out.n;

	w->out.frames[n & (LT_MAX_FRAMES - 1)] = frame;
	w->out.n = n + 1;
	w->hash = lt_hash_frame(w->hash, frame);
}

/* The id of the stack in the walk. */
static __always_inline u64 lt_walk_id(const struct lt_walk *w)
{
	return lt_stack_id(w->hash, w->seed ^ lt_stack_epoch(jit_epoch));
}

/* struct rt_sigframe: ucontext at rsp; its gregs, from r10 on: r10 to r15, rdi rsi rbp rbx rdx rax
 * rcx rsp rip. */
#define LT_SIGFRAME_R10 (40 + 2 * 8)
#define LT_SIGFRAME_RBP (40 + 10 * 8)
#define LT_SIGFRAME_REGS 15 /* from r10 on */

static __always_inline int lt_step_signal(struct lt_walk *w)
{
	const u64 *regs = w->window;

	w->odd = true;
	w->window_size = 0; /* they take its place */
	if (lt_read_stack(w, w->window, LT_SIGFRAME_REGS * 8, w->sp + LT_SIGFRAME_R10))
		return lt_stop_at(w, LT_STOP_UNREADABLE);
	w->r10 = regs[0];
	w->rbp = regs[8];
	w->rbp_slot = 0;
	w->sp = regs[13];
	w->pc = regs[14];
	w->is_return = 0; /* interrupted there, not called from there */
	return 0;
}

/* Where nothing is known: it may be code of which something is known later. A JIT's is where its other code
 * reaches it; or it has been called by way of other code, and there is a frame that led to it. */
static __always_inline bool lt_may_be_code(const struct lt_walk *w, u64 from, u64 rbp)
{
	if (lt_is_near(w->pc, from, LT_CALL_REACH))
		return true;
	return rbp > w->rbp && rbp - w->rbp <= LT_MAX_FP_FRAME && !(rbp & 7) &&
	       !lt_is_near(w->pc, w->sp, LT_STACK_REACH);
}

/* By frame pointer, for want of a table. */
static __always_inline int lt_step_fp(struct lt_walk *w, bool in_module)
{
	u64 rbp, ra, original, from = w->pc;
	int r;

	if (lt_load_rbp(w))
		return lt_stop_at(w, LT_STOP_UNREADABLE);
	/* the ABI marks the outermost frame so, and start-up code is what has no table (ld.so's
	 * _start, which runs constructors); JIT code has always been called */
	if (!w->rbp && in_module)
		return lt_stop_at(w, LT_STOP_NONE);
	if (w->rbp < w->sp || (w->rbp & 7) || w->rbp - w->sp > LT_MAX_FP_FRAME)
		return lt_stop_at(w, LT_STOP_NO_TABLE);
	if (lt_read_word(w, w->rbp, &rbp) || lt_read_word(w, w->rbp + 8, &ra))
		return lt_stop_at(w, LT_STOP_NO_TABLE);
	original = lt_walk_hidden_return(w, ra, w->rbp + 8);
	w->pc = original ? original : ra;
	w->is_return = 1;
	r = lt_step_known(w, lt_step_of(w)) ? 0 : lt_find_mapping_now(w, w->pc - 1);
	if (r) {
		w->unknown = w->pc;
		w->late = r == LT_STRANGER || (r == LT_NOT_KNOWN && lt_may_be_code(w, from, rbp));
		return lt_stop_at(w, LT_STOP_NO_TABLE);
	}
	w->out.fp_frames++;
	w->sp = w->rbp + 16;
	w->rbp = rbp;
	return 0;
}

static __always_inline int lt_find_cfa(struct lt_walk *w, const struct lt_rule *r, u64 *cfa)
{
	u64 base;

	switch (r->cfa) {
	case LT_CFA_RSP:
		*cfa = w->sp + (s64)r->cfa_offset;
		return 0;
	case LT_CFA_SWITCH:
		w->sp = 0; /* the other stack may be the lower one */
		*cfa = w->rbp + (s64)r->cfa_offset;
		return 0;
	case LT_CFA_RBP:
		*cfa = w->rbp + (s64)r->cfa_offset;
		return 0;
	case LT_CFA_R10:
		*cfa = w->r10 + (s64)r->cfa_offset;
		return 0;
	case LT_CFA_PLT:
		*cfa = w->sp + 8 + (((w->pc & 15) >= (u64)r->cfa_offset) << 3);
		return 0;
	case LT_CFA_DEREF_RSP:
	case LT_CFA_DEREF_RBP:
		base = r->cfa == LT_CFA_DEREF_RSP ? w->sp : w->rbp;
		if (lt_read_word(w, base + (s64)(s16)r->cfa_offset, cfa))
			return -1;
		*cfa += (s64)(r->cfa_offset >> 16);
		return 0;
	default:
		return -1;
	}
}

/* Goes to the caller by the table's rule. It lies higher, except where Go has popped the return
 * address around vfork(). */
static __always_inline int lt_step_rule(struct lt_walk *w, const struct lt_rule *r)
{
	u64 cfa, ra;

	if (r->cfa == LT_CFA_RBP || r->cfa == LT_CFA_SWITCH || r->cfa == LT_CFA_DEREF_RBP ||
	    r->rbp == LT_RBP_DEREF_RBP)
		if (lt_load_rbp(w))
			return lt_stop_at(w, LT_STOP_UNREADABLE);
	if (lt_find_cfa(w, r, &cfa))
		return lt_stop_at(w, LT_STOP_UNREADABLE);
	if (cfa < w->sp)
		return lt_stop_at(w, LT_STOP_BAD_SP);
	switch (r->rbp) {
	case LT_RBP_CFA:
		w->rbp_slot = cfa + (s64)r->rbp_offset;
		break;
	case LT_RBP_DEREF_RBP:
		w->rbp_slot = w->rbp + (s64)r->rbp_offset;
		break;
	case LT_RBP_UNKNOWN:
		w->rbp = w->rbp_slot = 0;
		break;
	}
	if (lt_read_word(w, cfa - 8, &ra))
		return lt_stop_at(w, LT_STOP_UNREADABLE);
	w->sp = cfa;
	w->pc = ra;
	w->is_return = 1;
	return ra ? 0 : lt_stop_at(w, LT_STOP_NONE); /* coroutines end so */
}

/* Goes to the caller when that takes no more than what is remembered and the window. */
static __always_inline bool lt_step_fast(struct lt_walk *w)
{
	const struct lt_step *s = lt_step_of(w);
	const struct lt_rule *r;
	u64 cfa, off, ra;

	if (!lt_step_known(w, s) || w->out.n >= w->look_at)
		return false;
	r = lt_rule_at(lt_step_rule_id(s));
	if (!r || r->cfa != LT_CFA_RSP || r->rbp > LT_RBP_CFA)
		return false;
	cfa = w->sp + (s64)r->cfa_offset;
	off = cfa - 8 - w->window_at;
	ra = lt_window_word(w, off);
	if (cfa <= w->sp || !lt_in_window(w, off) || !ra)
		return false;
	lt_push_frame(w, s->frame);
	lt_note_word(w, off);
	if (r->rbp == LT_RBP_CFA)
		w->rbp_slot = cfa + (s64)r->rbp_offset;
	w->sp = cfa;
	w->pc = ra;
	return true;
}

/* What is to be known of the address that the walk has reached. 0, or as lt_find_mapping(). */
static __always_inline int lt_find_step(struct lt_walk *w, struct lt_step *ret)
{
	struct lt_step *known = lt_step_of(w);
	u64 at = w->pc - w->is_return;
	int r;

	if (lt_step_known(w, known)) {
		*ret = *known;
		return 0;
	}
	r = lt_in_mapping(w, at) ? 0 : lt_find_mapping_now(w, at);
	if (r) {
		w->module = 0;
		w->map_start = w->map_end = 0;
		ret->frame = lt_frame(w) | LT_FRAME_UNKNOWN;
		ret->pc_rule = LT_RULE_NONE;
		return r;
	}
	ret->frame = lt_frame(w);
	ret->pc_rule = w->pc << 16 | lt_find_rule_id(w, at);
	if (w->is_return && !(w->pc >> 48))
		*known = *ret;
	return 0;
}

/* A few frames. Returns 1 when the walk is over. A global function, so that it is verified once. */
__weak __noinline int lt_walk_step(struct lt_walk *w)
{
	struct lt_step s;
	struct lt_rule *r;
	u64 original;
	int unknown;

	if (!w)
		return 1;
	for (int i = 0; i < LT_LOOP; i++)
		if (!lt_step_fast(w))
			break;
	if (w->out.n >= w->look_at && lt_fold(w))
		return lt_stop_at(w, LT_STOP_TOO_DEEP);
	original = lt_walk_hidden_return(w, w->pc, w->sp - 8);
	if (original) {
		w->pc = original;
		w->is_return = 1;
	}
	unknown = lt_find_step(w, &s);
	lt_push_frame(w, s.frame);
	if (unknown) {
		w->unknown = w->pc;
		w->late = unknown != LT_NO_CODE;
		return lt_stop_at(w, LT_STOP_NO_MAPPING);
	}
	r = lt_rule_at(lt_step_rule_id(&s));
	if (!r || r->cfa == LT_CFA_NONE)
		return lt_step_fp(w, s.frame & LT_FRAME_IN_MODULE);
	if (r->cfa == LT_CFA_STOP)
		return lt_stop_at(w, LT_STOP_NONE);
	if (r->cfa == LT_CFA_SIGNAL)
		return lt_step_signal(w);
	if (r->cfa == LT_CFA_UNSUPPORTED || (r->cfa == LT_CFA_R10 && w->is_return))
		return lt_stop_at(w, LT_STOP_UNSUPPORTED);
	return lt_step_rule(w, r);
}

/* Begins a walk at the given registers. `is_return`: pc is a return address (the state right after a
 * call), else the walk starts at the very instruction. */
static __always_inline void lt_walk_from(struct lt_walk *w, u64 pc, u64 sp, u64 rbp, int is_return,
					 u64 seed)
{
	if (w->reach < LT_WINDOW_MIN)
		w->reach = LT_WINDOW_MIN;
	w->pc = pc;
	w->sp = sp;
	w->rbp = rbp;
	w->rbp_slot = 0;
	w->map_start = w->map_end = 0;
	w->module = 0;
	w->hash = 0;
	w->seed = seed;
	w->low = sp & ~7ULL;
	w->window_size = 0;
	w->n_words = 0;
	w->reads = 0;
	w->odd = w->uses_rbp = w->recalled = false;
	w->is_return = is_return;
	w->unknown = 0;
	w->late = w->asks = false;
	w->look_at = LT_FOLD_FROM;
	w->left_out = 0;
	w->out.n = 0;
	w->out.n_python = 0;
	w->out.fp_frames = 0;
	w->out.stop = LT_STOP_NONE;
}

static __always_inline void lt_walk_begin(struct lt_walk *w, u32 tgid, u64 pc, u64 sp, u64 rbp,
					  int is_return, u64 seed)
{
	lt_walk_in(w, tgid);
	lt_walk_from(w, pc, sp, rbp, is_return, seed);
}

/* Many steps. A function of its own instead of a loop in a loop, so that it is verified once. */
__weak __noinline int lt_walk_many(struct lt_walk *w)
{
	for (int i = 0; i < LT_WALK_STEPS; i += 2) /* a turn of the loop is as much to verify as a step */
		if (lt_walk_step(w) || lt_walk_step(w))
			return 1;
	return 0;
}

static __always_inline int lt_walk_all(struct lt_walk *w)
{
	for (int i = 0; i < LT_WALK_FIRST; i++)
		if (lt_walk_step(w))
			return 1;
	for (int i = 0; i < LT_WALK_STEPS; i++) /* the last step says that it was too deep */
		if (lt_walk_many(w))
			return 1;
	return 0;
}

/* Walks the stack into w->out.frames; sp is where it began. */
static __always_inline void lt_walk_on(struct lt_walk *w, u64 sp)
{
	u64 span;

	lt_walk_all(w);
	if (w->asks)
		lt_ask_file(w);
	span = w->sp - sp;
	w->reach = span < sizeof(w->window) ? (span | (LT_WINDOW_MIN - 1)) + 1 : sizeof(w->window);
}

static __always_inline void lt_walk_stack(struct lt_walk *w, u32 tgid, u64 pc, u64 sp, u64 rbp,
					  int is_return, u64 seed)
{
	lt_walk_begin(w, tgid, pc, sp, rbp, is_return, seed);
	lt_walk_on(w, sp);
}
