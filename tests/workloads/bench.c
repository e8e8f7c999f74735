// SPDX-License-Identifier: Apache-2.0
/*
 * What malloc+free costs: `bench DEPTH [WORK]` prints "ready PID" and then, for every line on stdin,
 * what a pair has taken (slices.h). The stack above malloc has DEPTH frames in all, and WORK rounds
 * of arithmetic go with every pair.
 * `bench hold COUNT` holds that many blocks of 64 bytes instead, and says "done".
 */
#include "slices.h"

#define BATCH	     200
#define OUTER_FRAMES 3 /* measure_thread, start_thread, clone3: measure() and such are inlined */

static int depth;
static long work;

static inline void arithmetic(void)
{
	unsigned long x = 1;

	for (long i = 0; i < work; i++)
		__asm__ volatile("imul %0, %0" : "+r"(x));
}

static inline __attribute__((always_inline)) double pairs_here(unsigned long span_ns)
{
	unsigned long start = now_ns(), ns, n = 0;

	keep(malloc(100)); /* so that the report shows this stack */
	do {
		for (int i = 0; i < BATCH; i++) {
			free(keep(malloc(100)));
			arithmetic();
		}
		n += BATCH;
		ns = now_ns() - start;
	} while (ns < span_ns);
	return (double)ns / (double)n;
}

static NOINLINE double pairs(int frames, unsigned long span_ns)
{
	double r = frames > 1 ? pairs(frames - 1, span_ns) : pairs_here(span_ns);

	keep(&frames); /* no tail call */
	return r;
}

static double measure(unsigned long span_ns)
{
	return depth > OUTER_FRAMES ? pairs(depth - OUTER_FRAMES, span_ns) : pairs_here(span_ns);
}

static void *measure_thread(void *arg)
{
	serve_slices(measure);
	return NULL;
}

static NOINLINE void hold(long count)
{
	for (long i = 0; i < count; i++)
		keep(malloc(64));
}

int main(int argc, char **argv)
{
	pthread_t t;

	expect(argc > 1, "usage: bench DEPTH [WORK] | bench hold COUNT");
	say("ready %d\n", getpid());
	if (!strcmp(argv[1], "hold")) {
		while (next_line() >= 0) {
			hold(atol(argv[2]));
			say("done\n");
		}
		return 0;
	}
	depth = atoi(argv[1]);
	work = argc > 2 ? atol(argv[2]) : 0;
	expect(!pthread_create(&t, NULL, measure_thread, NULL), "pthread_create failed");
	pthread_join(t, NULL);
	return 0;
}
