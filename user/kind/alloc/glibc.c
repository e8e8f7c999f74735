// SPDX-License-Identifier: Apache-2.0
/*
 * glibc's malloc, and its mapping functions. C++ new and delete go through malloc and free. In
 * glibc 2.36 memalign and aligned_alloc are one address, as are mmap and mmap64.
 */
#include "base/cleanup.h"
#include "kind/alloc/allocator.h"

#define NO LT_ARG_NONE

static const struct alloc_function glibc_functions[] = {
	/* name            role             size count id  out flags */
	{ "malloc",	    LT_ROLE_ACQUIRE, 0,	 NO, NO, NO, NO },
	{ "calloc",	    LT_ROLE_ACQUIRE, 1,	 0,  NO, NO, NO },
	{ "realloc",	    LT_ROLE_RESIZE,  1,	 NO, 0,	 NO, NO },
	{ "reallocarray",   LT_ROLE_RESIZE,  2,	 1,  0,	 NO, NO },
	{ "free",	    LT_ROLE_RELEASE, NO, NO, 0,	 NO, NO },
	{ "posix_memalign", LT_ROLE_ACQUIRE, 2,	 NO, NO, 0,  NO },
	{ "aligned_alloc",  LT_ROLE_ACQUIRE, 1,	 NO, NO, NO, NO },
	{ "memalign",	    LT_ROLE_ACQUIRE, 1,	 NO, NO, NO, NO },
	{ "valloc",	    LT_ROLE_ACQUIRE, 0,	 NO, NO, NO, NO },
	{ "pvalloc",	    LT_ROLE_ACQUIRE, 0,	 NO, NO, NO, NO },
	{ "mmap",	    LT_ROLE_MAP,     1,	 NO, NO, NO, 3 },
	{ "mmap64",	    LT_ROLE_MAP,     1,	 NO, NO, NO, 3 },
	{ "munmap",	    LT_ROLE_UNMAP,   1,	 NO, 0,	 NO, NO },
	{ "mremap",	    LT_ROLE_REMAP,   2,	 1,  0,	 NO, NO },
};

const struct allocator allocator_glibc = {
	.name = "glibc",
	.marker = "gnu_get_libc_version",
	.functions = glibc_functions,
	.n_functions = ARRAY_SIZE(glibc_functions),
};
