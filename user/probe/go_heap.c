// SPDX-License-Identifier: Apache-2.0
#include "probe/go_heap.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "probe/go_sites.h"
#include "proc/procfs.h"

#define BATCH 4096
/* Spans that are followed between two readings, at most, but for moments. */
#define FOLLOWED_FEW   100
#define FOLLOWED_PS    1000 /* and so many for each second of the process's CPU time */
#define FOLLOWED_MIN   512  /* of a class that has as many */
#define FOLLOWED_SHARE 64   /* a class that has less than one in so many is followed whole */
#define SHIFT_MAX      16
#define LARGE_CLASSES  2 /* the first */

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

/* Whether of a class that has so many spans in use, one in 2^shift of which is followed, half of these
 * tell as much. Of few spans nothing much can be told anyway. */
static bool can_do_with_half(uint32_t spans, uint8_t shift)
{
	return shift < SHIFT_MAX && (spans < FOLLOWED_MIN || spans >> (shift + 1) >= FOLLOWED_MIN);
}

/* Follows fewer spans of the classes that are taken most often, until in all `most` would have been, or
 * none stands out. Large objects, which have spans of their own, are all followed. */
static void shift_more(struct lt_go_heap *row, const struct go_heap *heap, double most)
{
	double all = 0;

	for (size_t i = 0; i < LT_GO_CLASSES; i++)
		all += row->hits[i] >> row->shift[i];
	while (all > most) {
		uint32_t top = 0, hits = (uint32_t)most / FOLLOWED_SHARE;

		for (uint32_t i = LARGE_CLASSES; i < LT_GO_CLASSES; i++) {
			if (row->hits[i] >> row->shift[i] <= hits ||
			    !can_do_with_half(heap->spans[i], row->shift[i]))
				continue;
			hits = row->hits[i] >> row->shift[i];
			top = i;
		}
		if (!top)
			break;
		all -= hits - (row->hits[top] >> (row->shift[top] + 1));
		row->shift[top]++;
	}
}

/* Follows fewer spans where there are most, so that BPF has room for those that are to come. */
static void shift_for_room(struct lt_go_heap *row, const struct go_heap *heap)
{
	uint32_t top = 0;

	for (uint32_t i = 0; i < LT_GO_CLASSES; i++)
		if (heap->spans[i] >> row->shift[i] > heap->spans[top] >> row->shift[top])
			top = i;
	if (row->shift[top] < SHIFT_MAX)
		row->shift[top]++;
}

/* What has been taken since the last time, for the CPU time that the process has used, decides what is
 * followed from now on. */
static void row_update(int map, uint32_t tgid, struct lt_go_heap *row, struct go_heap *heap)
{
	struct lt_go_heap next = *row;
	uint64_t cpu_ns = 0, since_ns = heap->read_cpu_ns;
	double most;

	if (procfs_cpu_ns((pid_t)tgid, &cpu_ns))
		return;
	heap->read_cpu_ns = cpu_ns;
	most = FOLLOWED_FEW + FOLLOWED_PS * (double)(cpu_ns - since_ns) / 1e9;
	if (since_ns)
		shift_more(&next, heap, most);
	if (heap->n_samples > LT_GO_SPANS / 2)
		shift_for_room(&next, heap);
	memset(next.hits, 0, sizeof(next.hits));
	if (!bpf_map_update_elem(map, &tgid, &next, BPF_EXIST))
		*row = next;
}

int go_heap_read(const struct object *o, struct go_runtime *rt, pid_t pid, struct go_heap *heap)
{
	const uint32_t tgid = (uint32_t)pid;
	struct samples samples = { 0 };
	struct lt_go_heap row;
	int map = object_map(o, "go_spans"), r = 0;

	if (bpf_map_lookup_elem(object_map(o, "go_heaps"), &tgid, &row))
		return -errno;
	row_update(object_map(o, "go_heaps"), tgid, &row, heap);
	r = samples_read(map, tgid, &samples);
	heap->n_samples = samples.n;
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
