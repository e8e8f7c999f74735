// SPDX-License-Identifier: Apache-2.0
#include "sym/strpool.h"
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE 16384

struct pool_chunk {
	struct pool_chunk *next;
	size_t used, size;
	_Alignas(8) char data[];
};

struct pool_string {
	struct pool_string *next; /* of the same hash */
	char s[];
};

/* FNV-1a (Fowler, Noll, Vo) */
static uint64_t string_hash(const char *s, size_t n)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)s[i]) * 0x100000001b3ULL;
	return h;
}

static void *pool_alloc(struct strpool *p, size_t size)
{
	struct pool_chunk *c = p->chunks;
	const size_t need = (size + 7) & ~(size_t)7;
	void *at;

	if (!c || c->size - c->used < need) {
		const size_t room = need > CHUNK_SIZE ? need : CHUNK_SIZE;

		c = malloc(sizeof(*c) + room);
		if (!c)
			return NULL;
		*c = (struct pool_chunk){ .next = p->chunks, .size = room };
		p->chunks = c;
	}
	at = c->data + c->used;
	c->used += need;
	return at;
}

const char *strpool_add(struct strpool *p, const char *s, size_t n)
{
	const uint64_t hash = string_hash(s, n);
	const uint64_t *slot = hashmap_get(&p->by_hash, hash);
	struct pool_string *first = slot ? (struct pool_string *)(uintptr_t)*slot : NULL, *str;

	for (str = first; str; str = str->next)
		if (!strncmp(str->s, s, n) && !str->s[n])
			return str->s;
	str = pool_alloc(p, sizeof(*str) + n + 1);
	if (!str)
		return NULL;
	str->next = first;
	memcpy(str->s, s, n);
	str->s[n] = '\0';
	return hashmap_put(&p->by_hash, hash, (uintptr_t)str) ? NULL : str->s;
}

void strpool_deinit(struct strpool *p)
{
	struct pool_chunk *c, *next;

	for (c = p->chunks; c; c = next) {
		next = c->next;
		free(c);
	}
	hashmap_deinit(&p->by_hash);
	*p = (struct strpool){ 0 };
}
