// SPDX-License-Identifier: Apache-2.0
/*
 * The heap of a Go process, with any changes to it, also while it is marked. As in fuzz_gomemory.c: the
 * first byte is the release, and each 11 bytes are a change.
 */
#include <stdlib.h>
#include "go/leak_pass.h"
#include "go_leaks_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXPECT(condition)         \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

#define FIRST	  19
#define RELEASES  9
#define READS_MAX 400000 /* of memory by one pass, which goes along lists that may be circles */
#define HEAP_MAX  (1ULL << 26)
#define LATE	  400	 /* reads until there is a runtime, and more */

static int program[RELEASES];
static struct gop process;

static void make_process(unsigned int minor, const uint8_t *data, size_t size)
{
	struct gop_change c;
	char text[16];
	uint64_t place;

	snprintf(text, sizeof(text), "go1.%u.1", minor % 100);
	gol_init(&process, go_layout_next(minor, NULL), text);
	for (; size >= 11; data += 11, size -= 11) {
		place = data[1] | data[2] << 8;
		memcpy(&c.value, data + 3, 8);
		c.at = place < GOP_END && data[0] & 1 ? GOP_BASE + place : GOP_HEAP + place;
		c.when = data[0] >> 1 ? LATE + (data[0] >> 1) : 0;
		if (c.when && process.n_changes < ARRAY_SIZE(process.changes))
			process.changes[process.n_changes++] = c;
		else if (gop_at(&process, c.at, 8))
			gop_put(&process, c.at, c.value, 8);
	}
}

static void check_verdicts(struct go_runtime *rt, const struct goroutine_list *l)
{
	const struct go_leak_limits limits = { .heap = HEAP_MAX, .ns = 2000000000 };
	struct go_leaks leaks = { 0 };
	struct go_pass *pass;
	enum go_verdict *v = calloc(l->n + 1, sizeof(*v));
	struct err e = { "" };
	unsigned int reads;
	size_t n;
	int r;

	EXPECT(v);
	for (unsigned int i = 0; i < 3; i++) {
		reads = process.reads;
		r = go_leaks_pass(rt, &limits, &pass, &e);
		EXPECT(r <= 0 && (r == 0 || e.text[0]));
		EXPECT(process.reads - reads < READS_MAX);
		if (!r)
			go_leaks_add(&leaks, pass);
	}
	go_leaks_judge(&leaks, rt, l, v);
	n = leaks.summary.leaked + leaks.summary.alive + leaks.summary.not_judged;
	EXPECT(n <= l->n && leaks.summary.leaked <= leaks.summary.suspects);
	for (size_t i = 0; i < l->n; i++)
		EXPECT(v[i] <= GO_LEAK);
	go_leaks_deinit(&leaks);
	free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const unsigned int release = size ? data[0] % RELEASES : 0;
	struct goroutine_list l = { 0 };
	struct go_runtime *rt;
	struct err e = { "" };
	struct memory m;

	if (!size)
		return 0;
	if (!program[release]) { /* the file does not change, its memory does */
		make_process(FIRST + release, NULL, 0);
		program[release] = gop_fd(&process);
		EXPECT(program[release] > 0);
	}
	make_process(FIRST + release, data + 1, size - 1);
	m = gop_memory(&process);
	if (go_runtime_open_memory(&m, program[release], 0, &rt, &e))
		return 0;
	gol_find(rt);
	rt->at.semtable = GOP_HEAP + GOP_STACKS;
	rt->at.allfin = GOP_HEAP + GOP_STACKS + 8;
	rt->at.all_cleanups = GOP_HEAP + GOP_STACKS + 24;
	/* all ways to wait, for what is not a select */
	strcpy(rt->reasons[3], "chan receive");
	strcpy(rt->reasons[4], "sync.Mutex.Lock");
	strcpy(rt->reasons[5], "sync.Cond.Wait");
	strcpy(rt->reasons[6], "select (no cases)");
	if (!goroutines_read(rt, &l))
		check_verdicts(rt, &l);
	goroutine_list_deinit(&l);
	go_runtime_close(rt);
	return 0;
}
