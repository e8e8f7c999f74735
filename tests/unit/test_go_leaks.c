// SPDX-License-Identifier: Apache-2.0
/* Which goroutines are leaked, of a process that is made up: of every release, changing, broken. Real ones:
 * see tests/e2e/go-leaks.t. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <setjmp.h>
#include <cmocka.h>
#include "go_leaks_fixture.h"

#define FIRST 19
#define LAST  27
#define HEAP  (4 * 8192) /* bytes of all spans */

static struct gop process;

static void start(unsigned int minor)
{
	char version[16];

	snprintf(version, sizeof(version), "go1.%u.3", minor);
	gol_init(&process, go_layout_next(minor, NULL), version);
}

static struct go_runtime *open_process(void)
{
	const struct memory m = gop_memory(&process);
	struct go_runtime *rt;
	struct err e = { "" };
	int fd = gop_fd(&process);

	assert_true(fd >= 0);
	assert_int_equal(go_runtime_open_memory(&m, fd, 0, &rt, &e), 0);
	close(fd);
	gol_find(rt);
	return rt;
}

/* The verdict on each in the order of their numbers, as letters. */
static void verdicts(struct go_runtime *rt, void (*between)(void), char *ret)
{
	struct err e = { "" };
	struct goroutine_list l = { 0 };
	enum go_verdict v[16];

	assert_int_equal(goroutines_read(rt, &l), 0);
	assert_true(l.n < ARRAY_SIZE(v));
	if (between)
		between();
	assert_int_equal(go_leaks_find(rt, &l, NULL, v, NULL, &e), 0);
	for (size_t i = 0; i < l.n; i++)
		ret[i] = "-aL"[v[i]];
	ret[l.n] = '\0';
	goroutine_list_deinit(&l);
}

static void check_after(void (*between)(void), unsigned int minor, const char *wanted)
{
	struct go_runtime *rt = open_process();
	char got[32];

	verdicts(rt, between, got);
	if (strcmp(got, wanted))
		fail_msg("1.%u: %s instead of %s", minor, got, wanted);
	go_runtime_close(rt);
}

static void check(unsigned int minor, const char *wanted)
{
	check_after(NULL, minor, wanted);
}

static void nobody_knows(void **state)
{
	for (unsigned int minor = FIRST; minor <= LAST; minor++) {
		start(minor);
		check(minor, "LLLLL");
	}
}

static void a_variable_knows(void **state)
{
	for (unsigned int minor = FIRST; minor <= LAST; minor++) {
		start(minor);
		gol_know(&process, 0, 1);
		gol_know(&process, 1, 5); /* one of two is enough */
		check(minor, "aLLaL");
	}
}

/* An object that points into the middle of another that points to a channel. */
static void objects_know(void **state)
{
	for (unsigned int minor = FIRST; minor <= LAST; minor++) {
		start(minor);
		gol_know(&process, 3, 10);
		gop_put(&process, gol_object(10) + 120, gol_object(11) + 77, 8);
		gop_put(&process, gol_object(11) + 8, gol_object(3), 8);
		gop_put(&process, gol_object(12), gol_object(2), 8); /* which nobody knows */
		gop_put(&process, GOP_HEAP + GOL_BYTES, gol_object(6), 8); /* no pointer */
		gol_know(&process, 4, (GOL_BYTES - GOL_OBJECTS) / GOL_SIZE);
		check(minor, "LLaLL");
	}
}

/* Goroutine 17 is alive, and on its stack is what another waits for. */
static void the_living_know(void **state)
{
	for (unsigned int minor = FIRST; minor <= LAST; minor++) {
		start(minor);
		gol_know(&process, 0, 4);
		gop_put(&process, gop_stack_end(3) - 0x60, gol_object(6), 8); /* as F_EXIT has no map */
		gop_field(&process, 3, process.layout->g.startpc, gop_code(F_START, 0), 8);
		check(minor, "LLLaL");
		gop_put(&process, gop_stack_end(3) - 0x80 - 8, 0x1234, 8); /* no code: all words count */
		check(minor, "LLLaa");
	}
}

static void finalizers_know(void **state)
{
	for (unsigned int minor = FIRST; minor <= LAST; minor++) {
		const struct go_layout *l = go_layout_next(minor, NULL);
		const uint64_t at = GOP_BASE + GOP_BSS + 0x600;

		start(minor);
		gop_put(&process, gol_span(1) + l->mspan.specials, at, 8);
		gop_put(&process, at + l->special.next, at, 8); /* in a circle */
		gop_put(&process, at + l->special.offset, 20 * GOL_SIZE, 2);
		gop_put(&process, at + l->special.kind, minor < 25 ? 1 : 2, 1);
		gop_put(&process, at + l->special.size, gol_object(2), 8); /* its function */
		gop_put(&process, gol_object(20) + 16, gol_object(3), 8);
		check(minor, "LaaLL");
	}
}

static void run_one(void)
{
	gop_field(&process, 2, process.layout->g.trackingSeq, 77, 1);
}

static void end_one(void)
{
	gop_field(&process, 2, process.layout->g.atomicstatus, GO_DEAD, 4);
}

static void wake_all(void)
{
	for (unsigned int i = 0; i < GOP_ALIVE; i++)
		gop_field(&process, i, process.layout->g.atomicstatus, GO_RUNNABLE, 4);
}

static void forget_sudogs(void)
{
	for (unsigned int i = 0; i < GOP_ALIVE; i++)
		gop_field(&process, i, process.layout->g.waiting, gol_object(50), 8);
}

