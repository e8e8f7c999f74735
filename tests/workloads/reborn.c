// SPDX-License-Identifier: Apache-2.0
/*
 * reborn [wait]: two children, one after the other, that have the same pid; the second one begins as soon as the first
 * one has ended. Each allocates, frees some of it and ends. With "wait", a line is awaited by either before it begins.
 * 77: the kernel lets nobody choose a pid.
 */
#include <linux/sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "workload.h"

#define FIRST	    31
#define FIRST_FREED 7
#define SECOND	    53
#define SECOND_FREED 11

SITE(s_first, in_first, "malloc");
SITE(s_second, in_second, "malloc");

static NOINLINE void in_first(void *blocks[])
{
	for (int i = 0; i < FIRST; i++)
		blocks[i] = keep(malloc(61));
}

static NOINLINE void in_second(void *blocks[])
{
	for (int i = 0; i < SECOND; i++)
		blocks[i] = keep(malloc(67));
}

/* `pid` 0: any. */
static pid_t fork_as(pid_t pid)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = pid ? (uintptr_t)&pid : 0,
		.set_tid_size = pid != 0,
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static void child(bool second, bool patient)
{
	void *blocks[SECOND];
	const int freed = second ? SECOND_FREED : FIRST_FREED;

	if (patient) {
		say("born %d %d\n", second + 1, (int)getpid());
		await_line();
	}
	if (second)
		in_second(blocks);
	else
		in_first(blocks);
	for (int i = 0; i < freed; i++)
		free(blocks[i]);
	_exit(0);
}

int main(int argc, char **argv)
{
	const bool patient = argc > 1 && !strcmp(argv[1], "wait");
	pid_t pid = 0;
	int status;

	if (patient) {
		say("ready %d\n", (int)getpid());
		await_line();
	}
	for (int second = 0; second < 2; second++) {
		pid_t child_pid = fork_as(pid);

		if (!child_pid)
			child(second, patient);
		if (child_pid < 0)
			return 77;
		expect(waitpid(child_pid, &status, 0) == child_pid && status == 0, "a child failed");
		pid = child_pid;
	}
	for (int i = 0; i < FIRST; i++)
		got(&s_first, &pid, 61);
	for (int i = 0; i < FIRST_FREED; i++)
		gave(&s_first, 61);
	for (int i = 0; i < SECOND; i++)
		got(&s_second, &pid, 67);
	for (int i = 0; i < SECOND_FREED; i++)
		gave(&s_second, 67);
	say_truth();
	say("done\n");
	if (patient)
		await_line();
	return 0;
}
