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
 * What makes it fast: a thread remembers what the tables said about the return addresses that it has
 * met, until the mappings change; stack memory is read in windows as wide as the thread's last stack,
 * and rbp only when a rule asks for it, since a read costs 20 to 80 ns whatever its size; and frames
 * that need nothing more are walked in a loop without a call.
 */
#pragma once
#include "maps.bpf.h"

#define LT_WINDOW	  256 /* u64 slots */
#define LT_WINDOW_MIN	  256 /* bytes */
#define LT_STEPS	  128
#define LT_LOOP		  16
#define LT_PAGE_MASK	  4095ULL
#define LT_MAX_FP_FRAME	  (8ULL << 20)
#define LT_MAX_PENDING_RETURNS 64 /* the kernel's MAX_URETPROBE_DEPTH */

/* What the tables say about one return address. */
struct lt_step {
	u64 pc; /* 0: nothing is remembered here */
	u64 frame;
	struct lt_rule rule;
};

struct lt_walk {
	u64 pc, sp, rbp;
	u64 rbp_slot; /* where the frame's rbp was saved; 0: `rbp` is the value */
	u64 r10;      /* known only where a signal has interrupted */
	u64 map_start, map_end, bias; /* the mapping that was found last */
	u32 page_base, module;
	u64 hash;
	u64 window_at;
	u32 window_size; /* bytes in it */
	u32 reach;	 /* bytes to read at a time */
	u32 tgid;
	u32 generation; /* of the mappings that `steps` holds for */
	u8 is_return;	/* pc is a return address: its call lies before it */
	u16 unknown_pc;
	u64 window[LT_WINDOW];
	struct lt_step steps[LT_STEPS];
	struct lt_event_stack out;
};

static __always_inline int lt_read_user(void *to, u32 size, u64 at)
{
	return bpf_probe_read_user(to, size, (const void *)at) ? -1 : 0;
}

/* The word at `at`, through the window. It ends with its page: a read that fails half-way is slow. */
static __always_inline int lt_read_word(struct lt_walk *w, u64 at, u64 *ret)
{
	u64 off = at - w->window_at;
	u32 size = w->reach, left = LT_PAGE_MASK + 1 - (at & LT_PAGE_MASK);

	if (off < w->window_size && !(off & 7)) {
		*ret = w->window[(off >> 3) & (LT_WINDOW - 1)];
		return 0;
	}
	if (size > left)
		size = left < 8 ? 8 : left & ~7U;
	if (size > sizeof(w->window))
		size = sizeof(w->window);
	w->window_size = 0;
	if (lt_read_user(w->window, size, at))
		return -1;
	w->window_at = at;
	w->window_size = size;
	*ret = w->window[0];
	return 0;
}

static __always_inline int lt_load_rbp(struct lt_walk *w)
{
	if (!w->rbp_slot)
		return 0;
	if (lt_read_word(w, w->rbp_slot, &w->rbp))
		return -1;
	w->rbp_slot = 0;
	return 0;
}

/* Finds the mapping of `pc` and remembers it in the walk. */
static __always_inline int lt_find_mapping(struct lt_walk *w, u64 pc)
{
	u32 tgid = w->tgid, lo = 0, n;
	struct lt_process *p = bpf_map_lookup_elem(&processes, &tgid);
	struct lt_mapping *m;

	if (!p)
		return -1;
	n = p->n_mappings;
	if (n > LT_MAX_MAPPINGS)
		n = LT_MAX_MAPPINGS;
	for (int i = 0; i < 12 && n > 1; i++) {
		u32 half = n >> 1, mid = (lo + half) & (LT_MAX_MAPPINGS - 1);

		lo += half & ~(u32)((s64)(pc - p->mappings[mid].start) >> 63);
		n -= half;
	}
	m = &p->mappings[lo & (LT_MAX_MAPPINGS - 1)];
	if (pc < m->start || pc >= m->end)
		return -1;
	w->map_start = m->start;
	w->map_end = m->end;
	w->bias = m->bias;
	w->page_base = m->page_base;
	w->module = m->module;
	return 0;
}

/* The rule for `pc`, which lies in the walk's mapping. */
static __always_inline struct lt_rule *lt_find_rule(struct lt_walk *w, u64 pc)
{
	u64 vaddr = pc - w->bias, key = vaddr & 0xffff;
	u32 page = w->page_base + (u32)(vaddr >> LT_PAGE_SHIFT), zero = 0, chunk, n, lo, id;
	u64 *where = w->module ? bpf_map_lookup_elem(&pages, &page) : 0;
	struct lt_chunk *c;
	void *inner;

	if (!where || !*where)
		return 0;
	chunk = *where >> 48;
	n = (*where >> 32) & 0xffff;
	lo = (u32)*where;
	inner = bpf_map_lookup_elem(&chunks, &chunk);
	if (!inner)
		return 0;
	c = bpf_map_lookup_elem(inner, &zero);
	if (!c)
		return 0;
	for (int i = 0; i < 16 && n > 1; i++) {
		u32 half = n >> 1, mid = (lo + half) & (LT_CHUNK_ROWS - 1);

		lo += half & ~(u32)((s64)(key - (c->rows[mid] & 0xffff)) >> 63);
		n -= half;
	}
	id = c->rows[lo & (LT_CHUNK_ROWS - 1)] >> 16;
	return bpf_map_lookup_elem(&rules, &id);
}

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

