// SPDX-License-Identifier: Apache-2.0
/* Thousands of distinct stacks, and one that is deeper than frames are recorded, by no cycle of calls. */
#include "workload.h"

#define LEVELS 11
#define DEPTH  300

SITE(s_leaf, at_leaf, "malloc");
SITE(s_deep, at_bottom, "malloc");

static NOINLINE void at_leaf(void)
{
	got(&s_leaf, malloc(7), 7);
}

static NOINLINE void at_bottom(void)
{
	got(&s_deep, malloc(11), 11);
}

static NOINLINE void right(int level);

static NOINLINE void left(int level)
{
	if (level == LEVELS) {
		at_leaf();
	} else {
		left(level + 1);
		right(level + 1);
	}
	keep(&level);
}

static NOINLINE void right(int level)
{
	if (level == LEVELS) {
		at_leaf();
	} else {
		left(level + 1);
		right(level + 1);
	}
	keep(&level);
}

static NOINLINE void here(int level, unsigned int chance);
static NOINLINE void there(int level, unsigned int chance);

/* Calls one of two functions, as chance has it. */
static inline void down(int level, unsigned int chance)
{
	if (level == DEPTH)
		at_bottom();
	else
		(chance >> 16 & 1 ? here : there)(level + 1, chance * 1103515245 + 12345);
	keep(&level);
}

static NOINLINE void here(int level, unsigned int chance)
{
	down(level, chance);
}

static NOINLINE void there(int level, unsigned int chance)
{
	down(level, chance);
}

static void work(int thread)
{
	/* volatile: an unrolled loop would be as many places to return to */
	for (volatile int i = 0; i < 3; i++)
		left(0);
	for (volatile int i = 0; i < 5; i++)
		here(0, 1);
	say("distinct at_leaf %d\n", 1 << LEVELS);
	say("distinct at_bottom 1\n");
	say("truncated 1\n");
}

int main(int argc, char **argv)
{
	return workload_run(argc, argv, work);
}
