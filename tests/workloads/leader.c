// SPDX-License-Identifier: Apache-2.0
/*
 * A process whose first thread ends and leaves the work to the others: before "ready" with `wait`, in the
 * middle of the work with `wait 2`. All that it holds is a second thread's, or a third's.
 */
#include <semaphore.h>
#include "held.h"

SITE(s_work, in_thread, "malloc");
SITE(s_freed, in_thread_freed, "malloc");
HELD(open_kept, "fd", open_null, "open|open64");

static pthread_t first;
static sem_t end_first;
static int when;

static NOINLINE void in_thread(void)
{
	for (int i = 0; i < 1009; i++)
		got(&s_work, malloc(101), 101);
}

static NOINLINE void in_thread_freed(void)
{
	for (int i = 0; i < 503; i++) {
		void *p = got(&s_freed, malloc(67), 67);

		gave(&s_freed, 67);
		free(p);
	}
}

static NOINLINE void open_null(void)
{
	for (int i = 0; i < 17; i++) {
		expect(open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0, "open failed");
		held_got(&open_kept);
	}
}

/* What the first pthread_exit of a process loads is no part of this. */
static void *exits(void *arg)
{
	pthread_exit(NULL);
}

static void *other(void *arg)
{
	if (when == 1)
		expect(!pthread_join(first, NULL), "pthread_join failed");
	say("ready %d\n", getpid());
	await_line();
	in_thread();
	if (when == 2) {
		expect(!sem_post(&end_first), "sem_post failed");
		expect(!pthread_join(first, NULL), "pthread_join failed");
		say("half\n");
		await_line(); /* time to notice that */
	}
	in_thread();
	in_thread_freed();
	open_null();
	say_truth();
	say_held();
	say("done\n");
	await_line();
	exit(29);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t;

	expect(argc == 3, "usage: leader wait WHEN");
	when = atoi(argv[2]);
	first = pthread_self();
	expect(!pthread_create(&t, NULL, exits, NULL) && !pthread_join(t, NULL), "a thread failed");
	expect(!pthread_create(&t, NULL, other, NULL), "pthread_create failed");
	if (when == 2)
		expect(!sem_wait(&end_first), "sem_wait failed");
	pthread_exit(NULL);
}
