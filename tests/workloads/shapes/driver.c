// SPDX-License-Identifier: Apache-2.0
#include "shapes.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#define MODULES_MAX  16
#define CONTEXT_SIZE (4 << 20)
#define NO_TAIL_CALL __asm__ volatile("" : : : "memory")

static const struct shapes *modules[MODULES_MAX];
static unsigned int n_modules;
static struct path *interrupted;
static ucontext_t left;

static unsigned long random_next(struct path *p)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return p->random >> 8;
}

void shapes_add(const struct shapes *s)
{
	if (!s || n_modules == MODULES_MAX)
		abort();
	modules[n_modules++] = s;
}

NOINLINE void shape_next(struct path *p)
{
	unsigned long r = random_next(p);
	const struct shapes *s = modules[r % n_modules];

	if (p->depth-- <= 0)
		p->leaf();
	else
		s->functions[(r >> 8) % s->n](p);
	NO_TAIL_CALL;
}

static void on_signal(int number)
{
	shape_next(interrupted);
	NO_TAIL_CALL;
}

void shape_signal(struct path *p)
{
	static char stack[CONTEXT_SIZE];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_NODEFER };

	if (p->may_signal) {
		p->may_signal = false;
		if (p->other_stacks && random_next(p) % 2)
			action.sa_flags |= SA_ONSTACK;
		interrupted = p;
		sigaltstack(&alternate, NULL);
		sigaction(SIGUSR1, &action, NULL);
		raise(SIGUSR1);
	} else {
		shape_next(p);
	}
	NO_TAIL_CALL;
}

static void *thread_main(void *arg)
{
	shape_next(arg);
	NO_TAIL_CALL;
	return NULL;
}

void shape_thread(struct path *p)
{
	pthread_t t;

	if (p->may_start_thread) {
		p->may_start_thread = false;
		if (pthread_create(&t, NULL, thread_main, p))
			abort();
		pthread_join(t, NULL);
	} else {
		shape_next(p);
	}
	NO_TAIL_CALL;
}

static void context_main(unsigned int high, unsigned int low)
{
	shape_next((struct path *)((unsigned long)high << 32 | low));
	NO_TAIL_CALL;
}

void shape_context(struct path *p)
{
	static char stack[CONTEXT_SIZE];
	static ucontext_t there;

	if (p->may_switch_context) {
		p->may_switch_context = false;
		getcontext(&there);
		there.uc_stack.ss_sp = stack;
		there.uc_stack.ss_size = sizeof(stack);
		there.uc_link = &left;
		makecontext(&there, (void (*)(void))context_main, 2,
			    (unsigned int)((unsigned long)p >> 32), (unsigned int)(unsigned long)p);
		swapcontext(&left, &there);
	} else {
		shape_next(p);
	}
	NO_TAIL_CALL;
}

int shape_compare(const void *a, const void *b, void *path)
{
	struct path *p = path;

	if (p->once) {
		p->once = false;
		shape_next(p);
	}
	return 0;
}

int shape_find(const void *key, const void *item)
{
	struct path *p = *(struct path *const *)item;

	return shape_compare(key, item, p);
}

NOINLINE void shapes_walk(unsigned long number, int depth, bool other_stacks, void (*leaf)(void))
{
	struct path p = {
		.random = 88172645463325252UL * (2 * number + 1),
		.depth = 1 + (int)(number % (unsigned long)depth),
		.may_signal = true,
		.may_start_thread = true,
		.may_switch_context = other_stacks,
		.other_stacks = other_stacks,
		.leaf = leaf,
	};

	shape_next(&p);
	NO_TAIL_CALL;
}

void shapes_compute(void)
{
	static volatile double x = 1;

	for (unsigned int i = 0; i < n_modules; i++)
		x = modules[i]->compute(x);
}
