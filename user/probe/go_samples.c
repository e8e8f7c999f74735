// SPDX-License-Identifier: Apache-2.0
#include "probe/go_samples.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "probe/map.h"

#define BATCH 4096

void go_samples_init(struct go_samples_maps *m, const struct object *o, pid_t pid)
{
	*m = (struct go_samples_maps){
		.spans = object_map(o, "go_spans"),
		.rows = object_map(o, "go_heaps"),
		.tgid = (uint32_t)pid,
	};
	pthread_mutex_init(&m->lock, NULL);
}

void go_samples_deinit(struct go_samples_maps *m)
{
	pthread_mutex_destroy(&m->lock);
}

int go_samples_row(struct go_samples_maps *m, struct lt_go_heap *ret)
{
	return map_lookup(m->rows, &m->tgid, ret) ? -errno : 0;
}

int go_samples_set_times(struct go_samples_maps *m, uint16_t times)
{
	struct lt_go_heap row;
	int r;

	pthread_mutex_lock(&m->lock);
	r = go_samples_row(m, &row);
	row.times = times;
	if (!r && map_update(m->rows, &m->tgid, &row, BPF_EXIST))
		r = -errno;
	pthread_mutex_unlock(&m->lock);
	return r;
}

int go_samples_set_shift(struct go_samples_maps *m, const uint8_t shift[LT_GO_CLASSES])
{
	struct lt_go_heap row;
	int r;

	pthread_mutex_lock(&m->lock);
	r = go_samples_row(m, &row);
	memcpy(row.shift, shift, sizeof(row.shift));
	if (!r && map_update(m->rows, &m->tgid, &row, BPF_EXIST))
		r = -errno;
	pthread_mutex_unlock(&m->lock);
	return r;
}

static int take(struct go_samples *to, uint32_t tgid, const struct lt_go_span_key *keys,
		const struct lt_go_span *spans, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		if (keys[i].tgid == tgid)
			r = vec_push(to, (struct go_span_samples){ .start = keys[i].start, .span = spans[i] });
	return r;
}

static int compare_start(const void *a, const void *b)
{
	const struct go_span_samples *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

int go_samples_read(const struct go_samples_maps *m, struct go_samples *ret)
{
	_cleanup_free_ struct lt_go_span_key *keys = calloc(BATCH, sizeof(*keys));
	_cleanup_free_ struct lt_go_span *spans = calloc(BATCH, sizeof(*spans));
	uint64_t from = 0; /* where the next batch begins: the kernel's */
	bool begun = false, ended = false;
	int r = keys && spans ? 0 : -ENOMEM;

	ret->n = 0;
	while (!r && !ended) {
		uint32_t n = BATCH;

		if (map_lookup_batch(m->spans, begun ? &from : NULL, &from, keys, spans, &n)) {
			if (errno != ENOENT)
				return -errno;
			ended = true;
		}
		begun = true;
		r = take(ret, m->tgid, keys, spans, n);
	}
	if (!r && ret->n)
		qsort(ret->items, ret->n, sizeof(*ret->items), compare_start);
	return r;
}

int go_samples_put(const struct go_samples_maps *m, const struct go_samples *samples)
{
	vec_foreach(s, samples) {
		const struct lt_go_span_key key = { .start = s->start, .tgid = m->tgid };

		if (map_update(m->spans, &key, &s->span, BPF_ANY))
			return -errno;
	}
	return 0;
}

void go_samples_prune(const struct go_samples_maps *m, const struct go_samples *samples)
{
	vec_foreach(s, samples) {
		const struct lt_go_span_key key = { .start = s->start, .tgid = m->tgid };
		struct lt_go_span now;

		if (!s->gone && !s->changed)
			continue;
		if (map_lookup(m->spans, &key, &now) || now.generation != s->span.generation || now.at != s->span.at)
			continue;
		if (s->gone || !s->span.n)
			map_delete(m->spans, &key);
		else
			map_update(m->spans, &key, &s->span, BPF_EXIST);
	}
}

void go_samples_forget(struct go_samples_maps *m)
{
	struct go_samples samples = { 0 };

	map_delete(m->rows, &m->tgid);
	if (!go_samples_read(m, &samples)) {
		vec_foreach(s, &samples)
			s->gone = true;
		go_samples_prune(m, &samples);
	}
	vec_free(&samples);
}
