/* SPDX-License-Identifier: Apache-2.0 */
/* Deep recursion in a report's stack: the first turn of the cycle stays, with how many more there were. */
#pragma once
#include "base/vec.h"
#include "report/report.h"

struct frame_vec {
	VEC_OF(struct report_frame);
};

/* Whether they read the same. */
bool fold_same_frame(const struct report_frame *a, const struct report_frame *b);
/* Sets `repeats` and `cycle` where LT_CYCLE_FRAMES more frames than its first turn are of a cycle, or more,
 * which are taken out. What is inlined counts as frames. */
void fold_frames(struct frame_vec *frames);
