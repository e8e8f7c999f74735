// SPDX-License-Identifier: Apache-2.0
#include "report/fold.h"
#include <leaktrace/unwind.h>
#include <string.h>

#define CYCLE_MAX 32 /* with what is inlined */

static bool same_string(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

bool fold_same_frame(const struct report_frame *a, const struct report_frame *b)
{
	return a->offset == b->offset && a->address == b->address && a->line == b->line &&
	       a->inlined == b->inlined && same_string(a->function, b->function) &&
	       same_string(a->file, b->file) && same_string(a->module, b->module);
}

/* How many of the frames behind the first `period` ones are of a cycle of that length. */
static size_t cycle_length(const struct report_frame *frames, size_t n, size_t period)
{
	size_t i = period;

	while (i < n && fold_same_frame(&frames[i], &frames[i - period]))
		i++;
	return i - period;
}

/* The shortest cycle that begins with the first of the frames; 0: none. */
static size_t find_cycle(const struct report_frame *frames, size_t n, size_t *ret_times)
{
	for (size_t period = 1; period <= CYCLE_MAX && n >= LT_CYCLE_FRAMES + period; period++) {
		const size_t length = cycle_length(frames, n, period);

		*ret_times = length / period;
		if (length >= LT_CYCLE_FRAMES)
			return period;
	}
	*ret_times = 0;
	return 0;
}

void fold_frames(struct frame_vec *frames)
{
	size_t from = 0, to = 0, times;

	while (from < frames->n) {
		const size_t period = find_cycle(frames->items + from, frames->n - from, &times);
		const size_t turn = period ? period : 1;

		memmove(frames->items + to, frames->items + from, turn * sizeof(*frames->items));
		to += turn;
		frames->items[to - 1].repeats = times;
		frames->items[to - 1].cycle = (unsigned int)period;
		from += turn * (1 + times);
	}
	frames->n = to;
}
