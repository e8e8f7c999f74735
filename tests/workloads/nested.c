// SPDX-License-Identifier: Apache-2.0
/* A program with allocators of its own on top of malloc: the memory counts once, at malloc. */
#include "workload.h"

#define SLAB 8191

SITE(s_wrapper, xmalloc, "malloc");
SITE(s_pool, pool_grow, "malloc");

static __thread char *pool;
static __thread size_t pool_left;

static NOINLINE void *xmalloc(size_t n)
{
	void *p = got(&s_wrapper, malloc(n), n);

	return keep(p);
}

static NOINLINE void pool_grow(void)
{
	pool = (char *)got(&s_pool, malloc(SLAB), SLAB);
	pool_left = SLAB;
}

static NOINLINE void *pool_alloc(size_t n)
{
	if (pool_left < n)
		pool_grow();
	pool_left -= n;
	return keep(pool + pool_left);
}

static void work(int thread)
{
	void *p;

	for (int i = 0; i < 1009; i++) {
		p = xmalloc(59);
		if (i % 3) {
			gave(&s_wrapper, 59);
			free(p);
		}
		pool_alloc(97);
	}
}

int main(int argc, char **argv)
{
	return workload_run(argc, argv, work);
}