/* Ends the walk. One that went through unknown code has guessed, and is not called complete. */
static __always_inline int lt_stop_at(struct lt_walk *w, enum lt_stop why)
{
	w->out.stop = why == LT_STOP_NONE && w->unknown_pc ? LT_STOP_NO_MAPPING : why;
	return 1;
}

/* Where the walk is. What was interrupted, not called from, is recorded one byte on: so the byte
 * before a frame's address is always one of the code that was running. */
static __always_inline u64 lt_frame(const struct lt_walk *w)
{
	u64 at = w->pc + !w->is_return;

	return w->module ? LT_FRAME(w->module, at - w->bias) : at & ~LT_FRAME_IN_MODULE;
}

static __always_inline void lt_push_frame(struct lt_walk *w, u64 frame)
{
	u32 n = w->out.n;

	w->out.frames[n & (LT_MAX_FRAMES - 1)] = frame;
	w->out.n = n + 1;
	/* multiply and fold, as in wyhash: cheap, and every bit of the frame reaches the top half */
	w->hash = (w->hash ^ frame) * 0x9e3779b97f4a7c15ULL;
	w->hash ^= w->hash >> 29;
}

/* struct rt_sigframe: ucontext at rsp; its gregs, from r10 on: r10 to r15, rdi rsi rbp rbx rdx rax
 * rcx rsp rip. */
#define LT_SIGFRAME_R10 (40 + 2 * 8)
#define LT_SIGFRAME_RBP (40 + 10 * 8)

static __always_inline int lt_step_signal(struct lt_walk *w)
{
	u64 regs[15];

	if (lt_read_user(regs, sizeof(regs), w->sp + LT_SIGFRAME_R10))
		return lt_stop_at(w, LT_STOP_UNREADABLE);
	w->r10 = regs[0];
	w->rbp = regs[8];
	w->rbp_slot = 0;
	w->sp = regs[13];
	w->pc = regs[14];
	w->is_return = 0; /* interrupted there, not called from there */
	return 0;
}

/* By frame pointer, when `why` keeps the table from leading on. */
static __always_inline int lt_step_fp(struct lt_walk *w, enum lt_stop why)
{
	u64 frame[2], original;

	if (lt_load_rbp(w))
		return lt_stop_at(w, LT_STOP_UNREADABLE);
	/* the ABI marks the outermost frame so, and start-up code is what has no table (ld.so's
	 * _start, which runs constructors); JIT code has always been called */
	if (!w->rbp && w->module)
		return lt_stop_at(w, LT_STOP_NONE);
	if (w->rbp < w->sp || (w->rbp & 7) || w->rbp - w->sp > LT_MAX_FP_FRAME)
		return lt_stop_at(w, why);
	if (lt_read_user(frame, sizeof(frame), w->rbp))
		return lt_stop_at(w, why);
	original = lt_hidden_return(frame[1], w->rbp + 8);
	if (original)
		frame[1] = original;
	if (lt_find_mapping(w, frame[1] - 1))
		return lt_stop_at(w, why);
	w->out.fp_frames++;
	w->sp = w->rbp + 16;
	w->rbp = frame[0];
	w->pc = frame[1];
	w->is_return = 1;
	return 0;
}

