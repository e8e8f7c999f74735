// SPDX-License-Identifier: Apache-2.0
/* bcc issue 3341: threads that new and delete hold nothing in the end. */
#include "workload.h"

SITE(s_churn, churn, "malloc");

static NOINLINE void churn()
{
	int *p = static_cast<int *>(got(&s_churn, new int[25], 100));

	gave(&s_churn, 100);
	delete[] p;
}

static void work(int)
{
	for (int i = 0; i < 1009; i++)
		churn();
}

int main(int argc, char **argv)
{
	return workload_run(argc, argv, work);
}
