/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the hooks in the kernel are told: a row for each system call of interest, written by user space
 * (user/kind/syscalls.c), and what both sides know of sockets, threads and children.
 */
#pragma once
#include "leaktrace/types.h"

#define LT_SYSCALLS	   512
#define LT_SYSCALL_ONLY	   12
#define LT_EVENT_MAX_NS	   50000 /* an event of a hook that takes longer has been interrupted */
#define LT_MAX_PASSED	   253 /* descriptors in a message: the kernel's SCM_MAX_FD */
#define LT_MAX_SOCKETS	   65536
#define LT_MAX_TASKS	   65536

enum lt_syscall_role {
	LT_SYSCALL_NONE,
	LT_SYSCALL_FD,	     /* returns a new descriptor */
	LT_SYSCALL_PAIR,     /* stores two of them at arg `out` */
	LT_SYSCALL_RECEIVE,  /* a struct msghdr at arg `out`, with descriptors in control messages */
	LT_SYSCALL_RECEIVES, /* as many struct mmsghdr as it returns */
	LT_SYSCALL_ONTO,     /* returns one that may have been in use: dup2, dup3 */
	LT_SYSCALL_SOCKET,   /* changes the state of the socket arg 0: connect, listen */
	/* at their entry: */
	LT_SYSCALL_CLOSE,    /* gives up the descriptor arg 0, whatever it returns */
	LT_SYSCALL_CLOSES,   /* gives up many */
};

/* Where the caller of a system call's wrapper is, when no unwind table covers the wrapper. */
enum lt_syscall_caller {
	LT_CALLER_UNKNOWN,
	LT_CALLER_ON_STACK, /* rsp points to the return address */
	LT_CALLER_IN_RDI,   /* it was taken off the stack */
};

struct lt_syscall {
	__u8 role, via;
	__u8 out;		       /* see the role */
	__u8 only_arg, n_only;	       /* only when this argument is one of `only` */
	__u8 caller;
	__u8 unconnected; /* what it installs is no socket that is connected already */
	__u8 reserved;
	__s32 only[LT_SYSCALL_ONLY];
};
LT_ASSERT_SIZE(struct lt_syscall, 56);

/* A child of a traced process, by its process id in the initial namespace. */
struct lt_child {
	__u32 tgid, pid; /* the parent, and the child, as leaktrace sees them */
	__u32 zombie_stack;
	__u32 parent; /* as the kernel counts */
	__u64 task;   /* address of what the kernel knows of it, when it has ended; 0: it has not */
};

struct lt_thread_key {
	__u64 id; /* tid or pthread_t */
	__u32 tgid, reserved;
};

/* A thread made by pthread_create. */
struct lt_pthread {
	__u64 handle; /* its pthread_t */
	__u32 unjoined_stack;
	__u32 settled; /* detached, or joined before its end was seen */
};
