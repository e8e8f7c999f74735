/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a thread remembers of its last stacks as a whole. Where a walk leads follows from where it begins,
 * from the tables, and from the few words of the stack that it has read: return addresses, and saved
 * frame pointers. So when it begins at the same place, and those words have the same hash, it is the same
 * stack, and need not be walked. That costs a tenth for each frame, as no word has to wait for another.
 *
 * What else a walk may look at is kept out: return addresses that the kernel keeps, and what a signal has
 * saved. A stack that is wider than the window is walked each time.
 */
#pragma once
#include "unwind.bpf.h"

/*
 * Reads the stack from its end on, as far as walks have led lately. Not with the page's end in mind, as
 * lt_read_word() does: what lies above has been called from, but for what is so large that it has pages
 * that were never touched. A thread that has met such is left alone.
 */
static __always_inline int lt_memo_read(struct lt_walk *w, u32 size)
{
	if (size < w->reach)
		size = w->reach;
	if (size > sizeof(w->window))
		size = sizeof(w->window);
	if (w->narrow || lt_read_stack(w, w->window, size, w->low)) {
		w->narrow = true;
		return -1;
	}
	w->window_at = w->low;
	w->window_size = size;
	w->reads = 1;
	return 0;
}

/* Whether the walk, which has just begun, would be one that is remembered. Then its hash and its number of
 * frames are there, but not the frames. */
__weak __noinline int lt_memo_recall(struct lt_walk *w)
{
	struct lt_memo *m;
	u64 words = 0;

	if (!w)
		return 0;
	w->memo++;
	for (u32 i = 0; i < LT_MEMOS; i++)
		if (w->memos[i].pc == w->pc && w->memos[i].sp == w->sp)
			w->memo = i;
	/* read anew: of what is known here, all that follows would be verified for each choice */
	m = &w->memos[*(volatile u8 *)&w->memo & (LT_MEMOS - 1)];
	if (lt_memo_read(w, 8 * (1 + (u32)m->last)) || m->pc != w->pc || m->sp != w->sp ||
	    (m->uses_rbp && m->rbp != w->rbp))
		return 0;
	for (u32 i = 0; i < LT_MEMO_WORDS && i < m->n_words; i++)
		words = lt_hash_frame(words, w->window[m->words[i]]);
	if (words != m->words_hash)
		return 0;
	w->hash = m->hash;
	w->out.n = m->n_frames;
	w->recalled = true;
	return 1;
}

/* Puts in which words the walk has read. Returns their hash. A function of its own, so that what follows is not
 * verified for each number of them. */
__weak __noinline u64 lt_memo_words(const struct lt_walk *w, struct lt_memo *m)
{
	u64 words = 0;
	s32 last = 0;

	if (!w || !m)
		return 0;
	for (u32 i = 0; i < LT_MEMO_WORDS && i < w->n_words; i++) {
		s32 at = w->words[i], less = (at - last) >> 31;

		m->words[i] = at;
		words = lt_hash_frame(words, w->window[at]);
		barrier_var(less); /* or clang makes a branch of what follows, and so two ways to verify */
		last += (at - last) & ~less;
	}
	m->last = last;
	return words;
}

/* Remembers the stack that has just been walked from these registers on, in place of another. */
__weak __noinline int lt_memo_keep(struct lt_walk *w, u64 pc, u64 sp, u64 rbp)
{
	struct lt_memo *m;

	if (!w || w->odd || w->reads != 1 || w->window_at != w->low || w->n_words > LT_MEMO_WORDS ||
	    w->unknown || w->out.stop)
		return 0;
	m = &w->memos[w->memo & (LT_MEMOS - 1)];
	m->words_hash = lt_memo_words(w, m);
	m->pc = pc;
	m->sp = sp;
	m->rbp = rbp;
	m->uses_rbp = w->uses_rbp;
	m->hash = w->hash;
	m->n_frames = w->out.n;
	m->n_words = w->n_words;
	return 0;
}
