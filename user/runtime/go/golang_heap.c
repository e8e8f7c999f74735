// SPDX-License-Identifier: Apache-2.0
/*
 * The heap of a Go process in the books. What its profile had when tracing began is the base: what is
 * told of acquiring and releasing is the change since. Where there is no profile, probes tell whose the
 * heap is; then what is told of acquiring is what has been seen to grow from one reading to the next.
 */
#include <errno.h>
#include <leaktrace/unwind.h>
#include <math.h>
#include <stdlib.h>
#include "leak/recursion.h"
#include "runtime/go/golang.h"

static int compare_records(const void *a, const void *b)
{
	const struct go_heap_stack *x = a, *y = b;

	return x->stack < y->stack ? -1 : x->stack > y->stack;
}

/* Continues the stack when all goroutines of its outermost function have been made by the same code. It
 * stays the same stack to the books, whenever that has become known. */
static void add_cause(const struct golang *g, const struct go_heap_record *rec, struct stack *s)
{
	struct go_cause cause;

	if (!g->net || s->stop ||
	    !go_net_started(g->net, g->heap.pcs.items + rec->pcs, rec->n_pcs, &cause))
		return;
	for (unsigned int i = 0; i < cause.n && s->n < LT_MAX_FRAMES; i++)
		s->frames[s->n++] = cause.frames[i];
}

static uint64_t stack_of(const struct golang *g, const struct go_heap_record *rec, struct books *b)
{
	uint64_t frames[GO_BUCKET_PCS_MAX];
	struct stack s = {
		.tgid = (uint32_t)g->pid,
		.kind = LT_KIND_GO_HEAP,
		.via = g->via_heap,
		.frames = frames,
	};
	size_t n;

	s.id = lt_stack_seed(s.tgid, s.kind, s.via);
	for (n = 0; n < rec->n_pcs && n < GO_BUCKET_PCS_MAX; n++) {
		frames[n] = golang_frame(g, g->heap.pcs.items[rec->pcs + n]);
		s.id = lt_hash_frame(s.id, frames[n]);
	}
	n = recursion_fold(frames, n, 1);
	if (n > LT_MAX_FRAMES) {
		n = LT_MAX_FRAMES;
		s.stop = LT_STOP_TOO_DEEP;
	}
	s.n = (uint16_t)n;
	s.logical = s.n; /* runtime/traceback.go: tracebackPCs */
	add_cause(g, rec, &s);
	return stack_table_put(&b->stacks, &s) ? s.id : 0;
}

/* What the samples of a record stand for: objects of a size are sampled with a probability of
 * 1 - exp(-size / rate) (runtime/pprof: scaleHeapSample). */
static struct go_heap_stack scaled(const struct go_heap_record *rec, uint64_t rate, uint64_t stack)
{
	double scale = 1;

	if (rate > 1 && rec->size)
		scale = 1 / (1 - exp(-(double)rec->size / (double)rate));
	return (struct go_heap_stack){
		.stack = stack,
		.acquired = { scale * (double)rec->alloc_objects, scale * (double)rec->alloc_bytes },
		.held = { rec->inuse_objects, rec->inuse_bytes },
	};
}

static void add(struct go_heap_sum *to, const struct go_heap_sum *from)
{
	to->objects += from->objects;
	to->bytes += from->bytes;
}

/* A stack has a record for each size of objects. */
static void merge(struct go_heap_stacks *v)
{
	size_t n = 0;

	if (v->n)
		qsort(v->items, v->n, sizeof(*v->items), compare_records);
	vec_foreach(s, v) {
		if (!n || v->items[n - 1].stack != s->stack) {
			v->items[n++] = *s;
			continue;
		}
		add(&v->items[n - 1].acquired, &s->acquired);
		add(&v->items[n - 1].held, &s->held);
	}
	v->n = n;
}

static int read_profile(struct golang *g, struct books *b, struct go_heap_stacks *ret)
{
	int r = go_heap_read_profile(g->runtime, &g->heap);

	vec_foreach(rec, &g->heap) {
		uint64_t stack = r ? 0 : stack_of(g, rec, b);

		if (!r)
			r = stack ? vec_push(ret, scaled(rec, g->heap.rate, stack)) : -ENOMEM;
	}
	return r;
}

/* -- by probes -------------------------------------------------------------------------------- */

void golang_probe_heap(struct golang *g, const struct object *o, const struct module *m,
		       struct attachments *ret)
{
	uint64_t rate;
	int r = go_heap_rate(g->runtime, &rate);

	g->heap_refused.text[0] = '\0';
	if (!m || !(g->kinds >> LT_KIND_GO_HEAP & 1) || (r ? g->runtime->keeps_profile : rate != 0))
		return;
	go_heap_attach(o, g->runtime, m, g->pid, g->via_heap, ret, &g->heap_probes, &g->heap_refused);
}

int golang_switch_heap_on(struct golang *g, struct undo_list *undo, struct err *e)
{
	int r = g->heap_switched_on ? 0 : go_heap_rate_begin(g->runtime, undo, &g->rate, e);

	g->heap_switched_on |= !r;
	return r;
}

void golang_end_heap(struct golang *g, struct attachments *ret)
{
	go_heap_stop(g->heap_probes, ret);
	if (g->heap_switched_on && !g->heap_over)
		g->heap_not_off = go_heap_rate_end(&g->rate);
	g->heap_over = true;
}

/* Adds what no stack has, with its origin in the place of a function. */
static int add_rest(const struct golang *g, uint8_t via, double objects, double bytes, struct books *b,
		    struct go_heap_stacks *ret)
{
	struct stack s = { .tgid = (uint32_t)g->pid, .kind = LT_KIND_GO_HEAP, .via = via };

