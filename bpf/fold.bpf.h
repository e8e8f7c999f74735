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

/* Whether the last LT_CYCLE_FRAMES of `n` words are each the same as the one `period` before it. */
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

/* Leaves out turns of the cycle that the last of `n` words are of; a frame has `unit` of them. The first time,
 * its first frame gives its place to the one that counts, so the turn that is left begins one later. Returns how
 * many words there are then; 0: `at`, where the walk is, has not grown since the last time, as in a stack that
 * leads back to itself. */
static __always_inline u32 lt_leave_out(struct lt_walk *w, u32 n, u32 unit, u32 period, u64 at)
{
	u32 from = n - LT_CYCLE_FRAMES - period;
	u64 *before = lt_frame_at(w, from - unit), last = w->fold_at;

	w->fold_at = at;
	w->left_out += LT_CYCLE_FRAMES;
	if (*before >> 32 == LT_LEFT_OUT(period, 0) >> 32) {
		*before += LT_CYCLE_FRAMES;
		return at > last ? n - LT_CYCLE_FRAMES : 0;
	}
	if (unit > 1)
		*lt_frame_at(w, from + 1) = LT_LEFT_OUT(period, 0);
	*lt_frame_at(w, from) = LT_LEFT_OUT(period, LT_CYCLE_FRAMES + unit - period);
	w->look_at = n + unit < LT_MAX_FRAMES ? n + unit : LT_MAX_FRAMES;
	return n - LT_CYCLE_FRAMES + period;
}

/* Makes room where `n` words have been recorded, `look_at` of them or more, in frames of `unit` words each.
 * Returns how many there are then; 0: there is no room, the stack is too deep. */
static __always_inline u32 lt_fold_words(struct lt_walk *w, u32 n, u32 unit, u64 at)
{
	if (w->left_out > LT_MAX_LEFT_OUT)
		return 0;
	for (u32 period = unit; period <= LT_CYCLE_MAX; period += unit)
		if (*lt_frame_at(w, n - 1) == *lt_frame_at(w, n - 1 - period) && lt_is_cycle(w, n, period))
			return lt_leave_out(w, n, unit, period, at);
	if (n > LT_MAX_FRAMES - unit)
		return 0;
	w->look_at = n + LT_FOLD_EVERY;
	if (w->look_at >= LT_MAX_FRAMES) /* once more while there still is room for one more */
		w->look_at = LT_MAX_FRAMES - (n < LT_MAX_FRAMES - unit ? unit : 0);
	return n;
}

/* For the frames of a walk. -1: there is no room. */
__weak __noinline int lt_fold(struct lt_walk *w)
{
	u32 n;

	if (!w)
		return -1;
	n = lt_fold_words(w, w->out.n, 1, w->sp);
	if (!n)
		return -1;
	w->out.n = n;
	return 0;
}
