// SPDX-License-Identifier: Apache-2.0
/* Goroutines of a process that is made up: of every release, torn, broken. Real ones: see
 * tests/e2e/go-goroutines.t. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "go/trace.h"
#include "base/strbuf.h"
#include "go_process.h"

#define FIRST 19
#define LAST  27

static struct gop process;

static int open_process(struct go_runtime **ret, struct err *e)
{
	const struct memory m = gop_memory(&process);
	int fd = gop_fd(&process), r;

	assert_true(fd >= 0);
	r = go_runtime_open_memory(&m, fd, 0, ret, e);
	close(fd);
	return r;
}

static const char *version_of(unsigned int minor)
{
	static char text[16];

	snprintf(text, sizeof(text), "go1.%u.3", minor);
	return text;
}

static void start(unsigned int minor)
{
	gop_init(&process, go_layout_next(minor, NULL), version_of(minor));
}

static const struct goroutine *find(const struct goroutine_list *l, uint64_t id)
{
	vec_foreach(g, l)
		if (g->id == id)
			return g;
	return NULL;
}

static void check_stack(const struct goroutine_list *l, const struct goroutine *g, enum gop_function f)
{
	const uint64_t wanted[] = { gop_code(F_PARK, 8), gop_code(F_WAIT, 0x10), gop_code(f, 0x20),
				    gop_code(F_EXIT, 1) };

	assert_true(g->complete);
	assert_int_equal(g->n_pcs, ARRAY_SIZE(wanted));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		assert_int_equal(l->pcs.items[g->pcs + i], wanted[i]);
}

static void check_goroutines(unsigned int minor, const struct goroutine_list *l)
{
	const struct goroutine *g = find(l, 17), *first = find(l, 1), *running = find(l, 18);

	assert_int_equal(l->n, GOP_ALIVE);
	assert_int_equal(l->torn + l->unread, 0);
	assert_true(g && first && running && find(l, 2)->system && find(l, 3)->system);
	assert_false(g->system || first->system || running->system);
	assert_string_equal(g->state, "select");
	assert_true(g->scanned && g->locked && !first->scanned && !first->locked);
	assert_int_equal(g->tid, GOP_THREAD);
	assert_int_equal(running->tid, GOP_THREAD);
	assert_int_equal(g->parent, minor > 20 ? 1 : 0);
	assert_int_equal(g->created_pc, gop_code(F_MAIN, 0x30));
	assert_int_equal(g->start_pc, gop_code(F_START, 0));
	check_stack(l, g, F_START);
	check_stack(l, first, F_MAIN);
	assert_string_equal(running->state, "running");
	assert_int_equal(running->n_pcs, 0);
	assert_int_equal(g->n_labels, 1);
	assert_string_equal(l->labels.items[g->labels].key, "k");
	assert_string_equal(l->labels.items[g->labels].value, "v");
	assert_int_equal(first->n_labels, 0);
}

static void check_text(struct go_runtime *rt, const struct goroutine_list *l)
{
	_cleanup_(go_symbols_deinit) struct go_symbols symbols = { .rt = rt };
	_cleanup_(go_arguments_deinit) struct go_arguments arguments = { 0 };
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	const struct goroutine *g = find(l, 17);
	struct go_trace trace = { 0 };

	assert_int_equal(go_trace_of(&symbols, l, g, &trace), 0);
	assert_int_equal(go_arguments_read(rt, l, g, &arguments), 0);
	vec_foreach(f, &trace) {
		if (!f->shown)
			continue;
		go_name_print(f->place->name, &b);
		strbuf_adds(&b, "(");
		assert_true(go_arguments_print(rt, l, g, f, &arguments, &b));
		strbuf_addf(&b, ") %s:%u ", f->place->file, f->place->line);
	}
	assert_string_equal(b.s, "main.wait[...](0x2a) /src/main.go:10 main.start() /src/main.go:10 ");
	assert_null(go_trace_creator(&symbols, g)); /* the runtime itself */
	vec_free(&trace);
}

static void reads_every_release(void **state)
{
	for (unsigned int minor = FIRST; minor <= LAST; minor++) {
		struct goroutine_list l = { 0 };
		struct err e = { "" };
		struct go_runtime *rt;

		start(minor);
		if (open_process(&rt, &e))
			fail_msg("1.%u: %s", minor, e.text);
		assert_int_equal(rt->minor, minor);
		assert_string_equal(go_runtime_version(rt), version_of(minor));
		assert_int_equal(rt->at.allgs, GOP_BASE + GOP_BSS + 0x100);
		assert_int_equal(rt->at.wait_reasons, GOP_BASE + GOP_DATA + 0x40);
		assert_int_equal(rt->n_reasons, ARRAY_SIZE(gop_reasons));
		assert_int_equal(rt->at.mheap, 0);
		assert_int_equal(goroutines_read(rt, &l), 0);
		check_goroutines(minor, &l);
		check_text(rt, &l);
		goroutine_list_deinit(&l);
		go_runtime_close(rt);
	}
}

