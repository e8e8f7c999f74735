// SPDX-License-Identifier: Apache-2.0
/* A process that does next to nothing: a block every 17 ms, for two seconds. */
#include "workload.h"

SITE(s_tick, tick, "malloc");

#define TICKS 113

static NOINLINE void tick(void)
{
	got(&s_tick, malloc(97), 97);
}

static void work(int thread)
{
	const struct timespec between = { .tv_nsec = 17000000 };

	for (int i = 0; i < TICKS; i++) {
		tick();
		nanosleep(&between, NULL);
	}
}

int main(int argc, char **argv)
{
	return workload_run(argc, argv, work);
}
