/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Deep recursion: the frames of a cycle of a few functions are left out while the stack is walked, and
 * counted, so that there is room for what called it all, main() at the end.
 *
 * It is looked for one only where many frames have been recorded, so that it costs others nothing. Whole turns
 * of the cycle go at a time: so the walk goes on as if they had never been there. All frames are in the
 * stack's hash: stacks that differ in the depth of the recursion only are several, as they are where it is
 * not as deep, and each has its own depth.
 */
#pragma once
#include "walk.bpf.h"

/* Whether the last LT_CYCLE_FRAMES of `n` frames are each the same as the one `period` before it. */
__weak __noinline int lt_is_cycle(const struct lt_walk *w, u32 n, u32 period)
{
	if (!w || n < LT_CYCLE_FRAMES + LT_CYCLE_MAX)
		return 0;
	for (u32 i = 1; i <= LT_CYCLE_FRAMES; i++)
		if (w->out.frames[(n - i) & (LT_MAX_FRAMES - 1)] !=
		    w->out.frames[(n - i - period) & (LT_MAX_FRAMES - 1)])
			return 0;
	return 1;
}

static __always_inline u64 *lt_frame_at(struct lt_walk *w, u32 i)
{
	return &w->out.frames[i & (LT_MAX_FRAMES - 1)];
}

/* Leaves out turns of the cycle that the last of the recorded frames are of. The first time, its first frame
 * gives its place to the word that counts, so the turn that is left begins one later. -1: the stack has not grown
 * since the last time, as one that leads back to itself. */
static __always_inline int lt_leave_out(struct lt_walk *w, u32 period)
{
	u32 n = w->out.n, at = n - LT_CYCLE_FRAMES - period;
	u64 *before = lt_frame_at(w, at - 1);

	if (*before >> 32 == LT_LEFT_OUT(period, 0) >> 32) {
		if (w->sp <= w->fold_sp)
			return -1;
		*before += LT_CYCLE_FRAMES;
		w->out.n = n - LT_CYCLE_FRAMES;
	} else {
		*lt_frame_at(w, at) = LT_LEFT_OUT(period, LT_CYCLE_FRAMES + 1 - period);
		w->out.n = n - LT_CYCLE_FRAMES + period;
		w->look_at = n < LT_MAX_FRAMES ? n + 1 : n;
	}
	w->fold_sp = w->sp;
	w->left_out += LT_CYCLE_FRAMES;
	return w->left_out > LT_MAX_LEFT_OUT ? -1 : 0;
}

/* Makes room where the walk has recorded `look_at` frames. -1: there is none, the stack is too deep. */
__weak __noinline int lt_fold(struct lt_walk *w)
{
	u32 n;

	if (!w)
		return -1;
	n = w->out.n;
	for (u32 period = 1; period <= LT_CYCLE_MAX; period++)
		if (*lt_frame_at(w, n - 1) == *lt_frame_at(w, n - 1 - period) && lt_is_cycle(w, n, period))
			return lt_leave_out(w, period);
	if (n >= LT_MAX_FRAMES)
		return -1;
	w->look_at = n + LT_FOLD_EVERY;
	if (w->look_at >= LT_MAX_FRAMES) /* once more while there still is room for one more */
		w->look_at = LT_MAX_FRAMES - (n < LT_MAX_FRAMES - 1);
	return 0;
}
