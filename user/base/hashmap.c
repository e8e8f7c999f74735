// SPDX-License-Identifier: Apache-2.0
#include "base/hashmap.h"
#include <errno.h>
#include <stdlib.h>

static struct hashmap_slot *hashmap_slot(const struct hashmap *m, uint64_t key)
{
	/* the finalizer of splitmix64 (Steele, Lea, Flood 2014) */
	uint64_t h = key;

	h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9ULL;
	h = (h ^ (h >> 27)) * 0x94d049bb133111ebULL;
	h ^= h >> 31;
	for (size_t i = h & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct hashmap_slot *s = &m->slots[i];

		if (!s->used || s->key == key)
			return s;
	}
}

uint64_t *hashmap_get(const struct hashmap *m, uint64_t key)
{
	struct hashmap_slot *s = m->cap ? hashmap_slot(m, key) : NULL;

	return s && s->used ? &s->value : NULL;
}

static int hashmap_grow(struct hashmap *m)
{
	struct hashmap bigger = { .cap = m->cap ? m->cap * 2 : 64, .n = m->n };

	bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < m->cap; i++)
		if (m->slots[i].used)
			*hashmap_slot(&bigger, m->slots[i].key) = m->slots[i];
	free(m->slots);
	*m = bigger;
	return 0;
}

int hashmap_put(struct hashmap *m, uint64_t key, uint64_t value)
{
	struct hashmap_slot *s;

	if (m->n * 4 >= m->cap * 3) {
		int r = hashmap_grow(m);

		if (r)
			return r;
	}
	s = hashmap_slot(m, key);
	m->n += !s->used;
	*s = (struct hashmap_slot){ .key = key, .value = value, .used = true };
	return 0;
}

void hashmap_deinit(struct hashmap *m)
{
	free(m->slots);
	*m = (struct hashmap){ 0 };
}
