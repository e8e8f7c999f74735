// SPDX-License-Identifier: Apache-2.0
/*
 * usage: go_heap PID [TIMES]
 * Reads the heap profile of a Go process, TIMES times with one reader, and prints the last as the runtime
 * would, unscaled: a line for each record. On stderr: how it was read, and what that took.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "go/heap.h"

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void print(const struct go_heap *heap)
{
	double bytes = 0, objects = 0;

	vec_foreach(rec, heap) {
		printf("%lld: %lld [%llu: %llu] @", (long long)(rec->alloc_objects - rec->free_objects),
		       (long long)(rec->alloc_bytes - rec->free_bytes),
		       (unsigned long long)rec->alloc_objects, (unsigned long long)rec->alloc_bytes);
		for (size_t i = 0; i < rec->n_pcs; i++)
			printf(" %#llx", (unsigned long long)heap->pcs.items[rec->pcs + i]);
		printf("\n");
		bytes += rec->inuse_bytes;
		objects += rec->inuse_objects;
	}
	printf("# scaled: %.0f objects, %.0f bytes\n", objects, bytes);
}

int main(int argc, char **argv)
{
	struct go_runtime *rt;
	struct go_heap heap = { 0 };
	struct err e = { "" };
	char words[256];
	int times = argc > 2 ? atoi(argv[2]) : 1;
	struct opener opener;
	int r = -EINVAL;

	opener_init(&opener);
	if (argc > 1)
		r = go_runtime_open(atoi(argv[1]), &opener, &rt, &e);
	opener_deinit(&opener);
	if (r) {
		fprintf(stderr, "go_heap: %s: %s\n", strerror(-r), e.text);
		return 1;
	}
	for (int i = 0; i < times && !r; i++) {
		double before = now();

		r = go_heap_read_profile(rt, &heap);
		fprintf(stderr, "%s: %d, %zu records, %llu torn, %.1f ms; %s\n", go_runtime_version(rt), r,
			heap.n, (unsigned long long)heap.torn, now() - before,
			go_heap_words(&heap, words, sizeof(words)));
	}
	if (!r)
		print(&heap);
	go_heap_deinit(&heap);
	go_runtime_close(rt);
	return r ? 1 : 0;
}
