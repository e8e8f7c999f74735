// SPDX-License-Identifier: Apache-2.0
/*
 * A process and those that come of it: a child that frees some of what it has inherited and makes a child of its
 * own, and one that becomes this program once more. Each prints its own truth. With "wait" they give a tracer time
 * to notice them, 1500 ms or LATER_MS in the environment; as a command they start at once.
 */
#include <sys/wait.h>
#include "workload.h"

#define BLOCKS	   131
#define OWN	   211
#define GRAND	   307
#define EXECED	   401
#define LATER_MS   1500

SITE(s_parent, in_parent, "malloc");
SITE(s_child, in_child, "malloc");
SITE(s_grandchild, in_grandchild, "malloc");
SITE(s_execed, in_execed, "malloc");

static void *blocks[BLOCKS];
static bool patient;

static NOINLINE void in_parent(void)
{
	for (int i = 0; i < BLOCKS; i++)
		blocks[i] = got(&s_parent, malloc(53), 53);
}

static NOINLINE void in_child(void)
{
	for (int i = 0; i < OWN; i++)
		got(&s_child, malloc(61), 61);
}

static NOINLINE void in_grandchild(void)
{
	for (int i = 0; i < GRAND; i++)
		got(&s_grandchild, malloc(67), 67);
}

static NOINLINE void in_execed(void)
{
	for (int i = 0; i < EXECED; i++)
		got(&s_execed, malloc(71), 71);
}

/* In a process that has just come of another: what is counted is its own. */
static void begin_own(void)
{
	const char *ms = getenv("LATER_MS");

	for (struct site *s = __start_sites; s < __stop_sites; s++)
		s->got = s->got_bytes = s->gave = s->gave_bytes = 0;
	if (patient)
		usleep(1000 * (useconds_t)(ms ? atoi(ms) : LATER_MS));
}

static void reap(pid_t pid)
{
	int status;

	expect(waitpid(pid, &status, 0) == pid && status == 0, "a child failed");
}

static pid_t fork_or_fail(void)
{
	pid_t pid = fork();

	expect(pid >= 0, "fork failed");
	return pid;
}

static void grandchild(void)
{
	begin_own();
	in_grandchild();
	say_truth();
	_exit(0);
}

/* Its parent frees the same blocks later: each has a copy of them. */
static void child(void)
{
	pid_t pid;

	begin_own();
	for (int i = 0; i < BLOCKS; i += 2)
		free(blocks[i]);
	in_child();
	pid = fork_or_fail();
	if (!pid)
		grandchild();
	reap(pid);
	say_truth();
	_exit(0);
}

static void work(int thread)
{
	pid_t pids[2];

	in_parent();
	pids[0] = fork_or_fail();
	if (!pids[0])
		child();
	pids[1] = fork_or_fail();
	if (!pids[1]) {
		execl("/proc/self/exe", "family", patient ? "execed-wait" : "execed", (char *)NULL);
		_exit(1);
	}
	reap(pids[0]);
	reap(pids[1]);
	for (int i = 0; i < BLOCKS; i += 3) {
		gave(&s_parent, 53);
		free(blocks[i]);
	}
}

int main(int argc, char **argv)
{
	patient = argc > 1 && strstr(argv[1], "wait");
	if (argc > 1 && !strncmp(argv[1], "execed", 6)) {
		begin_own();
		in_execed();
		say_truth();
		return 0;
	}
	return workload_run(argc, argv, work);
}
