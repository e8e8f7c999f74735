// SPDX-License-Identifier: Apache-2.0
/*
 * glibc's malloc, its mapping functions, and those of SysV's shared memory. C++ new and delete go through malloc and free. In
 * glibc 2.36 memalign and aligned_alloc are one address, as are mmap and mmap64.
 */
#include "base/cleanup.h"
#include "kind/alloc/allocator.h"

#define NO LT_ARG_NONE

static const struct alloc_function glibc_functions[] = {
	/* name            role             size count id  out flags via */
	{ "malloc",	    LT_ROLE_ACQUIRE, 0,	 NO, NO, NO, NO, NULL },
	{ "calloc",	    LT_ROLE_ACQUIRE, 1,	 0,  NO, NO, NO, NULL },
	{ "realloc",	    LT_ROLE_RESIZE,  1,	 NO, 0,	 NO, NO, NULL },
	{ "reallocarray",   LT_ROLE_RESIZE,  2,	 1,  0,	 NO, NO, NULL },
	{ "free",	    LT_ROLE_RELEASE, NO, NO, 0,	 NO, NO, NULL },
	{ "posix_memalign", LT_ROLE_ACQUIRE, 2,	 NO, NO, 0,  NO, NULL },
	{ "aligned_alloc",  LT_ROLE_ACQUIRE, 1,	 NO, NO, NO, NO, NULL },
	{ "memalign",	    LT_ROLE_ACQUIRE, 1,	 NO, NO, NO, NO, NULL },
	{ "valloc",	    LT_ROLE_ACQUIRE, 0,	 NO, NO, NO, NO, NULL },
	{ "pvalloc",	    LT_ROLE_ACQUIRE, 0,	 NO, NO, NO, NO, NULL },
	{ "mmap",	    LT_ROLE_MAP,     1,	 NO, NO, NO, 3,  NULL },
	{ "mmap64",	    LT_ROLE_MAP,     1,	 NO, NO, NO, 3,  NULL },
	{ "munmap",	    LT_ROLE_UNMAP,   1,	 NO, 0,	 NO, NO, NULL },
	{ "mremap",	    LT_ROLE_REMAP,   2,	 1,  0,	 NO, NO, NULL },
	{ "shmat",	    LT_ROLE_SHMAT,   NO, NO, 0,  NO, NO, NULL },
	{ "shmdt",	    LT_ROLE_SHMDT,   NO, NO, 0,	 NO, NO, NULL },
};

const struct allocator allocator_glibc = {
	.name = "glibc",
	.markers = { "gnu_get_libc_version", "_int_malloc" }, /* shared; static with symbols */
	.functions = glibc_functions,
	.n_functions = ARRAY_SIZE(glibc_functions),
	.twins = { "memalign", "aligned_alloc", "memalign/aligned_alloc" },
};
