/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the unwinder works with: the state of a walk, its window on the stack, the tables, and what
 * a thread remembers of them. That is, for every return address that it has met, the frame and the
 * rule: they hold until the process's mappings change.
 *
 * A read of the stack costs 20 to 80 ns whatever its size, more than all else in a frame: so it is
 * read in windows as wide as the thread's last stack, and rbp only when a rule asks for it.
 */
#pragma once
#include "maps.bpf.h"

/* Together with what else is kept for a thread they must stay below 8 KiB, a slab's size. */
#define LT_WINDOW	256 /* u64 slots */
#define LT_STEPS	184

#define LT_MEMOS	4
#define LT_MEMO_WORDS	64

#define LT_WINDOW_MIN	256 /* bytes */
#define LT_LATE_MAX	4096
#define LT_MODULE_REACH	(64ULL << 20) /* the size of a module, and more */
#define LT_CALL_REACH	(1ULL << 31)  /* a JIT keeps its code where calls reach it */
#define LT_STACK_REACH	(8ULL << 20)  /* what is as near as that is the stack's, and no code */
#define LT_LINE_MASK	63ULL
#define LT_PAGE_MASK	4095ULL

/* What the tables say about one return address. */
struct lt_step {
	u64 pc_rule; /* pc << 16 | the rule's id */
	u64 frame;
};

/* What is remembered of a whole stack: see memo.bpf.h. */
struct lt_memo {
	u64 pc, sp, rbp; /* where the walk began; pc is 0: there is none */
	u64 hash;	 /* of the frames */
	u64 words_hash;	 /* of the words of the stack that the walk has read */
	u32 reserved;
	u16 n_frames;
	u8 last;	 /* the highest word */
	u8 n_words : 7, uses_rbp : 1;
	u8 words[LT_MEMO_WORDS]; /* where they are, from the stack's end */
};

/* Not the kernel's struct path, whose layout may be another there. */
struct lt_path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

/* A mapping, as the kernel answers. */
struct lt_vma {
	struct lt_seen_mapping seen;
	struct lt_path path;
	u64 code; /* it has some */
};

/* Mappings without code that need not be asked for again. */
struct lt_no_code {
	u64 stack, stack_size;
	u64 start, size; /* the last one */
};

struct lt_walk {
	u64 pc, sp, rbp;
	u64 rbp_slot; /* where the frame's rbp was saved; 0: `rbp` is the value */
	u64 r10;      /* known only where a signal has interrupted */
	u64 map_start, map_end, bias; /* the mapping that was found last */
	u64 stranger; /* who it is: see mapping.bpf.h */
	struct lt_no_code no_code;
	struct lt_vma vma; /* the kernel's latest answer */
	u32 page_base, module;
	u64 hash; /* of the frames so far */
	u64 seed; /* what else than they makes the stack's id */
	u64 low; /* where the stack ends */
	u64 window_at;
	u32 window_size; /* bytes in it */
	u32 reach;	 /* bytes to read at a time */
	u32 tgid;
	u32 generation; /* of the process's mappings; `steps` holds for no other */
	u8 is_return;	/* pc is a return address: its call lies before it */
	bool late;	/* it may have ended only because the tables come late */
	bool asks;	/* user space is to be asked for the file of `vma` */
	u16 late_left;	/* how often lt_late_id() may still look closely */
	u64 python;	/* the state that Python has of the thread, where it was last; 0: not known */
	u64 unknown;	/* the address that is in no mapping, where the walk had to end; 0: none */
	u64 copy, copy_base; /* instead of the stack: a copy of it, in our own memory */
	u32 copy_size, copy_present;
	u16 look_at;	/* at so many frames it is looked for a recursion; at most LT_MAX_FRAMES */
	u32 left_out;	/* frames of recursions, see fold.bpf.h */
	u64 fold_at;	/* where the walk was when some were left out last */
	u16 n_words;	/* that have been read of the stack so far */
	u8 reads;	/* of the window */
	u8 memo;	/* the memo to keep the walk in */
	bool odd;	/* it has looked at more than words of the stack */
	bool uses_rbp;	/* it has looked at the register rbp */
	bool recalled;	/* it has not been walked: `frames` are another's */
	bool narrow;	/* the window is to end with its page */
	u8 words[LT_MEMO_WORDS]; /* where the first ones of them are in the window */
	struct lt_memo memos[LT_MEMOS];
	u64 window[LT_WINDOW];
	struct lt_step steps[LT_STEPS];
	u64 own; /* frames of the goroutine itself, of a stack that is continued; then `out` as in lt_go_trace */
	struct lt_event_stack out;
};

static __always_inline int lt_read_user(void *to, u32 size, u64 at)
{
	return bpf_probe_read_user(to, size, (const void *)at) ? -1 : 0;
}

/* Of the stack, or of its copy. */
static __always_inline int lt_read_stack(const struct lt_walk *w, void *to, u32 size, u64 at)
{
	u64 off = at - w->copy_base;

	if (!w->copy_size)
		return lt_read_user(to, size, at);
	if (off >= w->copy_size || size > w->copy_size - off ||
	    !(w->copy_present >> (off / LT_COPY_PAGE & 31) & 1))
		return -1;
	return lt_read_user(to, size, w->copy + off);
}

static __always_inline bool lt_is_near(u64 a, u64 b, u64 distance)
{
	return a - b + distance < 2 * distance;
}

/* -- the window ------------------------------------------------------------------------------ */

