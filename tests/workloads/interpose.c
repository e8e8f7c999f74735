// SPDX-License-Identifier: Apache-2.0
/* A program that defines malloc and free itself, in front of glibc's: again it counts once. */
#include "workload.h"

extern void *__libc_malloc(size_t n);
extern void __libc_free(void *p);

SITE(s_leak, leak, "malloc");

static size_t calls;

void *malloc(size_t n)
{
	__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
	return keep(__libc_malloc(n));
}

void free(void *p)
{
	__libc_free(p);
	__atomic_fetch_sub(&calls, 1, __ATOMIC_RELAXED);
}

static NOINLINE void leak(void)
{
	got(&s_leak, malloc(43), 43);
	gave(&s_leak, 43);
	free(got(&s_leak, malloc(43), 43));
}

static void work(int thread)
{
	for (int i = 0; i < 211; i++)
		leak();
}

int main(int argc, char **argv)
{
	return workload_run(argc, argv, work);
}
