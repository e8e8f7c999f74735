// SPDX-License-Identifier: Apache-2.0
/* Threads that come and go, each leaving something behind. glibc allocates for each of them too. */
#include "workload.h"

#define THREADS 199

SITE(s_leak, leak_in_thread, "malloc");
SITE(s_churn, churn_in_thread, "malloc");

static NOINLINE void leak_in_thread(void)
{
	got(&s_leak, malloc(1031), 1031);
}

static NOINLINE void churn_in_thread(void)
{
	for (int i = 0; i < 17; i++) {
		void *p = got(&s_churn, malloc(61), 61);

		gave(&s_churn, 61);
		free(p);
	}
}

static void *thread_main(void *arg)
{
	leak_in_thread();
	churn_in_thread();
	return NULL;
}

static void work(int thread)
{
	pthread_t t[4];

	for (int i = 0; i < THREADS; i++) {
		expect(!pthread_create(&t[i % 4], NULL, thread_main, NULL), "pthread_create");
		if (i % 4 == 3 || i == THREADS - 1)
			for (int j = 0; j <= i % 4; j++)
				pthread_join(t[j], NULL);
	}
	say("noise 1\n");
}

int main(int argc, char **argv)
{
	return workload_run(argc, argv, work);
}
