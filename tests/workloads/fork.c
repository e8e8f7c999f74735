// SPDX-License-Identifier: Apache-2.0
/* Children that free their copies of the parent's blocks and leak their own: not the parent's. */
#include <spawn.h>
#include <sys/wait.h>
#include "workload.h"

#define BLOCKS 131

SITE(s_parent, in_parent, "malloc");

static void *blocks[BLOCKS];
static int children;

static NOINLINE void in_parent(void)
{
	for (int i = 0; i < BLOCKS; i++)
		blocks[i] = got(&s_parent, malloc(53), 53);
}

static NOINLINE void in_child(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		free(blocks[i]);
		keep(malloc(1021));
		keep(malloc(53));
	}
}

static void reap(pid_t pid)
{
	int status;

	expect(waitpid(pid, &status, 0) == pid && status == 0, "a child failed");
	children++;
}

static void work(int thread)
{
	pid_t pid;

	in_parent();
	for (int i = 0; i < 11; i++) {
		pid = fork();
		expect(pid >= 0, "fork failed");
		if (!pid) {
			in_child();
			_exit(0);
		}
		reap(pid);
	}
	pid = vfork();
	if (!pid) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	reap(pid);
	for (int i = 0; i < BLOCKS; i += 3) {
		gave(&s_parent, 53);
		free(blocks[i]);
	}
	say("untraced_children %d\n", children);
}

int main(int argc, char **argv)
{
	return workload_run(argc, argv, work);
}
