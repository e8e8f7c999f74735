/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deep recursion among a stack's frames. BPF leaves frames out where there are too many (LT_LEFT_OUT()), from
 * wherever it happened to notice. What is kept does not depend on that: of a cycle that goes on for
 * LT_CYCLE_FRAMES more frames, the first turn and, behind it, how many more there were.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <leaktrace/unwind.h>

/* Among folded frames: the `period` ones before this word are there so many more times. */
#define FRAME_REPEAT(period, times) LT_LEFT_OUT(period, times)
#define FRAME_IS_REPEAT(f)	    LT_IS_LEFT_OUT(f)
#define FRAME_REPEAT_PERIOD(f)	    LT_LEFT_OUT_PERIOD(f)
#define FRAME_REPEAT_TIMES(f)	    LT_LEFT_OUT_FRAMES(f)

/*
 * Frames are of `unit` words each, 1 or 2; so are periods then, and where it is 2, a word of no meaning follows
 * each that says how many more there were.
 */

/* Folds `n` words, of which no frames have been left out, in place; words of folded ones may be among them.
 * Returns how many they are now. */
size_t recursion_fold(uint64_t *words, size_t n, size_t unit);
/* Folds `n` words as BPF records them into `ret`, which is the caller's, of `ret_n` words. 0, -ENOMEM, or -EBADMSG
 * for what makes no sense. */
int recursion_fold_event(const uint64_t *words, size_t n, size_t unit, uint64_t **ret, size_t *ret_n);
