// SPDX-License-Identifier: Apache-2.0
/* Go: goroutines and its heap are read, net/http's connections and what `go` statements run are followed by probes. */
#include <errno.h>
#include "base/clock.h"
#include "trace/source.h"
#include "trace/tracer.h"

#define FIRST_NS  5000000ULL /* twice as long after each try, up to ... */
#define AGAIN_NS  200000000ULL
#define TRIES_MAX 30

/* A program that has only started may not be ready to be read. */
static bool awaited(const struct traced_process *p)
{
	return *p->go.refused.text && p->go_tries < TRIES_MAX;
}

/* What a program does before it can be read is not seen: at first it is tried again soon. */
static uint64_t again_ns(const struct traced_process *p)
{
	uint64_t ns = FIRST_NS << (p->go_tries < 8 ? p->go_tries : 8);

	return ns < AGAIN_NS ? ns : AGAIN_NS;
}

/* Has its goroutines judged, by a thread that is started with the first Go program. */
static void have_judged(struct tracer *t, struct golang *g)
{
	int r;

	if (!(g->kinds >> LT_KIND_GOROUTINE & 1))
		return;
	r = t->go_judges ? 0 : go_judges_create(&t->go_judges);
	if (r)
		err_set(&g->not_judged, r, "a thread cannot be started: %s", strerror(-r));
	else
		golang_judge_by(g, t->go_judges, &t->modules.opener);
}

static void try_to_open(struct tracer *t, struct traced_process *p)
{
	struct golang *g = &p->go;
	const struct module *m;

	p->go_tries++;
	p->go_tried_ns = clock_now();
	if (via_index(&t->vias, "go", &g->via_go) ||
	    via_index(&t->vias, "runtime.mallocgc", &g->via_heap) ||
	    via_index(&t->vias, "in spans from before tracing", &g->via_before) ||
	    via_index(&t->vias, "of unknown origin", &g->via_unknown) ||
	    golang_open(g, p->target.pid, t->options.kinds, &t->modules))
		return;
	m = module_table_get(&t->modules, g->module);
	if (!g->judge)
		have_judged(t, g);
	if (!g->net)
		go_net_open(&t->object, p->target.pid, g->runtime, m, &g->net);
	if (t->options.go_enable_profile)
		golang_switch_heap_on(g, t->options.undo, &g->heap_refused);
	else if (!g->heap_probes)
		golang_probe_heap(g, &t->object, m, &p->attachments);
}

/* Whether what was asked for could be written; of a command, which is yet to start, that is not known. */
static int check_profile(const struct tracer *t, const struct traced_process *p, struct err *e)
{
	const struct golang *g = &p->go;

	if (!t->options.go_enable_profile || g->heap_switched_on || p->command || p->state != PROCESS_TRACED)
		return 0;
	if (!g->runtime)
		return err_set(e, -ENOENT, "pid %d: --go-enable-profile: %s", (int)p->target.pid,
			       *g->refused.text ? g->refused.text : "it is no Go program");
	return err_set(e, -ENOENT, "--go-enable-profile: %s", g->heap_refused.text);
}

static int look(struct tracer *t, struct traced_process *p, struct err *e)
{
	try_to_open(t, p);
	return check_profile(t, p, e);
}

static bool found(const struct traced_process *p)
{
	return p->go.runtime;
}

static bool begun(const struct traced_process *p)
{
	return p->go.begun;
}

static void refusal(const struct traced_process *p, struct err *e)
{
	if (*p->go.refused.text)
		err_set(e, -ENOENT, "pid %d: %s", (int)p->target.pid, p->go.refused.text);
	else
		err_set(e, -ENOENT, "pid %d is no Go program: it has no goroutines", (int)p->target.pid);
}

static void read_it(struct tracer *t, struct traced_process *p, enum source_reading what)
{
	const struct golang_reading how = {
		.now_ns = t->stop_ns ? t->stop_ns : clock_now(),
		.force = what != SOURCE_READ_DUE,
		.only_heap = what == SOURCE_READ_PROBED,
		.judge = what == SOURCE_READ_AND_JUDGE,
		.until_ns = t->options.verdict_until_ns,
		.fresh = p->command,
	};

	if (!p->go.runtime && awaited(p) && how.now_ns - p->go_tried_ns >= again_ns(p))
		try_to_open(t, p);
	t->books.oom += golang_read(&p->go, &t->books, &how) == -ENOMEM;
}

/* -- what has been read ------------------------------------------------------------------------ */

static void snapshot(const struct traced_process *p, struct books_snapshot *s)
{
	golang_snapshot(&p->go, s);
}

static void describe(const struct traced_process *p, enum lt_kind kind, struct holding *h,
		     struct goroutine_state *goroutine)
{
	if (kind == LT_KIND_CONNECTION && p->go.net)
		h->unclosed_seconds = go_net_unclosed_seconds(p->go.net, h->id, h->now_ns);
	if (kind == LT_KIND_GOROUTINE && golang_goroutine(&p->go, h->id, h->now_ns, goroutine))
		h->goroutine = goroutine;
}

static int methods(const struct traced_process *p, struct arena *arena, const char *ret[LT_KIND_MAX])
{
	char words[512];

	if (!p->go.begun || ret[LT_KIND_GOROUTINE])
		return 0;
	golang_goroutine_words(&p->go, words, sizeof(words));
	ret[LT_KIND_GOROUTINE] = arena_strdup(arena, words);
	golang_heap_words(&p->go, words, sizeof(words));
	ret[LT_KIND_GO_HEAP] = arena_strdup(arena, words);
	return ret[LT_KIND_GOROUTINE] && ret[LT_KIND_GO_HEAP] ? 0 : -ENOMEM;
}

static bool notice(const struct tracer *t, const struct traced_process *p, enum source_notice what, struct err *ret)
{
	const int pid = (int)p->target.pid;

	if (what == SOURCE_OF_PROGRAM && *p->go.refused.text)
		return err_set(ret, 1, "pid %d: goroutines and Go's heap are not read: %s", pid, p->go.refused.text);
	if (what == SOURCE_WRITTEN && p->go.heap_switched_on)
		return err_set(ret, 1, "pid %d: its heap profile is switched on: runtime.MemProfileRate was 0 and is "
			       "524288 until tracing ends", pid);
	if (what == SOURCE_NOT_UNDONE && p->go.heap_not_off)
		return err_set(ret, 1, "pid %d: its heap profile could not be switched off: %s", pid,
			       strerror(-p->go.heap_not_off));
	return false;
}

/* -- its end ----------------------------------------------------------------------------------- */

static void detach(struct traced_process *p, struct attachments *ret)
{
	golang_end_heap(&p->go, ret);
	go_net_detach(p->go.net, ret);
}

static void exec(struct tracer *t, struct traced_process *p)
{
	golang_forget(&p->go, &t->books);
	p->go_tries = 0;
}

static void remove_it(struct traced_process *p)
{
	go_net_forget(p->go.net);
}

static void deinit(struct traced_process *p)
{
	golang_deinit(&p->go);
}

const struct source source_go = {
	.name = "Go",
	.kinds = LT_KINDS_GO,
	.look = look,
	.found = found,
	.awaited = awaited,
	.begun = begun,
	.refusal = refusal,
	.read = read_it,
	.snapshot = snapshot,
	.describe = describe,
	.methods = methods,
	.notice = notice,
	.detach = detach,
	.exec = exec,
	.remove = remove_it,
	.deinit = deinit,
};
