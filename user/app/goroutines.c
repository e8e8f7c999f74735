// SPDX-License-Identifier: Apache-2.0
#include "app/goroutines.h"
#include <errno.h>
#include <string.h>
#include <time.h>
#include "app/outfile.h"
#include "app/say.h"
#include "app/trace.h"
#include "base/units.h"
#include "proc/target.h"
#include "report/text_line.h"

/* A format is a row; the first is the default. */
static const struct goroutines_format {
	const char *name, *extension;
	int (*write)(struct goroutines *g, FILE *out);
} formats[] = {
	{ "text", ".txt", goroutines_text },
	{ "json", ".json", goroutines_json },
	{ "pprof", ".pb.gz", goroutines_pprof },
};

const char *goroutines_format_name(size_t i)
{
	return i < ARRAY_SIZE(formats) ? formats[i].name : NULL;
}

bool goroutines_format_by_path(const char *path, size_t *ret)
{
	const size_t n = strlen(path);

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		const size_t m = strlen(formats[i].extension);

		if (n <= m || strcmp(path + n - m, formats[i].extension))
			continue;
		*ret = i;
		return true;
	}
	return false;
}

const char *goroutines_format_extension(size_t i)
{
	return i < ARRAY_SIZE(formats) ? formats[i].extension : NULL;
}

static int goroutines_open(struct goroutines *g, struct err *e)
{
	_cleanup_(target_deinit) struct target t = { .pidfd = -1 };
	struct err why = { "" };
	struct opener opener;
	int r = target_open(g->pid, &t, e);

	if (r)
		return r;
	opener_init(&opener);
	r = go_runtime_open(g->pid, &opener, &g->rt, &why);
	opener_deinit(&opener);
	if (r == -ENOENT)
		return err_set(e, r, "pid %d (%s) is not a Go program", (int)g->pid, t.comm);
	if (r)
		return err_set(e, r, "pid %d (%s): %s", (int)g->pid, t.comm,
			       why.text[0] ? why.text : strerror(-r));
	return 0;
}

static int goroutines_read_all(struct goroutines *g, struct err *e)
{
	struct timespec now;
	int r;

	clock_gettime(CLOCK_REALTIME, &now);
	g->time_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	r = goroutines_read(g->rt, &g->list);
	if (r)
		return err_set(e, r, "pid %d: %s", (int)g->pid,
			       r == -ESRCH ? "it has just ended" : strerror(-r));
	return 0;
}

/* Without verdicts there is still something to print. */
static void goroutines_judge(struct goroutines *g, const struct options *o)
{
	_cleanup_free_ enum go_verdict *verdicts = calloc(g->list.n + 1, sizeof(*verdicts));
	struct go_leak_summary s;
	struct err e = { "out of memory" };

	if (!verdicts || go_leaks_find(g->rt, &g->list, NULL, verdicts, &s, &e)) {
		say("which goroutines are leaked is not known: %s", e.text);
		return;
	}
	g->verdicts = take_ptr(verdicts);
	if (!o->quiet && s.not_judged)
		say("whether %zu goroutine%s leaked is not known", s.not_judged,
		    s.not_judged == 1 ? " is" : "s are");
	if (o->verbose)
		say("%zu of %zu blocked goroutine%s leaked; read %s of the heap in %u pass%s, %s", s.leaked,
		    s.suspects, s.suspects == 1 ? " is" : "s are", units_bytes(s.scannable).s, s.passes,
		    s.passes == 1 ? "" : "es", units_duration((double)s.ns / 1e9).s);
}

bool goroutines_is_leaked(const struct goroutines *g, const struct goroutine *item)
{
	return item->status == GO_LEAKED || (g->verdicts && g->verdicts[item - g->list.items] == GO_LEAK);
}

bool goroutines_shows(const struct goroutines *g, const struct goroutine *item)
{
	return !g->verdicts || goroutines_is_leaked(g, item);
}

/* An empty output would say too little. */
static void tell_none(const struct goroutines *g, const struct options *o)
{
	size_t n = 0, shown = 0;

	vec_foreach(item, &g->list) {
		n += !item->system;
		shown += !item->system && goroutines_shows(g, item);
	}
	if (!shown && !o->quiet)
		say("none of %zu goroutine%s is leaked", n, plural(n));
}

/* What a reader of the output should know of it. */
static void tell(const struct goroutines *g, const struct options *o)
{
	if (o->quiet)
		return;
	if (g->list.torn)
		say("%llu goroutine%s ran whenever read: no stack", (unsigned long long)g->list.torn,
		    plural(g->list.torn));
	if (g->list.unread)
		say("%llu goroutine%s could not be read", (unsigned long long)g->list.unread,
		    plural(g->list.unread));
}

static int goroutines_write(struct goroutines *g, const struct options *o, struct outfile *out, struct err *e)
{
	FILE *stream;
	int r = outfile_begin(out, &stream, e);

	return r ? r : outfile_end(out, formats[o->goroutines_format].write(g, stream), e);
}

static void goroutines_deinit(struct goroutines *g)
{
	vec_free(&g->trace);
	free(g->verdicts);
	go_symbols_deinit(&g->symbols);
	goroutine_list_deinit(&g->list);
	go_runtime_close(g->rt);
}

int goroutines_run(const struct options *o, struct interrupt *interrupt, struct err *e)
{
	_cleanup_(goroutines_deinit) struct goroutines g = { .pid = o->pids[0] };
	struct outfile out;
	int r;

	if (goroutines_open(&g, e))
		return EXIT_FAILED;
	g.symbols.rt = g.rt;
	if (goroutines_read_all(&g, e))
		return EXIT_FAILED;
	tell(&g, o);
	if (o->leaks) {
		goroutines_judge(&g, o);
		tell_none(&g, o);
	}
	if (outfile_open(o->output, interrupt, &out, e))
		return EXIT_FAILED;
	r = goroutines_write(&g, o, &out, e);
	return outfile_close(&out, e) || r ? EXIT_FAILED : EXIT_DONE;
}
