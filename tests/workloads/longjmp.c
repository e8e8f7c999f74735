// SPDX-License-Identifier: Apache-2.0
/*
 * posix_memalign that faults when it stores its result, once the block is taken, and is left by
 * siglongjmp: the call never returns. The books of everything else stay exact.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include "workload.h"

#define LEFT 127

SITE(s_normal, use_normally, "posix_memalign");
SITE(s_malloc, use_normally, "malloc");
SITE(s_realloc, use_normally, "realloc");

static __thread sigjmp_buf out;

static void on_fault(int sig)
{
	siglongjmp(out, 1);
}

static NOINLINE void leave_by_longjmp(int depth)
{
	volatile char pad[64];

	pad[0] = (char)depth;
	if (depth)
		leave_by_longjmp(depth - 1);
	else
		(void)!posix_memalign((void **)opaque(8), 64, 31);
	pad[1] = pad[0];
}

/* Also from deeper down than the call that was left. */
static NOINLINE void use_normally(int depth)
{
	void *p = NULL;

	if (depth) {
		use_normally(depth - 1);
		keep(&depth);
		return;
	}
	expect(!posix_memalign(&p, 64, 37), "posix_memalign");
	got(&s_normal, p, 37);
	p = got(&s_malloc, malloc(41), 41);
	gave(&s_malloc, 41);
	p = got(&s_realloc, realloc(p, 61), 61);
	keep(p);
}

static void work(int thread)
{
	for (volatile int i = 0; i < LEFT; i++) {
		if (!sigsetjmp(out, 1))
			leave_by_longjmp(i % 7);
		else
			use_normally(i % 11);
	}
	say("missed_return %d\n", LEFT);
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_fault };

	sigaction(SIGSEGV, &sa, NULL);
	return workload_run(argc, argv, work);
}
