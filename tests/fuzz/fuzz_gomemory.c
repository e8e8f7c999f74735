// SPDX-License-Identifier: Apache-2.0
/*
 * The memory of a Go process, with any changes to it, also while it is read. The first byte is the
 * release; then each 11 bytes are a change: from which read on (0: from the start), where, and what
 * to put there.
 */
#include <stdlib.h>
#include "base/strbuf.h"
#include "go/trace.h"
#include "go_process.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXPECT(condition)         \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

#define FIRST	  19
#define RELEASES  9
#define READS_MAX 200000 /* of memory: what is read of a few goroutines is bounded */

static int program[RELEASES];
static struct gop process;

static void check_trace(struct go_symbols *s, const struct goroutine_list *l,
			const struct goroutine *g)
{
	_cleanup_(go_arguments_deinit) struct go_arguments arguments = { 0 };
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	struct go_trace trace = { 0 };

	EXPECT(!go_trace_of(s, l, g, &trace));
	EXPECT(!go_arguments_read(s->rt, l, g, &arguments));
	vec_foreach(f, &trace) {
		EXPECT(f->pc < g->n_pcs && f->place->name);
		go_name_print(f->place->name, &b);
		if (!f->place->inlined)
			go_arguments_print(s->rt, l, g, f, &arguments, &b);
	}
	go_trace_creator(s, g);
	vec_free(&trace);
}

static void check_list(struct go_runtime *rt, const struct goroutine_list *l)
{
	_cleanup_(go_symbols_deinit) struct go_symbols symbols = { .rt = rt };

	EXPECT(l->pcs.n == l->arguments.n);
	vec_foreach(g, l) {
		EXPECT(g->id && g->state && *g->state && strlen(g->state) < GO_REASON_SIZE);
		EXPECT(g->n_pcs <= GO_DEPTH_MAX && g->pcs + g->n_pcs <= l->pcs.n);
		EXPECT(g->labels + g->n_labels <= l->labels.n);
		EXPECT(g->stack_start < g->stack_end && (!g->complete || g->n_pcs));
		for (size_t i = 0; i < g->n_labels; i++)
			EXPECT(strlen(l->labels.items[g->labels + i].key) <= 1024 &&
			       strlen(l->labels.items[g->labels + i].value) <= 1024);
		check_trace(&symbols, l, g);
	}
}

/* Those of no consequence, such as in the bytes of functions, are as good as others. */
static void make_process(unsigned int minor, const uint8_t *data, size_t size)
{
	static const char version[] = "go1.00.1";
	char text[sizeof(version)];
	struct gop_change c;
	uint64_t place;

	snprintf(text, sizeof(text), "go1.%u.1", minor % 100);
	gop_init(&process, go_layout_next(minor, NULL), text);
	for (; size >= 11; data += 11, size -= 11) {
		place = data[1] | data[2] << 8;
		memcpy(&c.value, data + 3, 8);
		c.at = place < GOP_END && data[0] & 1 ? GOP_BASE + place : GOP_HEAP + place;
		c.when = data[0] >> 1;
		if (c.when && process.n_changes < ARRAY_SIZE(process.changes))
			process.changes[process.n_changes++] = c;
		else if (gop_at(&process, c.at, 8))
			gop_put(&process, c.at, c.value, 8);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const unsigned int release = size ? data[0] % RELEASES : 0;
	struct goroutine_list l = { 0 };
	struct go_runtime *rt;
	struct err e = { "" };
	struct memory m;
	int r;

	if (!size)
		return 0;
	if (!program[release]) { /* the file does not change, its memory does */
		make_process(FIRST + release, NULL, 0);
		program[release] = gop_fd(&process);
		EXPECT(program[release] > 0);
	}
	make_process(FIRST + release, data + 1, size - 1);
	m = gop_memory(&process);
	r = go_runtime_open_memory(&m, program[release], 0, &rt, &e);
	EXPECT(r <= 0 && (r == 0 || r == -ENOENT || e.text[0]));
	if (r)
		return 0;
	r = goroutines_read(rt, &l);
	EXPECT(r == 0 || r == -EAGAIN);
	check_list(rt, &l);
	EXPECT(process.reads < READS_MAX);
	goroutine_list_deinit(&l);
	go_runtime_close(rt);
	return 0;
}
