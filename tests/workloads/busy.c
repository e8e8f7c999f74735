// SPDX-License-Identifier: Apache-2.0
/*
 * A busy program to attach to and detach from: threads that allocate and free all the time, and
 * watch for how long they were ever held up, other than by waiting for a CPU. A line on stdin ends
 * it; it prints "operations N" and "stall_ms N", and exits with 23.
 */
#include <fcntl.h>
#include "workload.h"

#define SLOTS 64
#define STATUS 23

static volatile bool stop;
static unsigned long operations, worst_ns;

static void churn(unsigned int *seed)
{
	char *slot[SLOTS] = { 0 };
	size_t i, n;

	for (int round = 0; round < 64; round++) {
		i = (size_t)rand_r(seed) % SLOTS;
		n = (size_t)rand_r(seed) % 4096 + 1;
		slot[i] = (char *)realloc(slot[i], n);
		slot[i][0] = slot[i][n - 1] = (char)i;
	}
	for (i = 0; i < SLOTS; i++) {
		expect(!slot[i] || slot[i][0] == (char)i, "memory has changed");
		free(slot[i]);
	}
}

/* How long this thread has waited for a CPU so far. */
static unsigned long cpu_wait_ns(int schedstat)
{
	unsigned long ran, waited = 0;
	char text[64] = "";

	if (pread(schedstat, text, sizeof(text) - 1, 0) > 0)
		sscanf(text, "%lu %lu", &ran, &waited);
	return waited;
}

static void note_stall(unsigned long ns)
{
	unsigned long worst = __atomic_load_n(&worst_ns, __ATOMIC_RELAXED);

	while (ns > worst && !__atomic_compare_exchange_n(&worst_ns, &worst, ns, true,
							  __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static void *thread_main(void *arg)
{
	const struct timespec pause = { .tv_nsec = 200000 };
	int schedstat = open("/proc/thread-self/schedstat", O_RDONLY);
	unsigned int seed = (unsigned int)(size_t)arg;
	unsigned long last = now_ns(), last_wait = cpu_wait_ns(schedstat), now, wait, idle;

	while (!stop) {
		churn(&seed);
		nanosleep(&pause, NULL);
		now = now_ns();
		wait = cpu_wait_ns(schedstat);
		idle = (unsigned long)pause.tv_nsec + wait - last_wait;
		note_stall(now - last > idle ? now - last - idle : 0);
		last = now;
		last_wait = wait;
		__atomic_fetch_add(&operations, 1, __ATOMIC_RELAXED);
	}
	close(schedstat);
	return NULL;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 4;
	pthread_t t[64];

	expect(n > 0 && n <= 64, "usage: busy [THREADS]");
	for (int i = 0; i < n; i++)
		expect(!pthread_create(&t[i], NULL, thread_main, (void *)(size_t)i), "pthread_create");
	say("ready %d\n", getpid());
	await_line();
	stop = true;
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	say("operations %lu\nstall_ms %lu\n", operations, worst_ns / 1000000);
	return STATUS;
}
