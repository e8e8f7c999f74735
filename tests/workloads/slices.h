/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workloads that are measured in slices: for every line on stdin they print the nanoseconds that one
 * round of their work has taken, over as many milliseconds as the line says: "ns N".
 */
#pragma once
#include "workload.h"

/* The number on the next line; -1: there is none. */
static inline long next_line(void)
{
	long n = 0;
	char c;

	while (read(STDIN_FILENO, &c, 1) == 1) {
		if (c == '\n')
			return n;
		n = n * 10 + (c - '0');
	}
	return -1;
}

/* `measure` returns the nanoseconds of one round, having gone on for `span_ns`. */
static inline void serve_slices(double (*measure)(unsigned long span_ns))
{
	long ms;

	while ((ms = next_line()) >= 0)
		say("ns %.1f\n", measure((unsigned long)ms * 1000000UL));
}
