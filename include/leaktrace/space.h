/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Address spaces: the books of memory belong to one, and are kept under the thread group that was traced,
 * its owner. Another thread group may share it: a child by clone with CLONE_VM and without CLONE_THREAD,
 * which vfork and posix_spawn make as well.
 */
#pragma once
#include "leaktrace/types.h"

#define LT_MAX_SHARERS 4096
#define LT_FILES_ANY   (~0ULL)

/* A thread group that shares the address space of another one, until it execs or ends. By its id. */
struct lt_sharer {
	__u64 task;  /* address of its task_struct; 0: it was there before tracing */
	__u64 files; /* address of the descriptors that it shares as well, or LT_FILES_ANY; 0: it has its own */
	__u64 ns;    /* CLOCK_MONOTONIC, when it was made */
	__u32 owner;
	__u32 vforked; /* its parent waits for it */
	__u32 seen;    /* what it does to memory is seen, or that some of it was not has been counted */
	__u32 hit;     /* it has met a probe, or may have: a probe of anybody, which need not have seen it */
	__u32 judged;  /* `hit` is all that there is to know */
	__u32 reserved;
};
LT_ASSERT_SIZE(struct lt_sharer, 48);

/* The arguments of the program that looks at one. */
enum lt_look {
	LT_LOOK_TGID,
	LT_LOOK_SEEN, /* its probes are there now */
	LT_LOOK_MAX
};
