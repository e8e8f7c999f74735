// SPDX-License-Identifier: Apache-2.0
/*
 * What malloc+free costs: `bench DEPTH` prints "ready PID", and for every line on stdin the
 * nanoseconds that a pair took, called from DEPTH functions of its own.
 * `bench hold COUNT` holds that many blocks of 64 bytes instead.
 */
#include "workload.h"

#define MEASURE_NS 1500000000UL
#define BATCH	   200

static NOINLINE double pairs(int depth)
{
	unsigned long start, ns, n = 0;
	double r;

	if (depth > 1) {
		r = pairs(depth - 1);
		keep(&depth);
		return r;
	}
	start = now_ns();
	do {
		for (int i = 0; i < BATCH; i++)
			free(keep(malloc(100)));
		n += BATCH;
		ns = now_ns() - start;
	} while (ns < MEASURE_NS);
	return (double)ns / (double)n;
}

static NOINLINE void hold(long count)
{
	for (long i = 0; i < count; i++)
		keep(malloc(64));
}

static bool next_line(void)
{
	char c = 0;
	ssize_t n;

	do
		n = read(STDIN_FILENO, &c, 1);
	while (n == 1 && c != '\n');
	return n == 1;
}

int main(int argc, char **argv)
{
	expect(argc > 1, "usage: bench DEPTH | bench hold COUNT");
	say("ready %d\n", getpid());
	while (next_line()) {
		if (argc > 2)
			hold(atol(argv[2]));
		else
			say("ns %.1f\n", pairs(atoi(argv[1])));
		say("done\n");
	}
	return 0;
}