/* A release without a row of its own is tried as each of its neighbours. */
static void tries_candidates(void **state)
{
	const struct go_layout *l = NULL;
	unsigned int n = 0;

	while ((l = go_layout_next(20, l))) {
		struct err e = { "" };
		struct go_runtime *rt;

		gop_init(&process, l, "go1.20.14");
		assert_int_equal(open_process(&rt, &e), 0);
		assert_memory_equal(&rt->layout->g, &l->g, sizeof(l->g));
		go_runtime_close(rt);
		n++;
	}
	assert_int_equal(n, 3);
}

static void check_refused(int error, const char *words)
{
	struct go_runtime *rt = NULL;
	struct err e = { "" };

	assert_int_equal(open_process(&rt, &e), error);
	assert_null(rt);
	if (!strstr(e.text, words))
		fail_msg("'%s' is not in '%s'", words, e.text);
}

static void refuses_what_it_does_not_know(void **state)
{
	static const struct {
		const char *version, *words;
	} versions[] = {
		{ "go1.28.1", "built by go1.28.1, whose runtime is not known here" },
		{ "go1.18.1", "known are Go 1.19 to 1.27" },
		{ "devel go1.30-0123456", "built by devel go1.30-0123456" },
		{ "gone", "built by gone" },
		{ "go1.99999999999999999999", "not known" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		gop_init(&process, go_layout_next(27, NULL), versions[i].version);
		check_refused(-EOPNOTSUPP, versions[i].words);
	}
	start(27);
	gop_file(&process, GOP_BUILD + 15, 0, 1);
	check_refused(-EOPNOTSUPP, "does not say which release built it");
	start(27);
	gop_file(&process, GOP_TABLE, 0, 4);
	check_refused(-EOPNOTSUPP, "its table of functions is not to be found");
	gop_file(&process, GOP_BUILD, 0, 8);
	check_refused(-ENOENT, "");
	start(27);
	process.file.ehdr->e_machine = EM_AARCH64;
	check_refused(-EOPNOTSUPP, "another processor");
}

/* What is not where the release has it shows. */
static void refuses_what_makes_no_sense(void **state)
{
	struct gop *p = &process;

	/* goroutines of 1.23 are not those of 1.22 */
	gop_init(p, go_layout_next(23, NULL), "go1.22.3");
	check_refused(-EOPNOTSUPP, "its goroutines are not as that release has them");
	start(25);
	gop_file(p, GOP_BSS + 0x100, 1, 8);
	check_refused(-EAGAIN, "only starting");
	start(25);
	gop_file(p, GOP_BSS + 0x108, 0, 8);
	check_refused(-EAGAIN, "only starting");
	start(25);
	gop_file(p, GOP_BSS + 0x108, GOP_GOROUTINES + 1, 8); /* more than there is room for */
	check_refused(-EAGAIN, "only starting");
	start(25);
	gop_file(p, GOP_BSS + 0x100, GOP_HEAP + GOP_BYTES - 8, 8);
	check_refused(-EOPNOTSUPP, "its list of goroutines cannot be read");
	start(25);
	gop_file(p, GOP_DATA + 0x40 + 24, 3, 8);
	check_refused(-EOPNOTSUPP, "the names of what goroutines wait for");
	start(25);
	gop_file(p, GOP_MODULE + p->layout->moduledata.edata, 0, 8);
	check_refused(-EOPNOTSUPP, "the bounds of its data make no sense");
	start(25);
	memset(p->file.bytes + GOP_TEXT, 0x90, GOP_CODE);
	check_refused(-EOPNOTSUPP, "its list of goroutines is not to be found");
}

/* -- while it runs ------------------------------------------------------------------------------ */
static void change(unsigned int when, uint64_t at, uint64_t value)
{
	process.changes[process.n_changes++] = (struct gop_change){ when, at, value };
}

/* How many reads it takes to read all, and which are of what, is found by trying. */
static unsigned int reads_needed(struct go_runtime *rt)
{
	struct goroutine_list l = { 0 };
	const unsigned int before = process.reads;

	assert_int_equal(goroutines_read(rt, &l), 0);
	goroutine_list_deinit(&l);
	return process.reads - before;
}

/* A goroutine whose stack changes is read again: what it is said to be it was at one time. */
static void reads_again_what_changes(void **state)
{
	const uint64_t seq = gop_g(3) + go_layout_next(26, NULL)->g.trackingSeq;
	const uint64_t argument = gop_stack_end(3) - 0x80 - GOP_FRAME - 8 - 8;
	struct go_runtime *rt;
	unsigned int n, torn = 0;

	start(26);
	assert_int_equal(open_process(&rt, NULL), 0);
	n = reads_needed(rt);
	for (unsigned int when = 1; when <= n; when++) {
		struct goroutine_list l = { 0 };
		const struct goroutine *g;

		gop_put_stack(&process, 3, F_START);
		gop_put(&process, seq, 0, 1);
		process.n_changes = 0;
		change(process.reads + when, argument, gop_code(F_MAIN, 0x28));
		change(process.reads + when, seq, 7);
		assert_int_equal(goroutines_read(rt, &l), 0);
		g = find(&l, 17);
		assert_int_equal(l.n, GOP_ALIVE);
		assert_true(g->switches == 7 || g->switches == 0);
		if (g->switches == 0)
			check_stack(&l, g, F_START);
		else
			assert_int_equal(l.pcs.items[g->pcs + 2], gop_code(F_MAIN, 0x28));
		torn += l.torn;
		goroutine_list_deinit(&l);
	}
	assert_int_equal(torn, 0);
	go_runtime_close(rt);
}

static int read_restless(const struct memory *m, uint64_t at, void *to, size_t size)
{
	struct gop *p = (struct gop *)(uintptr_t)m->ctx;
	uint8_t *seq = gop_at(p, gop_g(3) + p->layout->g.trackingSeq, 1);

	++*seq;
	return gop_read(m, at, to, size);
}

static void counts_what_is_never_at_rest(void **state)
{
	struct goroutine_list l = { 0 };
	struct go_runtime *rt;

	start(24);
	assert_int_equal(open_process(&rt, NULL), 0);
	rt->memory.read = read_restless;
	assert_int_equal(goroutines_read(rt, &l), 0);
	assert_int_equal(l.n, GOP_ALIVE);
	assert_int_equal(l.torn, 1);
	assert_int_equal(find(&l, 17)->n_pcs, 0);
	assert_false(find(&l, 17)->complete);
	check_stack(&l, find(&l, 1), F_MAIN);
	goroutine_list_deinit(&l);
	go_runtime_close(rt);
}

static void says_that_it_has_ended(void **state)
{
	struct goroutine_list l = { 0 };
	struct go_runtime *rt;

	start(24);
	assert_int_equal(open_process(&rt, NULL), 0);
	process.refused = -ESRCH;
	assert_int_equal(goroutines_read(rt, &l), -ESRCH);
	check_refused(-ESRCH, "it has just ended");
	process.refused = -EPERM;
	check_refused(-EPERM, "its memory must not be read: ");
	goroutine_list_deinit(&l);
	go_runtime_close(rt);
}

/* Stacks that lead nowhere end; those that go in circles do as well. */
static void ends_on_any_stack(void **state)
{
	const uint64_t sp = gop_stack_end(3) - 0x80 - 3 * (GOP_FRAME + 8);
	struct goroutine_list l = { 0 };
	struct go_runtime *rt;

	start(22);
	assert_int_equal(open_process(&rt, NULL), 0);
	for (uint64_t at = gop_stack_end(3) - 0x1000; at < gop_stack_end(3); at += 8)
		gop_put(&process, at, gop_code(F_WAIT, 0x10), 8);
	gop_put(&process, sp + GOP_FRAME, 0x1234, 8);
	assert_int_equal(goroutines_read(rt, &l), 0);
	assert_int_equal(find(&l, 17)->n_pcs, 1);
	assert_false(find(&l, 17)->complete);
	goroutine_list_deinit(&l);
	l = (struct goroutine_list){ 0 };
	gop_put(&process, sp + GOP_FRAME, gop_code(F_WAIT, 0x10), 8);
	assert_int_equal(goroutines_read(rt, &l), 0);
	assert_int_equal(find(&l, 17)->n_pcs, (gop_stack_end(3) - sp) / (GOP_FRAME + 8) + 1);
	assert_false(find(&l, 17)->complete);
	goroutine_list_deinit(&l);
	go_runtime_close(rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_release),
		cmocka_unit_test(tries_candidates),
		cmocka_unit_test(refuses_what_it_does_not_know),
		cmocka_unit_test(refuses_what_makes_no_sense),
		cmocka_unit_test(reads_again_what_changes),
		cmocka_unit_test(counts_what_is_never_at_rest),
		cmocka_unit_test(says_that_it_has_ended),
		cmocka_unit_test(ends_on_any_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