	if (!(objects > 0))
		return 0;
	s.id = lt_stack_seed(s.tgid, s.kind, s.via);
	if (!stack_table_put(&b->stacks, &s))
		return -ENOMEM;
	return vec_push(ret, (struct go_heap_stack){ .stack = s.id, .held = { objects, bytes } });
}

static void grow(struct go_heap_sum *to, const struct go_heap_sum *then, const struct go_heap_sum *now)
{
	to->objects += now->objects > then->objects ? now->objects - then->objects : 0;
	to->bytes += now->bytes > then->bytes ? now->bytes - then->bytes : 0;
}

/* What each stack has acquired is what it had acquired before, and what it has more now. */
static int add_growth(const struct golang *g, struct go_heap_stacks *now)
{
	static const struct go_heap_stack nothing = { 0 };
	const struct go_heap_stack *then = g->heap_now.items, *end = then + g->heap_now.n;
	const size_t n = now->n;
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		struct go_heap_stack *s = &now->items[i];

		for (; then < end && then->stack < s->stack && !r; then++) {
			r = vec_push(now, (struct go_heap_stack){ then->stack, then->acquired, { 0, 0 } });
			s = &now->items[i];
		}
		if (then < end && then->stack == s->stack) {
			s->acquired = then->acquired;
			grow(&s->acquired, &then->held, &s->held);
			then++;
		} else {
			grow(&s->acquired, &nothing.held, &s->held);
		}
	}
	for (; then < end && !r; then++)
		r = vec_push(now, (struct go_heap_stack){ then->stack, then->acquired, { 0, 0 } });
	return r;
}

static int read_spans(struct golang *g, struct books *b, struct go_heap_stacks *ret)
{
	const struct go_heap *h = &g->heap;
	int r = go_heap_read(g->heap_probes, &g->heap);

	vec_foreach(rec, h)
		if (!r)
			r = vec_push(ret, (struct go_heap_stack){
				.stack = rec->stack,
				.held = { rec->inuse_objects, rec->inuse_bytes },
			});
	if (!r)
		r = add_rest(g, g->via_before, h->before_objects, h->before_bytes, b, ret);
	if (!r)
		r = add_rest(g, g->via_unknown, h->unknown_objects, h->unknown_bytes, b, ret);
	merge(ret);
	return r ? r : add_growth(g, ret);
}

/* -- both ------------------------------------------------------------------------------------- */

int golang_read_heap(struct golang *g, struct books *b, bool fresh)
{
	struct go_heap_stacks now = { 0 };
	int r = g->heap_probes ? read_spans(g, b, &now) : read_profile(g, b, &now);

	if (r) {
		vec_free(&now);
		return r == -ENOMEM || r == -ESRCH ? r : 0; /* a program without a profile is none worse */
	}
	merge(&now);
	vec_free(&g->heap_now);
	g->heap_now = now;
	if (!g->heap_begun && !fresh) {
		vec_free(&g->heap_base);
		vec_foreach(s, &now)
			if (!r)
				r = vec_push(&g->heap_base, *s);
	}
	g->heap_begun = true;
	return r;
}

void golang_heap_words(const struct golang *g, char *buf, size_t size)
{
	if (g->heap_begun && g->heap_switched_on)
		snprintf(buf, size, "the program's own heap profile, which --go-enable-profile has switched on: one "
			 "sample in 512 KiB of what was allocated since, scaled, as of the latest garbage collection");
	else if (g->heap_begun && g->heap_probes)
		go_heap_probes_words(g->heap_probes, &g->heap, buf, size);
	else if (g->heap_begun)
		go_heap_words(&g->heap, buf, size);
	else if (*g->heap_refused.text)
		snprintf(buf, size, "the program keeps no profile of its heap, and probes do not help: %s",
			 g->heap_refused.text);
	else
		snprintf(buf, size, "the program keeps no profile of its heap");
}

static uint64_t whole(double x)
{
	return x > 0 ? (uint64_t)(x + 0.5) : 0;
}

/* So that nothing is lost to rounding, what was released is what the rest leaves. */
static void settle(uint64_t before, uint64_t held, __u64 *acquired, __u64 *ret_released)
{
	if (before + *acquired < held)
		*acquired = held - before;
	*ret_released = before + *acquired - held;
}

static struct held_sum sum_of(const struct go_heap_stack *now, const struct go_heap_stack *base)
{
	struct held_sum sum = {
		.count = whole(now->held.objects),
		.amount = whole(now->held.bytes),
		.before = whole(base->held.objects),
		.before_amount = whole(base->held.bytes),
		.totals = {
			.acquired = whole(now->acquired.objects - base->acquired.objects),
			.acquired_amount = whole(now->acquired.bytes - base->acquired.bytes),
		},
	};

	settle(sum.before, sum.count, &sum.totals.acquired, &sum.totals.released);
	settle(sum.before_amount, sum.amount, &sum.totals.acquired_amount, &sum.totals.released_amount);
	return sum;
}

void golang_snapshot_heap(const struct golang *g, struct books_snapshot *s)
{
	static const struct go_heap_stack nothing = { 0 };

	vec_foreach(now, &g->heap_now) {
		const struct go_heap_stack *base = NULL;
		struct held_sum sum;

		if (g->heap_base.n)
			base = bsearch(now, g->heap_base.items, g->heap_base.n, sizeof(*now), compare_records);
		sum = sum_of(now, base ? base : &nothing);
		books_snapshot_sum(s, now->stack, &sum);
	}
}
