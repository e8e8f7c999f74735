/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocators as data. To add one: write user/kind/alloc/NAME.c with one `const struct allocator`,
 * declare it here and add one row to the table in allocator.c. Nothing else changes: the BPF
 * programs are generic and learn from the function's row where its arguments are.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <leaktrace/probe.h>

struct alloc_function {
	const char *name; /* as exported; several names of one address are probed once */
	enum lt_role role;
	/* argument numbers from 0; LT_ARG_NONE where the function has no such argument */
	__u8 size, count, id, out, flags;
	const char *via; /* what the report calls it; NULL: its name */
};

/* Two functions that may be one: no call then tells which of them it is of. */
struct alloc_twins {
	const char *one, *other;
	const char *via; /* what the report calls both */
};

struct allocator {
	const char *name;
	const char *markers[4]; /* symbols of which only the allocator's own module defines any */
	const struct alloc_function *functions;
	size_t n_functions;
	struct alloc_twins twins; /* names NULL: none */
};

extern const struct allocator allocator_glibc;
extern const struct allocator allocator_jemalloc;

/* All allocators, NULL-terminated. */
const struct allocator *const *allocators(void);
/* Whether calls of the role are followed to their return. */
bool lt_role_returns(enum lt_role role);