static __always_inline bool lt_in_window(const struct lt_walk *w, u64 off)
{
	return off < w->window_size && !(off & 7);
}

static __always_inline u64 lt_window_word(const struct lt_walk *w, u64 off)
{
	return w->window[(off >> 3) & (LT_WINDOW - 1)];
}

/* The walk depends on the word at this offset in the window. */
static __always_inline void lt_note_word(struct lt_walk *w, u64 off)
{
	w->words[w->n_words & (LT_MEMO_WORDS - 1)] = off >> 3;
	w->n_words++;
}

/* Where a window for the word at `at` starts: a little lower, where the frame saved registers. */
static __always_inline u64 lt_window_start(const struct lt_walk *w, u64 at)
{
	u64 start = at & ~LT_LINE_MASK;

	if (at & 7)
		return at;
	return start < w->low && w->low <= at ? w->low : start;
}

/* The word at `at`, through the window. It ends with its page: a read that fails half-way is slow. */
static __always_inline int lt_read_word(struct lt_walk *w, u64 at, u64 *ret)
{
	u64 off = at - w->window_at, start = lt_window_start(w, at);
	u32 size = w->reach, left = LT_PAGE_MASK + 1 - (start & LT_PAGE_MASK);

	if (lt_in_window(w, off)) {
		lt_note_word(w, off);
		*ret = lt_window_word(w, off);
		return 0;
	}
	if (size > left)
		size = left < 8 ? 8 : left & ~7U;
	if (size > sizeof(w->window))
		size = sizeof(w->window);
	w->window_size = 0;
	if (lt_read_stack(w, w->window, size, start))
		return -1;
	w->window_at = start;
	w->window_size = size;
	w->reads += w->reads < 2;
	lt_note_word(w, at - start);
	*ret = lt_window_word(w, at - start);
	return 0;
}

static __always_inline int lt_load_rbp(struct lt_walk *w)
{
	if (!w->rbp_slot) {
		w->uses_rbp = true;
		return 0;
	}
	if (lt_read_word(w, w->rbp_slot, &w->rbp))
		return -1;
	w->rbp_slot = 0;
	return 0;
}

/* -- the tables ------------------------------------------------------------------------------ */

static __always_inline bool lt_in_mapping(const struct lt_walk *w, u64 pc)
{
	return pc >= w->map_start && pc < w->map_end;
}

/* The id of the rule for `pc`, which lies in the walk's mapping. */
static __always_inline u32 lt_find_rule_id(const struct lt_walk *w, u64 pc)
{
	u64 vaddr = pc - w->bias, key = vaddr & 0xffff;
	u32 page = w->page_base + (u32)(vaddr >> LT_PAGE_SHIFT), zero = 0, chunk, n, lo;
	u64 *where = w->module ? bpf_map_lookup_elem(&pages, &page) : 0;
	struct lt_chunk *c;
	void *inner;

	if (!where || !*where)
		return LT_RULE_NONE;
	chunk = *where >> 48;
	n = (*where >> 32) & 0xffff;
	lo = (u32)*where;
	inner = bpf_map_lookup_elem(&chunks, &chunk);
	if (!inner)
		return LT_RULE_NONE;
	c = bpf_map_lookup_elem(inner, &zero);
	if (!c)
		return LT_RULE_NONE;
	for (int i = 0; i < 16 && n > 1; i++) {
		u32 half = n >> 1, mid = (lo + half) & (LT_CHUNK_ROWS - 1);

		lo += half & ~(u32)((s64)(key - (c->rows[mid] & 0xffff)) >> 63);
		n -= half;
	}
	return c->rows[lo & (LT_CHUNK_ROWS - 1)] >> 16;
}

static __always_inline struct lt_rule *lt_rule_at(u32 id)
{
	return bpf_map_lookup_elem(&rules, &id);
}

/* Where the walk is. What was interrupted, not called from, is recorded one byte on: so the byte
 * before a frame's address is always one of the code that was running. */
static __always_inline u64 lt_frame(const struct lt_walk *w)
{
	u64 at = w->pc + !w->is_return;

	if (w->module)
		return LT_FRAME(w->module, at - w->bias);
	at &= ~(LT_FRAME_IN_MODULE | LT_FRAME_UNKNOWN | LT_FRAME_LEFT_OUT);
	return w->page_base == LT_PAGES_UNREADABLE ? at | LT_FRAME_UNKNOWN : at;
}

/* -- what is remembered of them --------------------------------------------------------------- */

static __always_inline struct lt_step *lt_step_of(struct lt_walk *w)
{
	u32 hash = w->pc * 0x9e3779b97f4a7c15ULL >> 32;

	return &w->steps[(u64)hash * LT_STEPS >> 32];
}

static __always_inline bool lt_step_known(const struct lt_walk *w, const struct lt_step *s)
{
	return s->pc_rule >> 16 == w->pc && w->is_return && w->pc;
}

static __always_inline u32 lt_step_rule_id(const struct lt_step *s)
{
	return s->pc_rule & 0xffff;
}

/* They hold no longer, and what follows from them. */
__weak __noinline int lt_forget_steps(struct lt_walk *w)
{
	if (!w)
		return 0;
	for (int i = 0; i < LT_STEPS; i++)
		w->steps[i].pc_rule = 0;
	for (int i = 0; i < LT_MEMOS; i++)
		w->memos[i].pc = 0;
	w->narrow = false;
	return 0;
}
