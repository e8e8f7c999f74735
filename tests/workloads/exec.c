// SPDX-License-Identifier: Apache-2.0
/* A process that becomes another program: what the first one held is gone with it. exec wait [at-once]: the second one
 * begins at once, or gives a tracer time to notice it. */
#include "workload.h"

SITE(s_second, in_second, "malloc");

static NOINLINE void in_first(void)
{
	for (int i = 0; i < 71; i++)
		keep(malloc(1013));
}

static NOINLINE void in_second(void)
{
	for (int i = 0; i < 73; i++)
		got(&s_second, malloc(79), 79);
}

int main(int argc, char **argv)
{
	struct workload w = { .threads = 1, .wait = argc > 1 && !strncmp(argv[1], "wait", 4) };

	if (argc > 1 && strstr(argv[1], "second")) {
		if (w.wait && !strstr(argv[1], "at-once")) { /* the tracer needs a moment to find its way in the new program */
			say("execed %d\n", getpid());
			await_line();
		}
		in_second();
		workload_done(&w);
		return 0;
	}
	workload_ready(&w);
	in_first();
	execl("/proc/self/exe", argv[0], argc > 2 ? "wait-second-at-once" : w.wait ? "wait-second" : "second", (char *)NULL);
	return 1;
}
