// SPDX-License-Identifier: Apache-2.0
/*
 * The labels that a program gave goroutines with pprof.Do(): a map up to Go 1.23
 * (src/runtime/map.go), a slice of pairs later (src/runtime/pprof/label.go). A server may have a
 * set of them for each request: many are read at once, step by step.
 */
#include <errno.h>
#include <string.h>
#include "go/goroutine.h"

#define FIRST_SLICE  24 /* the release since which they are a slice */
#define MANY	     1024
#define LABELS_MAX   64 /* of a set */
#define STRING_MAX   1024
#define STRINGS_MAX  (64U << 20) /* bytes of all strings: beyond, labels are left out */
#define BUCKET_SLOTS 8
#define BUCKET_BYTES (BUCKET_SLOTS + BUCKET_SLOTS * 32 + 8) /* hashes, keys, values, overflow */
#define MAP_BYTES \
	48 /* count, flags, logarithm of the buckets, ..., buckets, those before it grew */
#define MAP_LOG_MAX  4
#define OVERFLOW_MAX 16
#define HASH_FULL    5 /* and more: there is a key */

struct pair {
	size_t set;
	uint64_t at[2], n[2]; /* of the key, of the value */
	const char *text[2];
};

struct labels {
	struct go_runtime *rt;
	struct goroutine_list *list;
	struct memory_buffer buffer;
	struct memory_part parts[MANY];
	struct {
		VEC_OF(struct pair);
	} pairs;
	size_t left; /* bytes of strings that are still kept */
};

static int gather(struct labels *w, size_t n)
{
	return memory_gather(&w->rt->memory, w->parts, n, &w->buffer);
}

static uint64_t word(const uint8_t *bytes, size_t index)
{
	return go_field(bytes, (index + 1) * 8, (uint32_t)index * 8, 8);
}

/* `key` and `value` are strings as Go has them. */
static int add_pair(struct labels *w, size_t set, const uint8_t *key, const uint8_t *value)
{
	return vec_push(&w->pairs, (struct pair){
					   .set = set,
					   .at = { word(key, 0), word(value, 0) },
					   .n = { word(key, 1), word(value, 1) },
				   });
}

/* -- slices -------------------------------------------------------------------------------------- */
static int read_slices(struct labels *w, size_t n)
{
	size_t more = 0;
	int r = gather(w, n);

	for (size_t i = 0; i < n && !r; i++) {
		const struct memory_part p = w->parts[i];
		const uint64_t count = p.bytes ? word(p.bytes, 1) : 0;

		if (count && count <= LABELS_MAX)
			w->parts[more++] =
				(struct memory_part){ word(p.bytes, 0), count * 32, NULL, p.owner };
	}
	if (!r)
		r = gather(w, more);
	for (size_t i = 0; i < more && !r; i++) {
		const struct memory_part *p = &w->parts[i];

		for (size_t at = 0; p->bytes && at < p->size && !r; at += 32)
			r = add_pair(w, p->owner, p->bytes + at, p->bytes + at + 16);
	}
	return r;
}

/* -- maps ---------------------------------------------------------------------------------------- */
static int add_bucket(struct labels *w, size_t set, const uint8_t *bucket)
{
	const uint8_t *keys = bucket + BUCKET_SLOTS, *values = keys + BUCKET_SLOTS * 16;
	int r = 0;

	for (size_t i = 0; i < BUCKET_SLOTS && !r; i++)
		if (bucket[i] >= HASH_FULL)
			r = add_pair(w, set, keys + i * 16, values + i * 16);
	return r;
}

/* Of buckets that are at hand, and of what overflows of them, which is rare. */
static int add_buckets(struct labels *w, const struct memory_part *p)
{
	uint8_t bucket[BUCKET_BYTES];
	uint64_t next;
	int r = 0, left = OVERFLOW_MAX;

	for (size_t at = 0; at < p->size && !r; at += BUCKET_BYTES) {
		r = add_bucket(w, p->owner, p->bytes + at);
		next = word(p->bytes + at, BUCKET_BYTES / 8 - 1);
		for (; next && left > 0 && !r; left--) {
			if (memory_read(&w->rt->memory, next, bucket, sizeof(bucket)))
				break;
			r = add_bucket(w, p->owner, bucket);
			next = word(bucket, BUCKET_BYTES / 8 - 1);
		}
	}
	return r;
}

/* Those of the old buckets that have moved on are marked as not full. */
static int add_old_buckets(struct labels *w, size_t set, uint64_t at, size_t n)
{
	uint8_t buckets[BUCKET_BYTES << MAP_LOG_MAX];
	struct memory_part p = { at, n * BUCKET_BYTES, buckets, set };

	return memory_read(&w->rt->memory, at, buckets, p.size) ? 0 : add_buckets(w, &p);
}

