// SPDX-License-Identifier: Apache-2.0
/*
 * A plugin, built several times with other names and sizes: -DNAME=a -DSIZE=101. Each load leaks a
 * block of SIZE bytes from its constructor, each call one of SIZE + 1; with -DINNOCENT it frees both.
 */
#include <stdlib.h>

#define JOIN(a, b)  a##b
#define NAMED(a, b) JOIN(a, b)
#define BEGINS	    NAMED(plugin_begins_, NAME)
#define LEAKS	    NAMED(plugin_leaks_, NAME)

void *BEGINS(void);
void *LEAKS(void);
void plugin_run(void);

static void drop(void *p)
{
	__asm__ volatile("" : "+r"(p) : : "memory"); /* it is used */
#ifdef INNOCENT
	free(p);
#endif
}

__attribute__((noinline)) void *BEGINS(void)
{
	void *p = malloc(SIZE);

	__asm__ volatile("" : "+r"(p) : : "memory"); /* nor is this a tail call */
	return p;
}

__attribute__((noinline)) void *LEAKS(void)
{
	void *p = malloc(SIZE + 1);

	__asm__ volatile("" : "+r"(p) : : "memory");
	return p;
}

__attribute__((constructor)) static void begin(void)
{
	drop(BEGINS());
}

void plugin_run(void)
{
	drop(LEAKS());
}
