// SPDX-License-Identifier: Apache-2.0
#include "base/hashmap.h"
#include <errno.h>
#include <stdlib.h>

/* The index at which the search for a key begins. */
static size_t hashmap_home(const struct hashmap *m, uint64_t key)
{
	/* the finalizer of splitmix64 (Steele, Lea, Flood 2014) */
	uint64_t h = key;

	h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9ULL;
	h = (h ^ (h >> 27)) * 0x94d049bb133111ebULL;
	h ^= h >> 31;
	return h & (m->cap - 1);
}

static struct hashmap_slot *hashmap_slot(const struct hashmap *m, uint64_t key)
{
	for (size_t i = hashmap_home(m, key);; i = (i + 1) & (m->cap - 1)) {
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

/*
 * A hole would end the searches that have passed it (Knuth, 6.4, algorithm R). So what follows moves up into
 * it, unless its own search begins behind the hole, up to the next slot that is free.
 */
bool hashmap_remove(struct hashmap *m, uint64_t key)
{
	struct hashmap_slot *s = m->cap ? hashmap_slot(m, key) : NULL;
	size_t mask = m->cap - 1, hole;

	if (!s || !s->used)
		return false;
	hole = (size_t)(s - m->slots);
	for (size_t i = (hole + 1) & mask; m->slots[i].used; i = (i + 1) & mask) {
		size_t home = hashmap_home(m, m->slots[i].key);

		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		m->slots[hole] = m->slots[i];
		hole = i;
	}
	m->slots[hole].used = false;
	m->n--;
	return true;
}

void hashmap_deinit(struct hashmap *m)
{
	free(m->slots);
	*m = (struct hashmap){ 0 };
}
