// SPDX-License-Identifier: Apache-2.0
/*
 * jemalloc as a shared library. operator new has malloc's fast path inlined from 5.3 on, and the
 * sized delete frees by itself, so they have rows of their own; the other forms of new and delete
 * go through functions that have. xallocx, which resizes in place or not at all, is not followed:
 * its block keeps the amount it had.
 */
#include "base/cleanup.h"
#include "kind/alloc/allocator.h"

#define NO LT_ARG_NONE

static const struct alloc_function jemalloc_functions[] = {
	/* name			 role		  size count id  out flags via */
	{ "malloc",		 LT_ROLE_ACQUIRE, 0,  NO, NO, NO, NO, NULL },
	{ "calloc",		 LT_ROLE_ACQUIRE, 1,  0,  NO, NO, NO, NULL },
	{ "realloc",		 LT_ROLE_RESIZE,  1,  NO, 0,  NO, NO, NULL },
	{ "free",		 LT_ROLE_RELEASE, NO, NO, 0,  NO, NO, NULL },
	{ "posix_memalign",	 LT_ROLE_ACQUIRE, 2,  NO, NO, 0,  NO, NULL },
	{ "aligned_alloc",	 LT_ROLE_ACQUIRE, 1,  NO, NO, NO, NO, NULL },
	{ "memalign",		 LT_ROLE_ACQUIRE, 1,  NO, NO, NO, NO, NULL },
	{ "valloc",		 LT_ROLE_ACQUIRE, 0,  NO, NO, NO, NO, NULL },
	{ "mallocx",		 LT_ROLE_ACQUIRE, 0,  NO, NO, NO, NO, NULL },
	{ "rallocx",		 LT_ROLE_RESIZE,  1,  NO, 0,  NO, NO, NULL },
	{ "dallocx",		 LT_ROLE_RELEASE, NO, NO, 0,  NO, NO, NULL },
	{ "sdallocx",		 LT_ROLE_RELEASE, NO, NO, 0,  NO, NO, NULL },
	{ "_Znwm",		 LT_ROLE_ACQUIRE, 0,  NO, NO, NO, NO, "operator new" },
	{ "_Znam",		 LT_ROLE_ACQUIRE, 0,  NO, NO, NO, NO, "operator new[]" },
	{ "_ZnwmRKSt9nothrow_t", LT_ROLE_ACQUIRE, 0,  NO, NO, NO, NO, "operator new" },
	{ "_ZnamRKSt9nothrow_t", LT_ROLE_ACQUIRE, 0,  NO, NO, NO, NO, "operator new[]" },
	{ "_ZdlPvm",		 LT_ROLE_RELEASE, NO, NO, 0,  NO, NO, NULL },
	{ "_ZdaPvm",		 LT_ROLE_RELEASE, NO, NO, 0,  NO, NO, NULL },
};

const struct allocator allocator_jemalloc = {
	.name = "jemalloc",
	.markers = { "mallocx" },
	.functions = jemalloc_functions,
	.n_functions = ARRAY_SIZE(jemalloc_functions),
};
