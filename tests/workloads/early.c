// SPDX-License-Identifier: Apache-2.0
/* Allocates before main and after it. */
#include "workload.h"

SITE(s_before, before_main, "malloc");
SITE(s_in, in_main, "malloc");

static NOINLINE void before_main(void)
{
	for (int i = 0; i < 19; i++)
		got(&s_before, malloc(101), 101);
}

static NOINLINE void in_main(void)
{
	got(&s_in, malloc(103), 103);
}

__attribute__((constructor)) static void construct(void)
{
	before_main();
}

static void work(int thread)
{
	in_main();
}

int main(int argc, char **argv)
{
	return workload_run(argc, argv, work);
}
