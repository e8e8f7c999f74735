// SPDX-License-Identifier: Apache-2.0
#include "leak/recursion.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How many of the frames behind the first `period` ones are of a cycle of that length. */
static size_t cycle_length(const uint64_t *frames, size_t n, size_t period)
{
	size_t i = period;

	while (i < n && frames[i] == frames[i - period])
		i++;
	return i - period;
}

/* The shortest cycle that begins with the first of the frames; 0: none. */
static size_t find_cycle(const uint64_t *frames, size_t n, size_t unit, size_t *ret_length)
{
	for (size_t period = unit; period <= LT_CYCLE_MAX && n >= LT_CYCLE_FRAMES + period; period += unit) {
		*ret_length = cycle_length(frames, n, period);
		if (*ret_length >= LT_CYCLE_FRAMES)
			return period;
	}
	return 0;
}

size_t recursion_fold(uint64_t *frames, size_t n, size_t unit)
{
	size_t from = 0, to = 0, length = 0;

	if (n <= LT_CYCLE_FRAMES)
		return n;
	while (from < n) {
		const size_t period = find_cycle(frames + from, n - from, unit, &length);
		const size_t turn = period ? period : unit, times = period ? length / period : 0;

		memmove(frames + to, frames + from, turn * sizeof(*frames));
		to += turn;
		for (size_t i = 0; period && i < unit; i++)
			frames[to++] = FRAME_REPEAT(period, times);
		from += turn + times * period;
	}
	return to;
}

/* How many frames the recorded ones stand for. 0: they make no sense. */
static size_t count_all(const uint64_t *frames, size_t n)
{
	size_t all = 0;

	for (size_t i = 0; i < n; i++) {
		const size_t period = LT_LEFT_OUT_PERIOD(frames[i]);

		if (!LT_IS_LEFT_OUT(frames[i])) {
			all++;
			continue;
		}
		if (!period || period > LT_CYCLE_MAX || period >= n - i ||
		    LT_LEFT_OUT_FRAMES(frames[i]) > 2 * LT_MAX_LEFT_OUT)
			return 0;
		all += LT_LEFT_OUT_FRAMES(frames[i]);
	}
	return all;
}

/* Puts them all in their places, from the last one on. */
static void put_all(const uint64_t *frames, size_t n, uint64_t *all, size_t n_all)
{
	while (n) {
		const uint64_t f = frames[--n];

		if (!LT_IS_LEFT_OUT(f)) {
			all[--n_all] = f;
			continue;
		}
		for (uint32_t i = 0; i < LT_LEFT_OUT_FRAMES(f); i++, n_all--)
			all[n_all - 1] = all[n_all - 1 + LT_LEFT_OUT_PERIOD(f)];
	}
}

int recursion_fold_event(const uint64_t *frames, size_t n, size_t unit, uint64_t **ret, size_t *ret_n)
{
	const size_t n_all = count_all(frames, n);
	uint64_t *all, *fitting;

	if ((n && !n_all) || n_all % unit)
		return -EBADMSG;
	all = calloc(n_all + 1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	put_all(frames, n, all, n_all);
	*ret_n = recursion_fold(all, n_all, unit);
	fitting = realloc(all, (*ret_n + 1) * sizeof(*all));
	*ret = fitting ? fitting : all;
	return 0;
}
