/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that lives and dies together: many small allocations, one arena_deinit(). */
#pragma once
#include <stddef.h>
#include "base/cleanup.h"

struct arena {
	struct arena_block *blocks; /* the newest first; { 0 } is an empty arena */
	size_t used;		    /* bytes of the newest */
};

/* Zeroed room for `size` bytes, aligned for any type; NULL on out of memory. */
void *arena_alloc(struct arena *a, size_t size);
/* A copy of `s`; NULL for NULL and on out of memory. */
char *arena_strdup(struct arena *a, const char *s);
/* As asprintf(); NULL on out of memory. */
__printf(2, 3) char *arena_printf(struct arena *a, const char *fmt, ...);
void arena_deinit(struct arena *a);
