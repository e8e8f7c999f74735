// SPDX-License-Identifier: Apache-2.0
/* The helper's side of names.c: see there. */
#include "sym/names_helper.h"
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/reader.h"
#include "sym/symbolizer.h"

#define MEMORY_MAX (160ULL << 20)
#define STRING_MAX 16384 /* bytes of a name that are told */

struct state {
	struct symbolizer *symbolizer;
	size_t told; /* of what was left out */
};

static int start(void **ret)
{
	struct state *s = calloc(1, sizeof(*s));
	int r = s ? symbolizer_create(&s->symbolizer) : -ENOMEM;

	*ret = s;
	return r;
}

/* The module that the question is about, in `m`, which has no more than its id when it is known already. */
static int read_module(const struct state *s, const struct names_question *q, struct reader *r, int fd,
		       struct module *ret)
{
	const char *path = "", *root = "";

	if (!symbolizer_knows(s->symbolizer, q->module)) {
		if (fd < 0)
			return -ENOKEY;
		path = reader_cstr(r);
		root = reader_cstr(r);
		if (r->bad)
			return -EBADMSG;
	}
	*ret = (struct module){
		.id = q->module, .path = (char *)(uintptr_t)path, .root = (char *)(uintptr_t)root,
		.fd = fd, .copy = -1,
	};
	return 0;
}

static int find(const struct state *s, const struct names_question *q, struct reader *r, int fd,
		struct symbol *ret)
{
	struct module m;
	int err;

	err = read_module(s, q, r, fd, &m);
	if (!err && q->plain)
		err = symbolizer_open_plainly(s->symbolizer, &m);
	return err ? err : symbolizer_module(s->symbolizer, &m, q->address, ret);
}

static void add_u32(struct strbuf *b, uint32_t v)
{
	strbuf_add(b, (const char *)&v, sizeof(v));
}

static void add_string(struct strbuf *b, const char *s)
{
	if (s)
		strbuf_add(b, s, strnlen(s, STRING_MAX));
	strbuf_add(b, "", 1);
}

/* How many symbols or names there are, and how many things that were left out. */
static void write_counts(const struct state *s, uint32_t n, struct strbuf *b)
{
	add_u32(b, n);
	add_u32(b, (uint32_t)(symbolizer_left_out(s->symbolizer)->n - s->told));
}

static void write_left_out(struct state *s, struct strbuf *b)
{
	const struct left_out *l = symbolizer_left_out(s->symbolizer);

	for (; s->told < l->n; s->told++) {
		add_string(b, l->items[s->told].what);
		add_string(b, l->items[s->told].of);
		add_string(b, l->items[s->told].why);
	}
}

static void write_answer(struct state *s, const struct symbol *symbols, uint32_t n, struct strbuf *b)
{
	write_counts(s, n, b);
	for (uint32_t i = 0; i < n; i++) {
		add_u32(b, symbols[i].line);
		strbuf_add(b, symbols[i].inlined ? "\1" : "", 1);
		add_string(b, symbols[i].function);
		add_string(b, symbols[i].file);
	}
	write_left_out(s, b);
}

static int serve_jit(struct state *s, const struct names_question *q, struct reader *r, struct strbuf *b)
{
	const void *bytes = q->n <= NAMES_JIT_MAX ? reader_bytes(r, q->n * sizeof(uint64_t)) : NULL;
	uint64_t addresses[NAMES_JIT_MAX], overridden;
	const char *names[NAMES_JIT_MAX];
	int err;

	if (!bytes)
		return -EBADMSG;
	memcpy(addresses, bytes, q->n * sizeof(uint64_t));
	err = symbolizer_jit(s->symbolizer, q->pid, addresses, q->n, names, &overridden);
	if (err)
		return err;
	write_counts(s, q->n, b);
	strbuf_add(b, (const char *)&overridden, sizeof(overridden));
	for (uint32_t i = 0; i < q->n; i++)
		add_string(b, names[i]);
	write_left_out(s, b);
	return 0;
}

static int serve(void *state, const struct helper_message *request, struct helper_answer *answer)
{
	struct reader r = reader_make(request->bytes, request->n);
	const void *bytes = reader_bytes(&r, sizeof(struct names_question));
	_cleanup_close_ int fd = request->fds[0];
	struct symbol symbols[SYMBOLS_MAX];
	struct names_question q;
	struct state *s = state;
	int n;

	if (!bytes)
		return -EBADMSG;
	memcpy(&q, bytes, sizeof(q));
	if (q.what == NAMES_JIT)
		return serve_jit(s, &q, &r, &answer->bytes);
	n = find(s, &q, &r, fd, symbols);
	if (n < 0)
		return n;
	write_answer(s, symbols, (uint32_t)n, &answer->bytes);
	return 0;
}

const struct helper_kind names_helper = {
	.name = "leaktrace-names",
	.memory = MEMORY_MAX,
	.start = start,
	.serve = serve,
};
