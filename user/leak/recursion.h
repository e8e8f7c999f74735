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

/* Folds `n` frames, none of which is left out, in place; words of folded ones may be among them. Returns how
 * many words they are now. */
size_t recursion_fold(uint64_t *frames, size_t n);
/* Folds `n` frames as BPF records them into `ret`, which is the caller's, of `ret_n` <= n words. 0, -ENOMEM, or
 * -EBADMSG for what makes no sense. */
int recursion_fold_event(const uint64_t *frames, size_t n, uint64_t **ret, size_t *ret_n);
