// SPDX-License-Identifier: Apache-2.0
/*
 * usage: go_leaks PID [HEAP_MAX]
 *
 * The verdict on each goroutine of a Go program, one line each: "ID VERDICT [STATE] FUNCTION...", and a
 * last line with figures. The runtime's own goroutines are left out.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"
#include "go/leak.h"

static const char *const words[] = { "not-judged", "alive", "leaked" };

static void print_functions(const struct go_runtime *rt, uint64_t pc)
{
	struct go_function f;
	struct go_inlined call;
	uint64_t at = pc - rt->bias;

	if (!gopclntab_at(&rt->table, at, &f))
		return;
	if (at > f.entry)
		at--;
	while (gopclntab_inlined(&rt->table, &f, at, &call)) {
		printf(" %s", call.name);
		at = call.caller;
	}
	printf(" %s", f.name);
}

static void print_goroutine(const struct go_runtime *rt, const struct goroutine_list *l,
			    const struct goroutine *g, enum go_verdict verdict)
{
	if (g->system)
		return;
	printf("%" PRIu64 " %s [%s]", g->id, words[verdict], g->state);
	for (size_t i = 0; i < g->n_pcs; i++)
		print_functions(rt, l->pcs.items[g->pcs + i]);
	putchar('\n');
}

static int judge(struct go_runtime *rt, const struct go_leak_limits *limits, struct err *e)
{
	_cleanup_(goroutine_list_deinit) struct goroutine_list list = { 0 };
	_cleanup_free_ enum go_verdict *verdicts = NULL;
	struct go_leak_summary s;
	int r = goroutines_read(rt, &list);

	if (r)
		return err_set(e, r, "its goroutines cannot be read: %s", strerror(-r));
	verdicts = calloc(list.n + 1, sizeof(*verdicts));
	if (!verdicts)
		return err_set(e, -ENOMEM, "out of memory");
	r = go_leaks_find(rt, &list, limits, verdicts, &s, e);
	if (r)
		return r;
	for (size_t i = 0; i < list.n; i++)
		print_goroutine(rt, &list, &list.items[i], verdicts[i]);
	printf("figures: goroutines %zu suspects %zu leaked %zu alive %zu not-judged %zu passes %u"
	       " heap %" PRIu64 " scannable %" PRIu64 " read %" PRIu64 " ms %.1f\n",
	       list.n, s.suspects, s.leaked, s.alive, s.not_judged, s.passes, s.heap, s.scannable,
	       s.bytes_read, (double)s.ns / 1e6);
	return 0;
}

int main(int argc, char **argv)
{
	struct go_leak_limits limits = GO_LEAK_LIMITS;
	struct go_runtime *rt = NULL;
	struct err e = { { 0 } };
	struct opener opener;
	int r;

	if (argc < 2)
		return 2;
	if (argc > 2)
		limits.heap = strtoull(argv[2], NULL, 0);
	opener_init(&opener);
	r = go_runtime_open(atoi(argv[1]), &opener, &rt, &e);
	opener_deinit(&opener);
	if (!r)
		r = judge(rt, &limits, &e);
	if (r)
		fprintf(stderr, "go_leaks: %s: %s\n", argv[1], r == -ENOENT ? "not a Go program" : e.text);
	go_runtime_close(rt);
	return r ? 1 : 0;
}
