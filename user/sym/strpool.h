/* SPDX-License-Identifier: Apache-2.0 */
/* Strings kept once each, for as long as the pool lives. */
#pragma once
#include <stddef.h>
#include "base/hashmap.h"

struct strpool {
	struct hashmap by_hash; /* hash -> the newest struct pool_string of it */
	struct pool_chunk *chunks;
};

/* The pool's copy of the `n` characters at `s`, NUL-terminated, or NULL when out of memory. */
const char *strpool_add(struct strpool *p, const char *s, size_t n);
void strpool_deinit(struct strpool *p);
