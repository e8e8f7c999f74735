// SPDX-License-Identifier: Apache-2.0
/*
 * usage: go_runtime PID [TIMES]
 * What is found of the Go runtime in a process: "runtime.NAME ADDRESS" for each variable, for comparison
 * with the symbols of the program. Then reads its goroutines so often, and prints for each time "N
 * goroutines, N frames, N torn, N unread, N calls, N ms, N of a processor".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "go/goroutine.h"

static unsigned int calls;
static struct memory process;

static int counted_read(const struct memory *m, uint64_t at, void *to, size_t size)
{
	calls++;
	return process.read(m, at, to, size);
}

static ssize_t counted_read_places(const struct memory *m, const struct iovec *places, size_t n,
				   void *to)
{
	calls++;
	return process.read_places(m, places, n, to);
}

static void print_variables(const struct go_runtime *rt)
{
	const struct go_addresses *a = &rt->at;
	const struct {
		const char *name;
		uint64_t at;
	} variables[] = {
		{ "allgs", a->allgs },
		{ "mheap_", a->mheap },
		{ "mbuckets", a->mbuckets },
		{ "mProfCycle", a->mprof_cycle },
		{ "MemProfileRate", a->mem_profile_rate },
		{ "waitReasonStrings", a->wait_reasons },
		{ "semtable", a->semtable },
		{ "work", a->work },
		{ "allfin", a->allfin },
		{ "gcCleanups", a->all_cleanups ? a->all_cleanups - 128 : 0 },
		{ "firstmoduledata", a->module },
	};

	printf("%s, layout of 1.%u\n", go_runtime_version(rt), rt->layout->minor);
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		if (variables[i].at || strcmp(variables[i].name, "gcCleanups")) /* not every program has them */
			printf("runtime.%s %016" PRIx64 "\n", variables[i].name,
		       variables[i].at ? variables[i].at - rt->bias : 0);
}

static double now_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int read_once(struct go_runtime *rt)
{
	struct goroutine_list l = { 0 };
	const double start = now_ms(CLOCK_MONOTONIC), cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID);
	int r;

	calls = 0;
	process = rt->memory;
	rt->memory.read = counted_read;
	rt->memory.read_places = counted_read_places;
	r = goroutines_read(rt, &l);
	rt->memory = process;
	printf("%zu goroutines, %zu frames, %" PRIu64 " torn, %" PRIu64 " unread, %u calls, %.1f ms, %.1f of a processor\n",
	       l.n, l.pcs.n, l.torn, l.unread, calls, now_ms(CLOCK_MONOTONIC) - start,
	       now_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu);
	goroutine_list_deinit(&l);
	return r;
}

int main(int argc, char **argv)
{
	struct err e = { "" };
	struct go_runtime *rt;
	struct opener opener;
	int r = -EINVAL;

	opener_init(&opener);
	if (argc > 1)
		r = go_runtime_open(atoi(argv[1]), &opener, &rt, &e);
	opener_deinit(&opener);
	if (r) {
		fprintf(stderr, "%d %s\n", r, e.text);
		return 1;
	}
	print_variables(rt);
	for (int i = argc > 2 ? atoi(argv[2]) : 0; i > 0 && !r; i--)
		r = read_once(rt);
	go_runtime_close(rt);
	return r != 0;
}
