// SPDX-License-Identifier: Apache-2.0
/* Waits for each child that it has, also for those from before tracing, and ends the very next moment. */
#include "held.h"

HELD(running, "process/running", fork_many, "fork");
HELD(zombie, "process/zombie", fork_many, "fork");

#define CHILDREN 53
#define EARLIER	 7

static NOINLINE void fork_many(void)
{
	for (int i = 0; i < CHILDREN; i++) {
		pid_t pid = fork();

		expect(pid >= 0, "fork failed");
		if (!pid)
			_exit(0);
		held_got(&running);
		expect(waitpid(pid, NULL, 0) == pid, "waitpid failed");
		held_gave(&running);
		held_got(&zombie);
		held_gave(&zombie);
	}
}

int main(void)
{
	pid_t earlier[EARLIER];
	int gate[2];
	char c;

	expect(!pipe(gate), "pipe failed");
	for (int i = 0; i < EARLIER; i++) {
		earlier[i] = fork();
		expect(earlier[i] >= 0, "fork failed");
		if (!earlier[i]) {
			close(gate[1]);
			_exit((int)read(gate[0], &c, 1));
		}
	}
	say("ready %d\n", getpid());
	await_line();
	close(gate[1]);
	for (int i = 0; i < EARLIER; i++)
		expect(waitpid(earlier[i], NULL, 0) == earlier[i], "waitpid failed");
	fork_many();
	return 0;
}
