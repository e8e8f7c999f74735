// SPDX-License-Identifier: Apache-2.0
#include "runtime/go/samples.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "probe/map.h"

#define BATCH	  4096
#define SHIFT_MAX 16

void go_samples_init(struct go_samples_maps *m, const struct object *o, pid_t pid)
{
	*m = (struct go_samples_maps){
		.spans = object_map(o, "go_spans"),
		.rows = object_map(o, "go_heaps"),
		.seen = object_map(o, "go_seen"),
		.tgid = (uint32_t)pid,
	};
	pthread_mutex_init(&m->lock, NULL);
}

void go_samples_deinit(struct go_samples_maps *m)
{
	pthread_mutex_destroy(&m->lock);
}

bool go_samples_make_room(const uint32_t spans[LT_GO_CLASSES], size_t room, uint8_t shift[LT_GO_CLASSES])
{
	bool changed = false;

	for (;;) {
		size_t all = 0;
		uint32_t top = 0;

		for (uint32_t i = 0; i < LT_GO_CLASSES; i++) {
			all += spans[i] >> shift[i];
			if (spans[i] >> shift[i] > spans[top] >> shift[top])
				top = i;
		}
		if (all <= room || shift[top] >= SHIFT_MAX)
			return changed;
		shift[top]++;
		changed = true;
	}
}

int go_samples_begin(const struct go_samples_maps *m, const struct lt_go_heap *row)
{
	const struct lt_go_seen nothing = { 0 };

	if (map_update(m->seen, &m->tgid, &nothing, BPF_ANY) || map_update(m->rows, &m->tgid, row, BPF_ANY))
		return -errno;
	return 0;
}

int go_samples_row(const struct go_samples_maps *m, struct lt_go_heap *ret)
{
	return map_lookup(m->rows, &m->tgid, ret) ? -errno : 0;
}

int go_samples_seen(const struct go_samples_maps *m, struct lt_go_seen *ret)
{
	return map_lookup(m->seen, &m->tgid, ret) ? -errno : 0;
}

/* Sets what is not NULL. */
static int row_update(struct go_samples_maps *m, const uint16_t *times, const uint8_t *shift)
{
	struct lt_go_heap row;
	int r;

	pthread_mutex_lock(&m->lock);
	r = go_samples_row(m, &row);
	if (times)
		row.times = *times;
	if (shift)
		memcpy(row.shift, shift, sizeof(row.shift));
	if (!r && map_update(m->rows, &m->tgid, &row, BPF_EXIST))
		r = -errno;
	pthread_mutex_unlock(&m->lock);
	return r;
}

int go_samples_set_times(struct go_samples_maps *m, uint16_t times)
{
	return row_update(m, &times, NULL);
}

int go_samples_set_shift(struct go_samples_maps *m, const uint8_t shift[LT_GO_CLASSES])
{
	return row_update(m, NULL, shift);
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

int go_samples_read(const struct go_samples_maps *m, struct go_samples *ret)
{
	_cleanup_free_ struct lt_go_span_key *keys = malloc(BATCH * sizeof(*keys));
	_cleanup_free_ struct lt_go_span *spans = malloc(BATCH * sizeof(*spans));
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
	return r;
}

struct batch {
	struct lt_go_span_key keys[BATCH];
	struct lt_go_span spans[BATCH];
	uint32_t n;
};

static struct lt_go_span_key key_of(const struct go_samples_maps *m, const struct go_span_samples *s)
{
	return (struct lt_go_span_key){ .start = s->start, .tgid = m->tgid };
}

static bool is_gone(const struct go_span_samples *s)
{
	return s->gone || (s->changed && !s->span.n);
}

static bool is_changed(const struct go_span_samples *s)
{
	return !s->gone && s->changed && s->span.n;
}

static bool is_any(const struct go_span_samples *s)
{
	return true;
}

/* Updates or deletes those for which `wanted` holds. 0 or a negative errno. */
static int write_some(const struct go_samples_maps *m, const struct go_samples *samples,
		      bool (*wanted)(const struct go_span_samples *s), bool delete)
{
	_cleanup_free_ struct batch *b = malloc(sizeof(*b));
	int r = b ? 0 : -ENOMEM;

	for (size_t i = 0; i < samples->n && !r;) {
		for (b->n = 0; i < samples->n && b->n < BATCH; i++) {
			if (!wanted(&samples->items[i]))
				continue;
			b->keys[b->n] = key_of(m, &samples->items[i]);
			b->spans[b->n++] = samples->items[i].span;
		}
		if (delete ? map_delete_batch(m->spans, b->keys, sizeof(*b->keys), b->n)
			   : map_update_batch(m->spans, b->keys, b->spans, b->n))
			r = -errno;
	}
	return r;
}

int go_samples_put(const struct go_samples_maps *m, const struct go_samples *samples)
{
	return write_some(m, samples, is_any, false);
}

void go_samples_prune(const struct go_samples_maps *m, const struct go_samples *samples)
{
	write_some(m, samples, is_changed, false);
	write_some(m, samples, is_gone, true);
}

void go_samples_forget(struct go_samples_maps *m)
{
	struct go_samples samples = { 0 };

	map_delete(m->rows, &m->tgid);
	map_delete(m->seen, &m->tgid);
	if (!go_samples_read(m, &samples)) {
		vec_foreach(s, &samples)
			s->gone = true;
		go_samples_prune(m, &samples);
	}
	vec_free(&samples);
}
