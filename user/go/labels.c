// SPDX-License-Identifier: Apache-2.0
/*
 * The labels that a program gave a goroutine with pprof.Do(): a map up to Go 1.23
 * (src/runtime/map.go), a slice of pairs later (src/runtime/pprof/label.go).
 */
#include <errno.h>
#include <string.h>
#include "go/goroutine.h"

#define FIRST_SLICE  24 /* the release since which they are a slice */
#define LABELS_MAX   64
#define STRING_MAX   1024
#define BUCKET_SLOTS 8
#define BUCKET_BYTES (BUCKET_SLOTS + BUCKET_SLOTS * 32 + 8) /* hashes, keys, values, overflow */
#define BUCKETS_MAX  64
#define HASH_FULL    5 /* and more: there is a key */

struct string {
	uint64_t at, n;
};

static int read_string(struct go_runtime *rt, struct string s, struct goroutine_list *l,
		       const char **ret)
{
	const size_t n = s.n < STRING_MAX ? s.n : STRING_MAX;
	char *text = arena_alloc(&l->strings, n + 1);

	*ret = text;
	if (!text)
		return -ENOMEM;
	return n && memory_read(&rt->memory, s.at, text, n) ? -EFAULT : 0;
}

static int add_label(struct go_runtime *rt, const uint8_t *key, const uint8_t *value,
		     struct goroutine_list *l)
{
	struct string k, v;
	struct go_label label;
	int r;

	memcpy(&k, key, sizeof(k));
	memcpy(&v, value, sizeof(v));
	r = read_string(rt, k, l, &label.key);
	if (!r)
		r = read_string(rt, v, l, &label.value);
	if (!r)
		r = vec_push(&l->labels, label);
	return r == -EFAULT ? 0 : r;
}

static int read_slice(struct go_runtime *rt, uint64_t at, struct goroutine_list *l)
{
	const struct go_slice labels = go_read_slice(rt, at);
	uint8_t pairs[LABELS_MAX * 32];
	int r = 0;

	if (!labels.n || labels.n > LABELS_MAX ||
	    memory_read(&rt->memory, labels.at, pairs, labels.n * 32))
		return 0;
	for (size_t i = 0; i < labels.n && !r; i++)
		r = add_label(rt, pairs + i * 32, pairs + i * 32 + 16, l);
	return r;
}

static int read_bucket(struct go_runtime *rt, const uint8_t *bucket, struct goroutine_list *l)
{
	const uint8_t *keys = bucket + BUCKET_SLOTS, *values = keys + BUCKET_SLOTS * 16;
	int r = 0;

	for (size_t i = 0; i < BUCKET_SLOTS && !r; i++)
		if (bucket[i] >= HASH_FULL)
			r = add_label(rt, keys + i * 16, values + i * 16, l);
	return r;
}

/* `n` buckets with what overflows of them; those that have moved on are marked as not full. */
static int read_buckets(struct go_runtime *rt, uint64_t at, uint64_t n, struct goroutine_list *l)
{
	const size_t start = l->labels.n;
	uint8_t bucket[BUCKET_BYTES];
	uint64_t next;
	int r = 0, left = BUCKETS_MAX;

	for (uint64_t i = 0; at && i < n && !r; i++) {
		for (next = at + i * BUCKET_BYTES; next && left-- > 0 && !r;) {
			if (memory_read(&rt->memory, next, bucket, sizeof(bucket)))
				return 0;
			r = read_bucket(rt, bucket, l);
			memcpy(&next, bucket + BUCKET_BYTES - 8, sizeof(next));
			if (l->labels.n - start > LABELS_MAX)
				return r;
		}
	}
	return r;
}

static int compare_labels(const void *a, const void *b)
{
	const struct go_label *x = a, *y = b;

	return strcmp(x->key, y->key);
}

/* runtime.hmap: count, flags, logarithm of the buckets, ..., buckets, those before it grew */
static int read_map(struct go_runtime *rt, uint64_t at, struct goroutine_list *l)
{
	const size_t start = l->labels.n;
	uint8_t map[48];
	uint64_t buckets;
	int r;

	at = go_read_word(rt, at);
	if (!at || memory_read(&rt->memory, at, map, sizeof(map)) || map[9] > 6)
		return 0;
	buckets = 1ULL << map[9];
	r = read_buckets(rt, go_field(map, sizeof(map), 16, 8), buckets, l);
	if (!r)
		r = read_buckets(rt, go_field(map, sizeof(map), 24, 8), buckets, l);
	if (l->labels.n > start) /* a map has no order */
		qsort(l->labels.items + start, l->labels.n - start, sizeof(*l->labels.items),
		      compare_labels);
	return r;
}

int go_labels_read(struct go_runtime *rt, uint64_t at, struct goroutine_list *l)
{
	return rt->minor < FIRST_SLICE ? read_map(rt, at, l) : read_slice(rt, at, l);
}
