/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a probe site is told about its function: the BPF cookie. The programs are generic; the
 * allocator tables in user/kind/alloc/ say through it where the size, the pointer and the result of
 * each function are.
 */
#pragma once
#include "leaktrace/types.h"

enum lt_role {
	LT_ROLE_TRY,	 /* nothing but a hit, and a return: leaktrace trying probes on itself */
	LT_ROLE_ACQUIRE, /* returns (or stores through out_arg) a new block of size_arg * count_arg */
	LT_ROLE_RELEASE, /* frees the block id_arg */
	LT_ROLE_RESIZE,	 /* realloc(id_arg, size_arg * count_arg); size 0 frees */
	LT_ROLE_MAP,	 /* maps size_arg bytes; flags in flags_arg (mmap) */
	LT_ROLE_UNMAP,	 /* unmaps id_arg .. + size_arg */
	LT_ROLE_REMAP,	 /* mremap: moves or resizes id_arg .. + count_arg to size_arg bytes */
	LT_ROLE_SHMAT,	 /* shmat: maps the segment id_arg, whose size the kernel knows */
	LT_ROLE_SHMDT,	 /* shmdt: unmaps all that is left of what was mapped at id_arg */
	LT_ROLE_MODULES, /* the dynamic loader has changed the list of modules */
	LT_ROLE_CREATE,	 /* pthread_create: its attributes are argument 1 */
	LT_ROLE_JOIN,	 /* returns 0 when the thread, argument 0, has been joined */
	LT_ROLE_DETACH,	 /* detaches the thread, argument 0 */
	LT_ROLE_MAX
};

#define LT_ARG_NONE 0xf

/* Argument numbers count from 0 in the order of the calling convention. */
struct lt_cookie {
	__u8 role : 4, stepped : 1;
	__u8 library : 1; /* the function's module is a library, not the program itself */
	__u8 checking : 1; /* of Go: it is the jump by which the function makes its stack larger */
	__u8 reserved : 1;
	__u8 via; /* index of the function's name, for the report */
	__u8 size_arg : 4, count_arg : 4;
	__u8 id_arg : 4, out_arg : 4;
	__u8 flags_arg : 4, reserved2 : 4;
	__u8 reserved3;
	__u16 sp_delta; /* address of the return address = rsp + sp_delta */
};
LT_ASSERT_SIZE(struct lt_cookie, 8);
