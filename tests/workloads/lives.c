// SPDX-License-Identifier: Apache-2.0
/*
 * lives [wait] N...: N children, one after the other, that allocate, free some of it and end; then as many more as the
 * next N says. With "wait" a line is awaited before each, and behind the last one.
 */
#include <sys/wait.h>
#include "workload.h"

#define BLOCKS	  31
#define FREED	  13
#define PARENTS	  101

SITE(s_parent, in_parent, "malloc");
SITE(s_child, in_child, "malloc");

static NOINLINE void in_parent(void)
{
	for (int i = 0; i < PARENTS; i++)
		got(&s_parent, malloc(53), 53);
}

static NOINLINE void in_child(void *blocks[BLOCKS])
{
	for (int i = 0; i < BLOCKS; i++)
		blocks[i] = keep(malloc(61));
}

static void child(void)
{
	void *blocks[BLOCKS];

	in_child(blocks);
	for (int i = 0; i < FREED; i++)
		free(blocks[i]);
	_exit(0);
}

static void live(void)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		child();
	expect(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "a child failed");
	for (int i = 0; i < BLOCKS; i++)
		got(&s_child, &pid, 61);
	for (int i = 0; i < FREED; i++)
		gave(&s_child, 61);
}

int main(int argc, char **argv)
{
	const bool patient = argc > 1 && !strcmp(argv[1], "wait");

	if (patient)
		say("ready %d\n", (int)getpid());
	for (int i = patient ? 2 : 1; i < argc; i++) {
		if (patient)
			await_line();
		if (!s_parent.got)
			in_parent();
		for (int n = atoi(argv[i]); n; n--)
			live();
		say("lived %d\n", i);
	}
	say_truth();
	say("done\n");
	if (patient)
		await_line();
	return 0;
}