static int read_maps(struct labels *w, size_t n)
{
	size_t maps = 0, more = 0;
	int r = gather(w, n);

	for (size_t i = 0; i < n && !r; i++)
		if (w->parts[i].bytes)
			w->parts[maps++] =
				(struct memory_part){ word(w->parts[i].bytes, 0), MAP_BYTES, NULL,
						      w->parts[i].owner };
	if (!r)
		r = gather(w, maps);
	for (size_t i = 0; i < maps && !r; i++) {
		const struct memory_part p = w->parts[i];
		const unsigned int log = p.bytes ? p.bytes[9] : UINT8_MAX;

		if (log > MAP_LOG_MAX)
			continue;
		if (word(p.bytes, 3) && log)
			r = add_old_buckets(w, p.owner, word(p.bytes, 3), (size_t)1 << (log - 1));
		w->parts[more++] =
			(struct memory_part){ word(p.bytes, 2), (size_t)BUCKET_BYTES << log, NULL,
					      p.owner };
	}
	if (!r)
		r = gather(w, more);
	for (size_t i = 0; i < more && !r; i++)
		if (w->parts[i].bytes)
			r = add_buckets(w, &w->parts[i]);
	return r;
}

/* -- strings ------------------------------------------------------------------------------------- */
/* A copy; NULL when it was not read, or too many have been. */
static int keep_string(struct labels *w, const struct memory_part *p, const char **ret)
{
	char *text;

	if ((p->size && !p->bytes) || p->size >= w->left)
		return 0;
	text = arena_alloc(&w->list->strings, p->size + 1);
	if (!text)
		return -ENOMEM;
	if (p->size)
		memcpy(text, p->bytes, p->size);
	w->left -= p->size + 1;
	*ret = text;
	return 0;
}

/* Of pairs [first, first + n). What cannot be read stays NULL. */
static int read_strings(struct labels *w, size_t first, size_t n)
{
	int r;

	for (size_t i = 0; i < n * 2; i++) {
		const struct pair *p = &w->pairs.items[first + i / 2];

		w->parts[i] = (struct memory_part){
			.at = p->at[i & 1],
			.size = p->n[i & 1] < STRING_MAX ? p->n[i & 1] : STRING_MAX,
			.owner = i,
		};
	}
	r = gather(w, n * 2);
	for (size_t i = 0; i < n * 2 && !r; i++) {
		const size_t owner = w->parts[i].owner;

		r = keep_string(w, &w->parts[i],
				&w->pairs.items[first + owner / 2].text[owner & 1]);
	}
	return r;
}

/* By set, and in it by key: a map has no order, and slices have this one. */
static int compare_pairs(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	if (x->set != y->set)
		return x->set < y->set ? -1 : 1;
	return strcmp(x->text[0], y->text[0]);
}

static int add_labels(struct labels *w, struct go_label_set *sets)
{
	size_t n = 0;
	int r = 0;

	vec_foreach(p, &w->pairs)
		if (p->text[0] && p->text[1])
			w->pairs.items[n++] = *p;
	if (n)
		qsort(w->pairs.items, n, sizeof(*w->pairs.items), compare_pairs);
	for (size_t i = 0; i < n && !r; i++) {
		const struct pair *p = &w->pairs.items[i];
		struct go_label_set *set = &sets[p->set];

		if (set->n == LABELS_MAX)
			continue;
		if (!set->n++)
			set->first = w->list->labels.n;
		r = vec_push(&w->list->labels, (struct go_label){ p->text[0], p->text[1] });
	}
	return r;
}

/* -- all of them --------------------------------------------------------------------------------- */
static int read_many(struct labels *w, struct go_label_set *sets, size_t n)
{
	const bool slices = w->rt->minor >= FIRST_SLICE;
	int r;

	w->pairs.n = 0;
	for (size_t i = 0; i < n; i++)
		w->parts[i] = (struct memory_part){ sets[i].at, slices ? 24 : 8, NULL, i };
	r = slices ? read_slices(w, n) : read_maps(w, n);
	for (size_t i = 0, some; i < w->pairs.n && !r; i += some) {
		some = w->pairs.n - i < MANY / 2 ? w->pairs.n - i : MANY / 2;
		r = read_strings(w, i, some);
	}
	return r ? r : add_labels(w, sets);
}

int go_labels_read(struct go_runtime *rt, struct go_label_set *sets, size_t n,
		   struct goroutine_list *l)
{
	struct labels *w = n ? calloc(1, sizeof(*w)) : NULL;
	int r = 0;

	if (!w)
		return n ? -ENOMEM : 0;
	w->rt = rt;
	w->list = l;
	w->left = STRINGS_MAX;
	for (size_t i = 0; i < n && !r; i += MANY)
		r = read_many(w, sets + i, n - i < MANY ? n - i : MANY);
	vec_free(&w->pairs);
	memory_buffer_deinit(&w->buffer);
	free(w);
	return r;
}
