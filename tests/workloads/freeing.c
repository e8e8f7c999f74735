// SPDX-License-Identifier: Apache-2.0
/* Threads of which each begins by freeing what main has allocated: glibc then maps an arena for it, which
 * is its own affair. */
#include "workload.h"

#define BLOCKS 31

SITE(s_given, allocate, "malloc");

static void *blocks[BLOCKS];
static int next;

static NOINLINE void allocate(void)
{
	for (int i = 0; i < BLOCKS; i++)
		blocks[i] = got(&s_given, malloc(1009), 1009);
}

static void work(int thread)
{
	int i;

	if (!thread)
		allocate();
	else
		while (!__atomic_load_n(&blocks[BLOCKS - 1], __ATOMIC_ACQUIRE))
			;
	while (thread && (i = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED)) < BLOCKS - 2) {
		gave(&s_given, 1009);
		free(blocks[i]);
	}
}

int main(int argc, char **argv)
{
	return workload_run(argc, argv, work);
}
