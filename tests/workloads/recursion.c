// SPDX-License-Identifier: Apache-2.0
/* Recursion that is deeper than frames are recorded: of one function, of several in turn, in another one, with
 * frame pointers; and some that is not. */
#include <alloca.h>
#include "workload.h"

#define CALLS 1009
#define OTHER_CALLS 1013
#define FRAMED_CALLS 4001
#define SHALLOW_CALLS 53

/* Neither inlined nor cloned for what it is called with. */
#ifdef __clang__
#define NOIPA __attribute__((noinline, optnone))
#else
#define NOIPA __attribute__((noipa))
#endif

SITE(s_direct, direct_end, "malloc");
SITE(s_two, two_end, "malloc");
SITE(s_three, three_end, "malloc");
SITE(s_nested, nested_end, "malloc");
SITE(s_framed, framed_end, "malloc");
SITE(s_shallow, shallow_end, "malloc");

#define END(name, bytes)                                                                           \
	static NOIPA void name##_end(void)                                                         \
	{                                                                                          \
		got(&s_##name, malloc(bytes), bytes);                                              \
	}

END(direct, 7)
END(two, 11)
END(three, 13)
END(nested, 17)
END(framed, 19)
END(shallow, 23)

/* Calls `next` until `calls` of the functions have been called. */
#define TURN(name, next, end)                                                                      \
	static NOIPA void name(int calls)                                                          \
	{                                                                                          \
		if (calls == 1)                                                                    \
			end();                                                                     \
		else                                                                               \
			next(calls - 1);                                                           \
		keep(&calls);                                                                      \
	}

TURN(direct, direct, direct_end)
TURN(shallow, shallow, shallow_end)

static NOIPA void ping(int calls);
TURN(pong, ping, two_end)
TURN(ping, pong, two_end)

static NOIPA void first(int calls);
TURN(third, first, three_end)
TURN(second, third, three_end)
TURN(first, second, three_end)

TURN(inner, inner, nested_end)

static NOIPA void in_outer(void)
{
	inner(CALLS);
	keep(NULL);
}

TURN(outer, outer, in_outer)

static NOIPA void framed(int calls)
{
	keep(alloca(16 + (size_t)(calls & 16)));
	if (calls == 1)
		framed_end();
	else
		framed(calls - 1);
	keep(&calls);
}

/* What the report is to say: in the last of its calls a function is at another place, and one turn is shown. */
static void say_deep(const char *end, int cycle, int calls)
{
	say("deep %s %d %d\n", end, cycle, (calls - 1) / cycle - 1);
}

static void work(int thread)
{
	for (volatile int i = 0; i < 5; i++)
		direct(CALLS);
	for (volatile int i = 0; i < 3; i++)
		direct(OTHER_CALLS);
	for (volatile int i = 0; i < 7; i++)
		ping(CALLS);
	for (volatile int i = 0; i < 11; i++)
		first(OTHER_CALLS); /* not whole turns */
	for (volatile int i = 0; i < 3; i++)
		outer(OTHER_CALLS);
	for (volatile int i = 0; i < 2; i++)
		framed(FRAMED_CALLS);
	for (volatile int i = 0; i < 13; i++)
		shallow(SHALLOW_CALLS);
}

static void tell(void)
{
	say("distinct direct_end 2\n");
	say_deep("direct_end", 1, CALLS);
	say_deep("direct_end", 1, OTHER_CALLS);
	say_deep("two_end", 2, CALLS);
	say_deep("three_end", 3, OTHER_CALLS);
	say_deep("nested_end", 1, CALLS);
	say_deep("nested_end", 1, OTHER_CALLS);
	say_deep("framed_end", 1, FRAMED_CALLS);
}

int main(int argc, char **argv)
{
	struct workload_parts parts = { NULL, work, tell };

	return workload_run_parts(argc, argv, parts);
}
