// SPDX-License-Identifier: Apache-2.0
/* A shell of a kind: it runs lines, those that end in & in the background, and forgets them there. */
#include "held.h"

HELD(running, "process/running", launch, "fork");
HELD(zombies, "process/zombie", launch, "fork");

static const char *const script[] = { "true",	"true &", "false &", "true",  "true &", "true &",
				      "true &", "false",  "true &",  "true &", "true",	"true &",
				      "false &", "true &", "true",   "true &" };

static NOINLINE pid_t launch(char *const *argv)
{
	pid_t pid = fork();

	expect(pid >= 0, "fork failed");
	if (!pid) {
		execvp(argv[0], argv);
		_exit(127);
	}
	held_got(&running);
	return pid;
}

static void run_line(const char *line)
{
	char word[16] = "", *const argv[] = { word, NULL };
	pid_t pid;

	sscanf(line, "%15s", word);
	pid = launch(argv);
	await_zombie(pid);
	held_gave(&running);
	held_got(&zombies);
	if (!strchr(line, '&')) {
		expect(waitpid(pid, NULL, 0) == pid, "waitpid failed");
		held_gave(&zombies);
	}
}

static void work(int thread)
{
	for (size_t i = 0; i < sizeof(script) / sizeof(script[0]); i++)
		run_line(script[i]);
}

static void finish(void)
{
	await_children();
	expect(held_now("process/zombie") == 11, "not so many were left behind");
	say_held();
}

int main(int argc, char **argv)
{
	struct workload_parts parts = { NULL, work, finish };

	return workload_run_parts(argc, argv, parts);
}
