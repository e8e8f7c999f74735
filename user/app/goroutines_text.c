// SPDX-License-Identifier: Apache-2.0
/* As runtime.Stack() and with it /debug/pprof/goroutine?debug=2 print them
 * (src/runtime/traceback.go), but for how long each has waited, which cannot be known from having
 * looked once. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "app/goroutines.h"
#include "base/utf8.h"

#define EARLY_DEPTH 100 /* up to Go 1.20: the frames that are looked at */
#define OUTER	    50	/* later: as many of the outermost, and of the innermost, are printed */

struct writer {
	struct goroutines *g;
	struct go_arguments arguments;
	struct strbuf b;
	FILE *out;
};

static void add_line(struct writer *w, const char *file, unsigned int line, uint64_t offset)
{
	strbuf_adds(&w->b, "\t");
	utf8_add_printable(&w->b, file ? file : "?");
	strbuf_addf(&w->b, ":%u", line);
	if (offset)
		strbuf_addf(&w->b, " +0x%" PRIx64, offset);
	strbuf_adds(&w->b, "\n");
}

static void add_name(struct writer *w, const char *name)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };

	go_name_print(name, &b);
	w->b.oom |= b.oom;
	if (!b.oom)
		utf8_add_printable(&w->b, b.s ? b.s : "");
}

static void add_frame(struct writer *w, const struct goroutine *item, const struct go_frame *f)
{
	const struct go_runtime *rt = w->g->rt;
	const uint64_t pc = w->g->list.pcs.items[item->pcs + f->pc] - rt->bias;

	add_name(w, f->place->name);
	strbuf_adds(&w->b, "(");
	if (f->place->inlined ||
	    !go_arguments_print(rt, &w->g->list, item, f, &w->arguments, &w->b))
		strbuf_adds(&w->b, "...");
	strbuf_adds(&w->b, ")\n");
	add_line(w, f->place->file, f->place->line,
		 f->place->inlined ? 0 : pc - f->at->function.entry);
}

/* Up to Go 1.20 only the innermost; the runtime tells of it when it has printed as many. */
static void add_early(struct writer *w, const struct goroutine *item)
{
	size_t n = 0;

	vec_foreach(f, &w->g->trace) {
		if (!f->shown || f->pc >= EARLY_DEPTH)
			continue;
		add_frame(w, item, f);
		n++;
	}
	if (n >= EARLY_DEPTH)
		strbuf_adds(&w->b, "...additional frames elided...\n");
}

static void add_late(struct writer *w, const struct goroutine *item)
{
	size_t shown = 0, n = 0;

	vec_foreach(f, &w->g->trace)
		shown += f->shown;
	vec_foreach(f, &w->g->trace) {
		if (!f->shown)
			continue;
		if (n < OUTER || n >= shown - OUTER)
			add_frame(w, item, f);
		else if (n == OUTER)
			strbuf_addf(&w->b, "...%zu frames elided...\n", shown - 2 * OUTER);
		n++;
	}
	if (!item->complete && item->n_pcs)
		strbuf_adds(&w->b, "...additional frames elided...\n");
}

static void add_creator(struct writer *w, const struct goroutine *item)
{
	const struct go_places *at = go_trace_creator(&w->g->symbols, item);
	const struct go_place *p = at ? &at->items[at->n - 1] : NULL;

	if (!at)
		return;
	strbuf_adds(&w->b, "created by ");
	add_name(w, p->name);
	if (item->parent)
		strbuf_addf(&w->b, " in goroutine %" PRIu64, item->parent);
	strbuf_adds(&w->b, "\n");
	/* the line of the code there, inlined or not */
	add_line(w, at->items[0].file, at->items[0].line,
		 item->created_pc - w->g->rt->bias - at->function.entry);
}

static int add_stack(struct writer *w, const struct goroutine *item)
{
	int r = go_trace_of(&w->g->symbols, &w->g->list, item, &w->g->trace);

	if (!r)
		r = go_arguments_read(w->g->rt, &w->g->list, item, &w->arguments);
	if (r)
		return r;
	if (!item->n_pcs)
		strbuf_addf(&w->b, "\tgoroutine %s; stack unavailable\n",
			    item->status == GO_RUNNING ? "running on other thread"
						       : "ran while it was read");
	else if (w->g->rt->minor < 21)
		add_early(w, item);
	else
		add_late(w, item);
	add_creator(w, item);
	return 0;
}

static int write_one(struct writer *w, const struct goroutine *item)
{
	int r;

	w->b.n = 0;
	strbuf_addf(&w->b, "goroutine %" PRIu64 " [", item->id);
	utf8_add_printable(&w->b, item->state);
	if (goroutines_is_leaked(w->g, item))
		strbuf_adds(&w->b, " (leaked)");
	if (item->scanned)
		strbuf_adds(&w->b, " (scan)");
	if (item->locked)
		strbuf_adds(&w->b, ", locked to thread");
	strbuf_adds(&w->b, "]:\n");
	r = add_stack(w, item);
	if (!r && w->b.oom)
		r = -ENOMEM;
	if (!r && fwrite(w->b.s, 1, w->b.n, w->out) != w->b.n)
		r = -EIO;
	return r;
}

int goroutines_text(struct goroutines *g, FILE *out)
{
	struct writer w = { .g = g, .out = out };
	bool any = false;
	int r = 0;

	vec_foreach(item, &g->list) {
		if (item->system || !goroutines_shows(g, item))
			continue;
		if (any)
			fputc('\n', out);
		any = true;
		r = write_one(&w, item);
		if (r)
			break;
	}
	go_arguments_deinit(&w.arguments);
	strbuf_deinit(&w.b);
	return r;
}
