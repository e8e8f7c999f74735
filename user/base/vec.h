/* SPDX-License-Identifier: Apache-2.0 */
/* A growable array of any type: `struct foo_vec { VEC_OF(struct foo); } v = {0};`. */
#pragma once
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#define VEC_OF(T)                                                                                  \
	T *items;                                                                                  \
	size_t n, cap

/* Makes room for `extra` more items of `size` bytes. Returns 0 or -ENOMEM. */
static inline int vec_reserve_raw(void **items, size_t n, size_t *cap, size_t extra, size_t size)
{
	size_t want = *cap ? *cap : 16;
	void *p;

	if (n + extra <= *cap)
		return 0;
	while (want < n + extra)
		want *= 2;
	p = reallocarray(*items, want, size);
	if (!p)
		return -ENOMEM;
	*items = p;
	*cap = want;
	return 0;
}

#define vec_reserve(v, extra)                                                                      \
	vec_reserve_raw((void **)&(v)->items, (v)->n, &(v)->cap, (extra), sizeof(*(v)->items))

/* Appends `value`; 0 or -ENOMEM. */
#define vec_push(v, ...)                                                                           \
	({                                                                                         \
		int _r = vec_reserve((v), 1);                                                      \
		if (!_r)                                                                           \
			(v)->items[(v)->n++] = (__VA_ARGS__);                                      \
		_r;                                                                                \
	})

#define vec_foreach(p, v)                                                                          \
	for (__auto_type p = (v)->items; p && p < (v)->items + (v)->n; p++)

#define vec_free(v)                                                                                \
	do {                                                                                       \
		free((v)->items);                                                                  \
		(v)->items = NULL;                                                                 \
		(v)->n = (v)->cap = 0;                                                             \
	} while (0)