static void it_moves(void **state)
{
	static const struct {
		void (*between)(void);
		const char *wanted;
	} rows[] = {
		{ run_one, "LLaLL" },
		{ end_one, "LL-LL" },
		{ wake_all, "aaaaa" },
		{ forget_sudogs, "-----" },
	};

	for (unsigned int minor = FIRST; minor <= LAST; minor++) {
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			start(minor);
			check_after(rows[i].between, minor, rows[i].wanted);
		}
	}
}

static void refuse(int wanted, const char *words, uint64_t heap)
{
	const struct go_leak_limits limits = { .heap = heap, .ns = 1000000000 };
	struct go_runtime *rt = open_process();
	struct goroutine_list l = { 0 };
	enum go_verdict v[16];
	struct err e = { "" };

	assert_int_equal(goroutines_read(rt, &l), 0);
	if (wanted == -EOPNOTSUPP)
		rt->at.mheap = 0;
	if (wanted == -ESRCH)
		process.refused = -ESRCH;
	assert_int_equal(go_leaks_find(rt, &l, &limits, v, NULL, &e), wanted);
	assert_string_equal(e.text, words);
	for (size_t i = 0; i < l.n; i++)
		assert_int_equal(v[i], GO_NOT_JUDGED);
	goroutine_list_deinit(&l);
	go_runtime_close(rt);
}

static void says_why_not(void **state)
{
	start(23);
	refuse(-E2BIG, "its heap is larger than 31.0 KiB", HEAP - 1024);
	refuse(-EOPNOTSUPP, "its heap cannot be found", HEAP);
	refuse(-ESRCH, "it has ended", HEAP);
	start(23);
	gop_put(&process, GOP_BASE + GOP_BSS + GOL_ALLSPANS, 0, 8);
	refuse(-EAGAIN, "its list of spans cannot be read", HEAP);
	start(23);
	gop_put(&process, GOP_BASE + GOP_MODULE + process.layout->moduledata.bss, 0x10000, 8);
	refuse(-EAGAIN, "part of its memory cannot be read", HEAP);
}

/* What is not certain when it has to end is left open, and what is certain stays so. */
static void ends_when_told(void **state)
{
	static _Atomic uint64_t until_ns;
	struct go_leak_limits limits = { .heap = HEAP, .ns = 1000000000, .until_ns = &until_ns };
	struct goroutine_list l = { 0 };
	struct go_leaks leaks = { 0 };
	enum go_verdict v[16];
	struct go_runtime *rt;
	struct go_pass *pass;
	struct err e = { "" };

	start(23);
	rt = open_process();
	assert_int_equal(goroutines_read(rt, &l), 0);
	until_ns = 1;
	assert_int_equal(go_leaks_settle(&leaks, rt, &limits, &e), -ETIMEDOUT);
	until_ns = 0;
	assert_int_equal(go_leaks_pass(rt, &limits, &pass, &e), 0);
	go_leaks_add(&leaks, pass);
	until_ns = 1;
	assert_int_equal(go_leaks_settle(&leaks, rt, &limits, &e), 0);
	go_leaks_judge(&leaks, rt, &l, v);
	for (size_t i = 0; i < l.n; i++)
		assert_int_equal(v[i], GO_NOT_JUDGED);
	until_ns = 0;
	assert_int_equal(go_leaks_settle(&leaks, rt, &limits, &e), 0);
	until_ns = 1;
	assert_int_equal(go_leaks_settle(&leaks, rt, &limits, &e), 0);
	go_leaks_judge(&leaks, rt, &l, v);
	for (size_t i = 0; i < l.n; i++)
		assert_int_equal(v[i], GO_LEAK);
	go_leaks_deinit(&leaks);
	goroutine_list_deinit(&l);
	go_runtime_close(rt);
}

/* Spans that make no sense are left out; what is in them is not in the heap. */
static void broken_spans(void **state)
{
	static const struct {
		uint64_t start, pages, elem, n;
	} spans[] = {
		{ 0, 1, 128, 64 },		    { GOP_HEAP + 1, 1, 128, 64 },
		{ GOP_HEAP + GOL_OBJECTS, 0, 128, 64 }, { GOP_HEAP + GOL_OBJECTS, 1, 0, 64 },
		{ GOP_HEAP + GOL_OBJECTS, 1, 127, 64 }, { GOP_HEAP + GOL_OBJECTS, 1, 128, 65 },
		{ GOP_HEAP + GOL_OBJECTS, 1ULL << 52, 128, 64 },
		{ GOP_HEAP + GOL_OBJECTS, 1, 1ULL << 63, 64 },
		{ GOP_HEAP, 2, 128, 64 }, /* another's place */
	};

	for (unsigned int minor = FIRST; minor <= LAST; minor++) {
		for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
			const struct go_layout *l = go_layout_next(minor, NULL);

			start(minor);
			gop_put(&process, gol_span(1) + l->mspan.startAddr, spans[i].start, 8);
			gop_put(&process, gol_span(1) + l->mspan.npages, spans[i].pages, 8);
			gop_put(&process, gol_span(1) + l->mspan.elemsize, spans[i].elem, 8);
			gop_put(&process, gol_span(1) + l->mspan.nelems, spans[i].n, minor < 22 ? 8 : 2);
			check(minor, "aaaaa");
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_knows),	   cmocka_unit_test(a_variable_knows),
		cmocka_unit_test(objects_know),	   cmocka_unit_test(the_living_know),
		cmocka_unit_test(finalizers_know), cmocka_unit_test(it_moves),
		cmocka_unit_test(says_why_not), cmocka_unit_test(ends_when_told),	   cmocka_unit_test(broken_spans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
