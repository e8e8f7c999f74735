// SPDX-License-Identifier: Apache-2.0
/* Holds more blocks than small tables have room for, and frees some: overfull [wait]. BLOCKS: how many. */
#include "workload.h"

SITE(s_blocks, fill, "malloc");

static void **blocks;
static int n = 400009;

static NOINLINE void fill(void)
{
	for (int i = 0; i < n; i++)
		blocks[i] = got(&s_blocks, malloc(19), 19);
}

static void work(int thread)
{
	fill();
	for (int i = 0; i < n; i += 3) {
		gave(&s_blocks, 19);
		free(blocks[i]);
	}
}

static void prepare(void)
{
	if (getenv("BLOCKS"))
		n = atoi(getenv("BLOCKS"));
	blocks = calloc((size_t)n, sizeof(*blocks));
	expect(blocks != NULL, "calloc failed");
}

int main(int argc, char **argv)
{
	return workload_run_parts(argc, argv, (struct workload_parts){ prepare, work, NULL });
}
