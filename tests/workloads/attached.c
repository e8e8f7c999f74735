// SPDX-License-Identifier: Apache-2.0
/* Blocks and mappings from before the tracer came are released while it watches. */
#include <sys/mman.h>
#include "workload.h"

#define OLD 137

SITE(s_new, allocate, "malloc");
SITE(s_resized, resize_old, "realloc");

static void *blocks[OLD];
static char *mappings[OLD];

static NOINLINE void allocate_before(void)
{
	for (int i = 0; i < OLD; i++) {
		blocks[i] = keep(malloc(83));
		mappings[i] = (char *)mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		expect(mappings[i] != MAP_FAILED, "mmap failed");
	}
}

static NOINLINE void allocate(void)
{
	for (int i = 0; i < 17; i++)
		got(&s_new, malloc(89), 89);
}

static NOINLINE void resize_old(void)
{
	for (int i = 0; i < 7; i++)
		blocks[i] = got(&s_resized, realloc(blocks[i], 97), 97);
}

static void work(int thread)
{
	expect(thread == 0, "this workload has one thread");
	allocate();
	resize_old();
	for (int i = 7; i < OLD; i++)
		free(blocks[i]);
	for (int i = 0; i < 11; i++)
		munmap(mappings[i], 8192);
	say("unmatched %d\n", OLD + 11);
}

int main(int argc, char **argv)
{
	allocate_before();
	return workload_run(argc, argv, work);
}
