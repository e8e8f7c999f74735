// SPDX-License-Identifier: Apache-2.0
/*
 * Allocates at the end of paths through functions of every shape. Does what its standard input says,
 * and answers every line with a last line "done":
 *
 *	load FILE NAME			dlopen() of generated functions
 *	walk FIRST COUNT OTHER TRUTH	that many paths; each allocates a block, of FIRST bytes and on;
 *					OTHER, TRUTH: with other stacks, with the truth (or 0)
 *	interrupt FIRST COUNT		the same from a timer's signal, in the midst of a computation
 *
 * The truth about each block is a line "stack BYTES ADDRESS...", of backtrace(3). The first lines
 * say where signal handlers return to, and what is outermost in the main thread.
 */
#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
#include "shapes.h"

#define FRAMES_MAX 300
#define DEPTH	   60

extern const struct shapes first_shapes, second_shapes;

static unsigned long amount;
static volatile long left;
static bool with_truth;

/* For signal handlers: nothing here allocates. */
static void say(const char *text, size_t n)
{
	while (n > 0) {
		ssize_t written = write(STDOUT_FILENO, text, n);

		if (written <= 0)
			_exit(1);
		text += written;
		n -= (size_t)written;
	}
}

static void say_stack(void *const *frames, int n)
{
	static char line[FRAMES_MAX * 20];
	char *at = line + sprintf(line, "stack %lu", amount);

	for (int i = 0; i < n; i++)
		at += sprintf(at, " %lx", (unsigned long)frames[i]);
	*at++ = '\n';
	say(line, (size_t)(at - line));
}

static NOINLINE void leaf(void)
{
	void *frames[FRAMES_MAX], *block;
	int n = with_truth ? backtrace(frames, FRAMES_MAX) : 0;

	block = malloc(amount); /* and held for ever */
	__asm__ volatile("" : : "r"(block) : "memory");
	if (with_truth)
		say_stack(frames, n);
	amount++;
}

static void load(const char *file, const char *name)
{
	void *module = dlopen(file, RTLD_NOW);
	char symbol[64];

	if (!module) {
		fprintf(stderr, "%s\n", dlerror());
		_exit(1);
	}
	snprintf(symbol, sizeof(symbol), "%s_shapes", name);
	shapes_add(dlsym(module, symbol));
}

static void on_timer(int number)
{
	if (left <= 0)
		return;
	left--;
	leaf();
}

/* Where handlers return to: the frames above it are addresses that were interrupted. */
static unsigned long restorer(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct {
		void *handler;
		unsigned long flags, restorer, mask;
	} action;

	sigaction(SIGALRM, &ignore, NULL);
	if (syscall(SYS_rt_sigaction, SIGALRM, NULL, &action, sizeof(action.mask)))
		_exit(1);
	return action.restorer;
}

static void interrupt(void)
{
	static char stack[1 << 20];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct itimerval on = { { 0, 200 }, { 0, 200 } }, off = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = on_timer, .sa_flags = SA_RESTART };
	long half = left / 2;

	shapes_compute(); /* binds functions: meanwhile ld.so's CFA is in rbx, which is not followed */
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &on, NULL);
	while (left > half)
		shapes_compute();
	sigaltstack(&alternate, NULL);
	action.sa_flags |= SA_ONSTACK;
	sigaction(SIGALRM, &action, NULL);
	while (left > 0)
		shapes_compute();
	setitimer(ITIMER_REAL, &off, NULL);
}

static void command(const char *line)
{
	char file[512], name[32];
	long first, count;
	int other = 0, truth = 1;

	if (sscanf(line, "load %511s %31s", file, name) == 2) {
		load(file, name);
	} else if (sscanf(line, "walk %ld %ld %d %d", &first, &count, &other, &truth) == 4) {
		amount = (unsigned long)first;
		with_truth = truth;
		for (long i = 0; i < count; i++)
			shapes_walk((unsigned long)i, DEPTH, other, leaf);
	} else if (sscanf(line, "interrupt %ld %ld", &first, &count) == 2) {
		amount = (unsigned long)first;
		left = count;
		with_truth = true;
		interrupt();
	} else {
		fprintf(stderr, "what is %s", line);
		_exit(1);
	}
	say("done\n", 5);
}

int main(void)
{
	void *frames[FRAMES_MAX];
	int n = backtrace(frames, FRAMES_MAX);
	char line[1024];

	shapes_add(&first_shapes);
	shapes_add(&second_shapes);
	say(line, (size_t)sprintf(line, "restorer %lx\n", restorer()));
	say(line, (size_t)sprintf(line, "outermost %lx\n", (unsigned long)frames[n - 1]));
	say("done\n", 5);
	while (fgets(line, sizeof(line), stdin))
		command(line);
	return 0;
}
