// SPDX-License-Identifier: Apache-2.0
#include "go/leak.h"
#include <errno.h>
#include <string.h>
#include <time.h>
#include "go/leak_pass.h"

#define TRIES 3 /* of a pass while memory changes under it */
/*
 * A pointer that goes from place to place all the time is missed by a pass when where it is just then was
 * looked at before, or is after; for one that moves a million times a second that happens as often as not.
 * So if anything has run, more passes have to agree, with pauses between them, of which there is time for
 * more when the heap is small. The pauses have a reason of their own: registers of a goroutine that runs
 * cannot be read; one that has run for 10 ms is interrupted by the runtime (sysmon), which puts them on its
 * stack.
 */
#define PASSES_AT_REST 2
#define PASSES_MIN     6
#define PASSES_MAX     25
#define RUNNING_NS     1500000000
#define PAUSE_NS       50000000

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int run_pass(struct go_pass *p, struct go_runtime *rt, const struct go_leak_limits *limits,
		    uint64_t deadline, struct go_leak_summary *s, struct err *e)
{
	int r = -EAGAIN;

	for (unsigned int i = 0; i < TRIES && r == -EAGAIN; i++) {
		go_pass_deinit(p);
		r = go_pass_run(p, rt, limits->heap, deadline, e);
		s->bytes_read += p->mark.bytes_read;
	}
	s->heap = p->mark.heap;
	s->scannable = p->mark.scannable;
	s->passes++;
	return r;
}

static const struct go_waiter *find(const struct go_pass *p, uint64_t address)
{
	const uint64_t *i = hashmap_get(&p->by_address, address);

	return i ? &p->waiters.items[*i] : NULL;
}

static enum go_verdict verdict_of(const struct go_waiter *w)
{
	if (w->wait == GO_WAIT_UNKNOWN)
		return GO_NOT_JUDGED;
	return w->awake ? GO_ALIVE : GO_LEAK;
}

/* That the program's first goroutine waits for nothing is how some say that the rest goes on: Go's own
 * profile leaves it out as well. */
static bool is_main_resting(const struct go_runtime *rt, const struct goroutine *g)
{
	struct go_function f;

	return !strcmp(g->state, "select (no cases)") &&
	       gopclntab_at(&rt->table, g->start_pc - rt->bias, &f) && !strcmp(f.name, "runtime.main");
}

static enum go_verdict judge(const struct go_pass *p, const struct goroutine *g)
{
	const struct go_waiter *w = find(p, g->address);

	if (!w || w->id != g->id)
		return GO_NOT_JUDGED; /* it has ended */
	if (w->switches != g->switches || is_main_resting(p->rt, g))
		return GO_ALIVE;
	return verdict_of(w);
}

/* Does the second pass say the same of a goroutine that has stayed where it was? Its stack may have been
 * moved, and its depth stays the same then. */
static enum go_verdict confirm(const struct go_pass *one, const struct go_pass *two,
			       const struct goroutine *g)
{
	const struct go_waiter *a = find(one, g->address), *b = find(two, g->address);

	if (!a || !b || a->id != b->id)
		return GO_NOT_JUDGED;
	if (a->switches != b->switches || a->high - a->sp != b->high - b->sp)
		return GO_ALIVE;
	return verdict_of(b);
}

static size_t judge_all(const struct go_pass *p, const struct goroutine_list *l, enum go_verdict *ret)
{
	size_t leaked = 0;

	for (size_t i = 0; i < l->n; i++) {
		ret[i] = judge(p, &l->items[i]);
		leaked += ret[i] == GO_LEAK;
	}
	return leaked;
}

static void count(const struct goroutine_list *l, const enum go_verdict *verdicts,
		  struct go_leak_summary *s)
{
	s->suspects = s->leaked = s->alive = s->not_judged = 0;
	for (size_t i = 0; i < l->n; i++) {
		s->suspects += l->items[i].status == GO_LEAKED ||
			       go_wait_of(l->items[i].state) >= GO_WAIT_NEVER;
		s->leaked += verdicts[i] == GO_LEAK;
		s->alive += verdicts[i] == GO_ALIVE;
		s->not_judged += verdicts[i] == GO_NOT_JUDGED;
	}
}

/* Has any goroutine run between two passes, or while one of them looked? */
static bool is_at_rest(const struct go_pass *one, const struct go_pass *two)
{
	const struct go_waiter *a;

	if (one->moved || two->moved || one->waiters.n != two->waiters.n)
		return false;
	vec_foreach(b, &two->waiters) {
		a = find(one, b->address);
		if (!a || a->id != b->id || a->switches != b->switches || a->status != b->status)
			return false;
	}
	return true;
}

static size_t confirm_all(const struct go_pass *one, const struct go_pass *two,
			  const struct goroutine_list *l, enum go_verdict *ret)
{
	size_t leaked = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (ret[i] == GO_LEAK)
			ret[i] = confirm(one, two, &l->items[i]);
		leaked += ret[i] == GO_LEAK;
	}
	return leaked;
}

static bool is_enough(const struct go_leak_summary *s, bool at_rest, uint64_t ns)
{
	if (at_rest)
		return s->passes >= PASSES_AT_REST;
	return s->passes >= PASSES_MAX || (s->passes >= PASSES_MIN && ns >= RUNNING_NS);
}

/* Pass after pass, until enough of them agree. */
static int judge_often(struct go_runtime *rt, const struct goroutine_list *l,
		       const struct go_leak_limits *limits, enum go_verdict *ret,
		       struct go_leak_summary *s, struct err *e)
{
	_cleanup_(go_pass_deinit) struct go_pass one = { 0 }, two = { 0 };
	const uint64_t start = now_ns(), deadline = start + limits->ns;
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	bool at_rest = true;
	size_t leaked;
	int r = run_pass(&one, rt, limits, deadline, s, e);

	leaked = r ? 0 : judge_all(&one, l, ret);
	while (!r && leaked && !is_enough(s, at_rest, now_ns() - start)) {
		go_mark_deinit(&one.mark);
		if (one.moved || !at_rest)
			nanosleep(&pause, NULL);
		r = run_pass(&two, rt, limits, deadline, s, e);
		if (r)
			return r;
		leaked = confirm_all(&one, &two, l, ret);
		at_rest = at_rest && is_at_rest(&one, &two);
		go_pass_deinit(&one);
		one = two;
		two = (struct go_pass){ 0 };
	}
	return r;
}

int go_leaks_find(struct go_runtime *rt, const struct goroutine_list *l,
		  const struct go_leak_limits *limits, enum go_verdict *ret,
		  struct go_leak_summary *ret_summary, struct err *e)
{
	const struct go_leak_limits usual = GO_LEAK_LIMITS;
	const uint64_t start = now_ns();
	struct go_leak_summary s = { 0 };
	struct err unwanted;
	int r;

	for (size_t i = 0; i < l->n; i++)
		ret[i] = GO_NOT_JUDGED;
	r = judge_often(rt, l, limits ? limits : &usual, ret, &s, e ? e : &unwanted);
	for (size_t i = 0; r && i < l->n; i++)
		ret[i] = GO_NOT_JUDGED;
	count(l, ret, &s);
	s.ns = now_ns() - start;
	if (ret_summary)
		*ret_summary = s;
	return r;
}
