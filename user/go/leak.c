// SPDX-License-Identifier: Apache-2.0
#include "go/leak.h"
#include <errno.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "go/leak_pass.h"

#define TRIES 3 /* of a pass while memory changes under it */
/*
 * A pointer that goes from place to place all the time is missed by a pass when where it is just then was
 * looked at before, or is after; for one that moves a million times a second that happens as often as not.
 * So if anything has run, more passes have to agree, with pauses between them; when the heap is small
 * there is time for more of them. The pauses have a reason of their own: registers of a goroutine that runs
 * cannot be read; one that has run for 10 ms is interrupted by the runtime (sysmon), which puts them on its
 * stack.
 */
#define PASSES_AT_REST 2
#define PASSES_MIN     6
#define PASSES_MAX     25
#define RUNNING_NS     1200000000
#define PAUSE_NS       50000000

static int run_pass(struct go_pass *p, struct go_runtime *rt, const struct go_leak_limits *limits, struct err *e)
{
	const struct go_mark_end end = { .ns = clock_now() + limits->ns, .until_ns = limits->until_ns };
	uint64_t bytes_read = 0;
	int r = -EAGAIN;

	for (unsigned int i = 0; i < TRIES && r == -EAGAIN; i++) {
		go_pass_deinit(p);
		r = go_pass_run(p, rt, limits->heap, &end, e);
		bytes_read += p->mark.bytes_read;
	}
	p->mark.bytes_read = bytes_read;
	return r;
}

void go_pass_free(struct go_pass *p)
{
	if (p)
		go_pass_deinit(p);
	free(p);
}

static struct go_waiter *find(const struct go_pass *p, uint64_t address)
{
	const uint64_t *i = p ? hashmap_get(&p->by_address, address) : NULL;

	return i ? &p->waiters.items[*i] : NULL;
}

static enum go_verdict verdict_of(const struct go_waiter *w)
{
	if (w->wait == GO_WAIT_UNKNOWN)
		return GO_NOT_JUDGED;
	return w->awake ? GO_ALIVE : GO_LEAK;
}

/* -- what passes agree on --------------------------------------------------------------------- */

/* Has any goroutine run between two passes, or while one of them looked? */
static bool is_at_rest(const struct go_pass *one, const struct go_pass *two)
{
	const struct go_waiter *a;

	if (two->moved || (one && (one->moved || one->waiters.n != two->waiters.n)))
		return false;
	vec_foreach(b, &two->waiters) {
		a = find(one, b->address);
		if (one && (!a || a->id != b->id || a->switches != b->switches || a->status != b->status))
			return false;
	}
	return true;
}

/* Where it was: its stack may have been moved, and its depth stays the same then. */
static bool has_stayed(const struct go_waiter *a, const struct go_waiter *b)
{
	return a->id == b->id && a->switches == b->switches && a->high - a->sp == b->high - b->sp;
}

static bool is_certain(const struct go_waiter *w, uint64_t now)
{
	if (w->at_rest)
		return w->agreed >= PASSES_AT_REST;
	return w->agreed >= PASSES_MAX || (w->agreed >= PASSES_MIN && now - w->since >= RUNNING_NS);
}

/* It could be reached by one of the last passes: so it is no leak, or one that has only begun. */
static bool is_news(const struct go_leaks *leaks, const struct go_waiter *w)
{
	return w->agreed < leaks->summary.passes - leaks->settled;
}

static void agree(const struct go_pass *one, struct go_pass *two, struct go_leaks *leaks)
{
	const bool at_rest = is_at_rest(one, two);
	const uint64_t now = clock_now();
	const struct go_waiter *a;

	leaks->open = 0;
	vec_foreach(b, &two->waiters) {
		if (verdict_of(b) != GO_LEAK)
			continue;
		a = find(one, b->address);
		if (a && !(a->agreed && has_stayed(a, b)))
			a = NULL;
		b->agreed = a ? a->agreed + 1 : 1;
		b->since = a ? a->since : now;
		b->at_rest = at_rest && (!a || a->at_rest);
		leaks->open += !is_news(leaks, b) && !is_certain(b, now);
	}
}