static __always_inline int lt_find_cfa(struct lt_walk *w, const struct lt_rule *r, u64 *cfa)
{
	u64 base;

	switch (r->cfa) {
	case LT_CFA_RSP:
		*cfa = w->sp + (s64)r->cfa_offset;
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

/* Goes to the caller by the table's rule. */
static __always_inline int lt_step_rule(struct lt_walk *w, const struct lt_rule *r)
{
	u64 cfa, ra;

	if (r->cfa == LT_CFA_RBP || r->cfa == LT_CFA_DEREF_RBP || r->rbp == LT_RBP_DEREF_RBP)
		if (lt_load_rbp(w))
			return lt_stop_at(w, LT_STOP_UNREADABLE);
	if (lt_find_cfa(w, r, &cfa))
		return lt_stop_at(w, LT_STOP_UNREADABLE);
	if (cfa <= w->sp)
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

static __always_inline int lt_step_by(struct lt_walk *w, const struct lt_rule *r)
{
	if (r->cfa == LT_CFA_STOP)
		return lt_stop_at(w, LT_STOP_NONE);
	if (r->cfa == LT_CFA_SIGNAL)
		return lt_step_signal(w);
	if (r->cfa == LT_CFA_UNSUPPORTED || (r->cfa == LT_CFA_R10 && w->is_return))
		return lt_stop_at(w, LT_STOP_UNSUPPORTED);
	return lt_step_rule(w, r);
}

static __always_inline int lt_in_mapping(const struct lt_walk *w, u64 pc)
{
	return pc >= w->map_start && pc < w->map_end;
}

/* -- what is remembered ---------------------------------------------------------------------- */

static __always_inline struct lt_step *lt_step_of(struct lt_walk *w)
{
	return &w->steps[(w->pc * 0x9e3779b97f4a7c15ULL >> 32) & (LT_STEPS - 1)];
}

static __always_inline bool lt_step_known(const struct lt_walk *w, const struct lt_step *s)
{
	return s->pc == w->pc && w->is_return;
}

__weak __noinline int lt_forget_steps(struct lt_walk *w)
{
	if (!w)
		return 0;
	for (int i = 0; i < LT_STEPS; i++)
		w->steps[i].pc = 0;
	return 0;
}

/* Goes to the caller when that takes no more than what is remembered and the window. */
static __always_inline bool lt_step_fast(struct lt_walk *w)
{
	const struct lt_step *s = lt_step_of(w);
	u64 cfa = w->sp + (s64)s->rule.cfa_offset, off = cfa - 8 - w->window_at, ra;

	if (!lt_step_known(w, s) || s->rule.cfa != LT_CFA_RSP || s->rule.rbp > LT_RBP_CFA)
		return false;
	if (w->out.n >= LT_MAX_FRAMES || cfa <= w->sp || off >= w->window_size || (off & 7))
		return false;
	ra = w->window[(off >> 3) & (LT_WINDOW - 1)];
	if (!ra)
		return false;
	lt_push_frame(w, s->frame);
	if (s->rule.rbp == LT_RBP_CFA)
		w->rbp_slot = cfa + (s64)s->rule.rbp_offset;
	w->sp = cfa;
	w->pc = ra;
	return true;
}

/* -- the walk ---------------------------------------------------------------------------------- */

/* A few frames. Returns 1 when the walk is over. A global function, so that it is verified once. */
__weak __noinline int lt_walk_step(struct lt_walk *w)
{
	struct lt_rule rule, *found;
	struct lt_step *s;
	u64 at, original;

	if (!w)
		return 1;
	for (int i = 0; i < LT_LOOP; i++)
		if (!lt_step_fast(w))
			break;
	if (w->out.n >= LT_MAX_FRAMES)
		return lt_stop_at(w, LT_STOP_TOO_DEEP);
	original = lt_hidden_return(w->pc, w->sp - 8);
	if (original) {
		w->pc = original;
		w->is_return = 1;
	}
	s = lt_step_of(w);
	if (lt_step_known(w, s)) {
		lt_push_frame(w, s->frame);
		rule = s->rule;
		return lt_step_by(w, &rule);
	}
	at = w->pc - w->is_return;
	if (!lt_in_mapping(w, at) && lt_find_mapping(w, at)) {
		w->unknown_pc++;
		w->module = 0;
		w->map_start = w->map_end = 0;
		lt_push_frame(w, lt_frame(w));
		return lt_step_fp(w, LT_STOP_NO_MAPPING);
	}
	lt_push_frame(w, lt_frame(w));
	found = lt_find_rule(w, at);
	if (!found || found->cfa == LT_CFA_NONE)
		return lt_step_fp(w, LT_STOP_NO_TABLE);
	rule = *found;
	if (w->is_return) {
		s->pc = w->pc;
		s->frame = lt_frame(w);
		s->rule = rule;
	}
	return lt_step_by(w, &rule);
}

/*
 * Walks the stack from the given registers into w->out.frames. `is_return`: pc is a return address
 * (the state right after a call), else the walk starts at the very instruction.
 */
static __always_inline void lt_walk_stack(struct lt_walk *w, u32 tgid, u64 pc, u64 sp, u64 rbp,
					  int is_return, u64 seed)
{
	u32 generation = lt_generation(tgid);
	u64 span;

	if (w->generation != generation) {
		lt_forget_steps(w);
		w->generation = generation;
	}
	if (w->reach < LT_WINDOW_MIN)
		w->reach = LT_WINDOW_MIN;
	w->pc = pc;
	w->sp = sp;
	w->rbp = rbp;
	w->rbp_slot = 0;
	w->map_start = w->map_end = 0;
	w->module = 0;
	w->hash = seed;
	w->window_size = 0;
	w->tgid = tgid;
	w->is_return = is_return;
	w->unknown_pc = 0;
	w->out.n = 0;
	w->out.fp_frames = 0;
	w->out.stop = LT_STOP_NONE;
	for (int i = 0; i <= LT_MAX_FRAMES; i++) /* the last step says that it was too deep */
		if (lt_walk_step(w))
			break;
	span = w->sp - sp;
	w->reach = span < sizeof(w->window) ? (span | (LT_WINDOW_MIN - 1)) + 1 : sizeof(w->window);
}
