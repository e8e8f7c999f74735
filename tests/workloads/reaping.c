// SPDX-License-Identifier: Apache-2.0
/* Children that are waited for without naming one, and those that the kernel reaps by itself. */
#include "held.h"

HELD(running_kept, "process/running", fork_kept, "fork");
HELD(zombie_kept, "process/zombie", fork_kept, "fork");
HELD(running_reaped, "process/running", fork_reaped, "fork");
HELD(zombie_reaped, "process/zombie", fork_reaped, "fork");
HELD(running_ignored, "process/running", fork_ignored, "fork");
HELD_NET(zombie_ignored, "process/zombie", fork_ignored, "fork");

static pid_t fork_one(struct held *h)
{
	pid_t pid = fork();

	expect(pid >= 0, "fork failed");
	if (!pid)
		_exit(0);
	held_got(h);
	return pid;
}

static NOINLINE void fork_kept(void)
{
	await_zombie(fork_one(&running_kept));
	held_gave(&running_kept);
	held_got(&zombie_kept);
}

static NOINLINE void fork_reaped(void)
{
	await_zombie(fork_one(&running_reaped));
	held_gave(&running_reaped);
	held_got(&zombie_reaped);
	held_gave(&zombie_reaped); /* soon: there is no other */
}

/* waitid says so when the last is gone. */
static NOINLINE void fork_ignored(void)
{
	siginfo_t info;
	pid_t pid = fork_one(&running_ignored);

	expect(waitid(P_PID, (id_t)pid, &info, WEXITED) && errno == ECHILD, "it was not reaped");
	held_gave(&running_ignored);
}

static void reap(int how)
{
	siginfo_t info;

	switch (how) {
	case 0:
		expect(wait(NULL) > 0, "wait failed");
		break;
	case 1:
		expect(waitpid(-1, NULL, 0) > 0, "waitpid failed");
		break;
	case 2:
		expect(waitpid(0, NULL, 0) > 0, "waitpid of the group failed");
		break;
	case 3:
		expect(!waitid(P_ALL, 0, &info, WEXITED), "waitid failed");
		break;
	case 4:
		expect(!waitid(P_PGID, 0, &info, WEXITED), "waitid of the group failed");
		break;
	default: /* these reap none */
		expect(!waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), "WNOWAIT failed");
		waitid(P_ALL, 0, &info, WSTOPPED | WNOHANG);
		expect(wait3(NULL, 0, NULL) > 0, "wait3 failed");
	}
}

static void work(int thread)
{
	struct sigaction as_usual = { .sa_handler = SIG_DFL }, none = { .sa_flags = SA_NOCLDWAIT };

	for (int i = 0; i < 13; i++) {
		fork_reaped();
		reap(i % 6);
	}
	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < 5; i++)
		fork_ignored();
	expect(!sigaction(SIGCHLD, &none, NULL), "sigaction failed");
	for (int i = 0; i < 2; i++)
		fork_ignored();
	expect(!sigaction(SIGCHLD, &as_usual, NULL), "sigaction failed");
	for (int i = 0; i < 3; i++)
		fork_kept();
}

static void finish(void)
{
	await_children();
	say("wrapped fork_kept 1\nwrapped fork_reaped 1\nwrapped fork_ignored 1\n");
	say_held();
}

int main(int argc, char **argv)
{
	struct workload_parts parts = { NULL, work, finish };

	return workload_run_parts(argc, argv, parts);
}