int go_leaks_pass(struct go_runtime *rt, const struct go_leak_limits *limits, struct go_pass **ret, struct err *e)
{
	const uint64_t start = clock_now();
	struct go_pass *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return err_set(e, -ENOMEM, "%s", strerror(ENOMEM));
	r = run_pass(p, rt, limits, e);
	if (r) {
		go_pass_free(p);
		return r;
	}
	p->found = (struct go_leak_summary){
		.heap = p->mark.heap,
		.scannable = p->mark.scannable,
		.bytes_read = p->mark.bytes_read,
		.ns = clock_now() - start,
	};
	go_mark_deinit(&p->mark);
	go_maps_deinit(&p->maps);
	*ret = p;
	return 0;
}

void go_leaks_add(struct go_leaks *leaks, struct go_pass *p)
{
	struct go_leak_summary *s = &leaks->summary;

	s->heap = p->found.heap;
	s->scannable = p->found.scannable;
	s->bytes_read += p->found.bytes_read;
	s->ns += p->found.ns;
	s->passes++;
	agree(leaks->last, p, leaks);
	go_pass_free(leaks->last);
	leaks->last = p;
}

void go_leaks_deinit(struct go_leaks *leaks)
{
	go_pass_free(leaks->last);
	*leaks = (struct go_leaks){ 0 };
}

/* -- verdicts --------------------------------------------------------------------------------- */

/* That the program's first goroutine waits for nothing is how some say that the rest goes on: Go's own
 * profile leaves it out as well. */
static bool is_main_resting(const struct go_runtime *rt, const struct goroutine *g)
{
	struct go_function f;

	return !strcmp(g->state, "select (no cases)") &&
	       gopclntab_at(&rt->table, g->start_pc - rt->bias, &f) && !strcmp(f.name, "runtime.main");
}

static enum go_verdict judge(const struct go_leaks *leaks, const struct go_runtime *rt,
			     const struct goroutine *g, uint64_t now)
{
	const struct go_waiter *w = find(leaks->last, g->address);
	enum go_verdict v;

	if (!w || w->id != g->id)
		return GO_NOT_JUDGED;
	if (w->switches != g->switches || is_main_resting(rt, g))
		return GO_ALIVE;
	v = verdict_of(w);
	if (v != GO_LEAK || is_certain(w, now))
		return v;
	return is_news(leaks, w) ? GO_ALIVE : GO_NOT_JUDGED;
}

void go_leaks_judge(struct go_leaks *leaks, const struct go_runtime *rt, const struct goroutine_list *l,
		    enum go_verdict *ret)
{
	struct go_leak_summary *s = &leaks->summary;
	const uint64_t now = clock_now();

	s->suspects = s->leaked = s->alive = s->not_judged = 0;
	for (size_t i = 0; i < l->n; i++) {
		ret[i] = judge(leaks, rt, &l->items[i], now);
		if (l->items[i].system)
			continue;
		s->suspects += go_wait_of(l->items[i].state) >= GO_WAIT_NEVER;
		s->leaked += ret[i] == GO_LEAK;
		s->alive += ret[i] == GO_ALIVE;
		s->not_judged += ret[i] == GO_NOT_JUDGED;
	}
}

int go_leaks_settle(struct go_leaks *leaks, struct go_runtime *rt, const struct go_leak_limits *limits,
		    struct err *e)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	struct go_leak_limits left = limits ? *limits : GO_LEAK_LIMITS;
	const uint64_t end = clock_now() + left.ns;
	struct go_pass *p;
	struct err why;
	uint64_t now;
	int r;

	leaks->settled = leaks->summary.passes;
	for (;;) {
		r = go_leaks_pass(rt, &left, &p, &why);
		if (r == -ETIMEDOUT && leaks->last)
			return 0;
		if (r)
			return err_set(e, r, "%s", why.text);
		go_leaks_add(leaks, p);
		if (!leaks->open)
			return 0;
		now = clock_now();
		left.ns = end > now ? end - now : 0;
		if (leaks->last->moved)
			nanosleep(&pause, NULL);
	}
}

int go_leaks_find(struct go_runtime *rt, const struct goroutine_list *l,
		  const struct go_leak_limits *limits, enum go_verdict *ret,
		  struct go_leak_summary *ret_summary, struct err *e)
{
	_cleanup_(go_leaks_deinit) struct go_leaks leaks = { 0 };
	int r = go_leaks_settle(&leaks, rt, limits, e);

	if (r)
		go_leaks_deinit(&leaks);
	go_leaks_judge(&leaks, rt, l, ret);
	if (ret_summary)
		*ret_summary = leaks.summary;
	return r;
}
