// SPDX-License-Identifier: Apache-2.0
/* bcc issue 4970: two threads of 100,000 malloc(4) hold 800,000 bytes; memleak says 799,992. */
#include "workload.h"

SITE(s_leak, leak, "malloc");

static NOINLINE void leak(void)
{
	got(&s_leak, malloc(4), 4);
}

static void work(int thread)
{
	for (int i = 0; i < 100000; i++)
		leak();
}

int main(int argc, char **argv)
{
	return workload_run(argc, argv, work);
}
