// SPDX-License-Identifier: Apache-2.0
#include "probe/go_heap.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "probe/go_sites.h"

#define BATCH	    4096
#define FOLLOWED_PS 500 /* spans that are followed in a second, at most, but for moments */
#define SHIFT_MAX   16

struct samples {
	VEC_OF(struct go_span_samples);
};

/* One program at the functions of the table. */
static int attach_at(const struct object *o, const struct go_runtime *rt, pid_t pid, int fd,
		     const struct go_probe *probes, size_t n, const char *program, struct attachments *ret,
		     struct err *e)
{
	struct plan_points points = { 0 };
	int r = go_sites_plan(&rt->image, &rt->table, probes, n, &points, e);

	if (!r) {
		r = go_sites_attach(o->kind, object_program(o, program), pid, fd, &points, ret);
		if (r)
			err_set(e, r, "probes on Go's allocator cannot be attached: %s", strerror(-r));
	}
	vec_free(&points);
	return r;
}

int go_heap_attach(const struct object *o, const struct go_runtime *rt, const struct module *m, pid_t pid,
		   uint8_t via, struct attachments *ret, struct err *e)
{
	static const struct go_probe spans[] = {
		{ .function = "runtime.(*mcache).refill", .callee = "runtime.(*mcentral).cacheSpan" },
		{ .function = "runtime.(*mcache).allocLarge", .callee = "runtime.(*mheap).alloc" },
	}, flushes[] = {
		{ .function = "runtime.(*mcache).releaseAll", .callee = "runtime.(*mcentral).uncacheSpan",
		  .at_call = true },
	};
	uint32_t key = (uint32_t)pid;
	struct lt_go_heap row;
	int r = go_spans_layout(rt, &row);

	if (r)
		return err_set(e, r, "%s keeps spans in a way that is not known", go_runtime_version(rt));
	row.via = via;
	if (bpf_map_update_elem(object_map(o, "go_heaps"), &key, &row, BPF_ANY))
		r = err_set(e, -errno, "BPF has no room for another Go process");
	if (!r)
		r = attach_at(o, rt, pid, m->fd, flushes, ARRAY_SIZE(flushes), "go_flush", ret, e);
	if (!r)
		r = attach_at(o, rt, pid, m->fd, spans, ARRAY_SIZE(spans), "go_span", ret, e);
	return r;
}

/* -- reading ---------------------------------------------------------------------------------- */

static int samples_take(struct samples *to, uint32_t tgid, const struct lt_go_span_key *keys,
			const struct lt_go_span *spans, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		if (keys[i].tgid == tgid)
			r = vec_push(to, (struct go_span_samples){ keys[i].start, spans[i], false });
	return r;
}

/* All of the process, in no order. Spans that come meanwhile may be missing. */
static int samples_read(int map, uint32_t tgid, struct samples *ret)
{
	_cleanup_free_ struct lt_go_span_key *keys = calloc(BATCH, sizeof(*keys));
	_cleanup_free_ struct lt_go_span *spans = calloc(BATCH, sizeof(*spans));
	uint64_t from = 0; /* where the next batch begins: the kernel's */
	bool begun = false, ended = false;
	int r = keys && spans ? 0 : -ENOMEM;

	while (!r && !ended) {
		uint32_t n = BATCH;

		if (bpf_map_lookup_batch(map, begun ? &from : NULL, &from, keys, spans, &n, NULL)) {
			if (errno != ENOENT)
				return -errno;
			ended = true;
		}
		begun = true;
		r = samples_take(ret, tgid, keys, spans, n);
	}
	return r;
}

static int compare_samples(const void *a, const void *b)
{
	const struct go_span_samples *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void samples_forget(int map, uint32_t tgid, const struct samples *samples, bool all)
{
	vec_foreach(s, samples) {
		struct lt_go_span_key key = { .start = s->start, .tgid = tgid };
		struct lt_go_span now;

		/* it may have come into use again */
		if (all || (s->gone && !bpf_map_lookup_elem(map, &key, &now) &&
			    !memcmp(&now, &s->span, sizeof(now))))
			bpf_map_delete_elem(map, &key);
	}
}

/* A stack keeps its slot, so its number becomes its id at any time. */
static void records_name(const struct object *o, struct go_heap *heap)
{
	int stacks = object_map(o, "stacks");

	vec_foreach(rec, heap) {
		uint32_t number = (uint32_t)rec->stack;
		struct lt_stack stack = { 0 };

		bpf_map_lookup_elem(stacks, &number, &stack);
		rec->stack = stack.id;
	}
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

/* Follows fewer spans of the classes that are taken most often, so that in all there are not too many. */
static void shift_more(struct lt_go_heap *row, double seconds)
{
	const double most = FOLLOWED_PS * seconds;
	double all = 0;

	for (size_t i = 0; i < LT_GO_CLASSES; i++)
		all += row->hits[i] >> row->shift[i];
	while (all > most) {
		size_t top = 0;

		for (size_t i = 0; i < LT_GO_CLASSES; i++)
			if (row->hits[i] >> row->shift[i] > row->hits[top] >> row->shift[top])
				top = i;
		if (row->shift[top] >= SHIFT_MAX)
			break;
		all -= (row->hits[top] >> row->shift[top]) - (row->hits[top] >> (row->shift[top] + 1));
		row->shift[top]++;
	}
}

/* What has been taken since the last time decides what is followed from now on. */
static void row_update(int map, uint32_t tgid, struct lt_go_heap *row, uint64_t since_ns, uint64_t now_ns)
{
	struct lt_go_heap next = *row;

	if (since_ns)
		shift_more(&next, (double)(now_ns - since_ns) / 1e9);
	memset(next.hits, 0, sizeof(next.hits));
	if (!bpf_map_update_elem(map, &tgid, &next, BPF_EXIST))
		*row = next;
}

int go_heap_read(const struct object *o, struct go_runtime *rt, pid_t pid, struct go_heap *heap)
{
	const uint32_t tgid = (uint32_t)pid;
	const uint64_t now_ns = now();
	struct samples samples = { 0 };
	struct lt_go_heap row;
	int map = object_map(o, "go_spans"), r = 0;

	if (bpf_map_lookup_elem(object_map(o, "go_heaps"), &tgid, &row))
		return -errno;
	row_update(object_map(o, "go_heaps"), tgid, &row, heap->read_ns, now_ns);
	heap->read_ns = now_ns;
	r = samples_read(map, tgid, &samples);
	if (!r && samples.n)
		qsort(samples.items, samples.n, sizeof(*samples.items), compare_samples);
	if (!r)
		r = go_heap_read_spans(rt, samples.items, samples.n, row.shift, heap);
	if (!r) {
		samples_forget(map, tgid, &samples, false);
		records_name(o, heap);
	}
	vec_free(&samples);
	return r;
}

void go_heap_forget(const struct object *o, pid_t pid)
{
	struct samples samples = { 0 };
	uint32_t key = (uint32_t)pid;
	int map = object_map(o, "go_spans");

	bpf_map_delete_elem(object_map(o, "go_heaps"), &key);
	if (!samples_read(map, key, &samples))
		samples_forget(map, key, &samples, true);
	vec_free(&samples);
}
