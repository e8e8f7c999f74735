// SPDX-License-Identifier: Apache-2.0
/*
 * A call that is missing here is not lost: a census finds what it acquired, without a stack.
 */
#include "kind/syscalls.h"
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include "base/cleanup.h"

/* Calls that are newer than the headers that we build with. */
#define NR_OPEN_TREE_ATTR	  467
#define NR_MEMFD_SECRET		  447

/* accept and the like may give a socket that is a connection; what NEW gives is something new */
#define NEW(name, ...)		   CALL(name, FD, .unconnected = 1, ##__VA_ARGS__)
#define CALL(name, call_role, ...) { __NR_##name, #name, { .role = LT_SYSCALL_##call_role, __VA_ARGS__ } }
#define ONLY(arg, count, ...)	   .only_arg = arg, .n_only = count, .only = { __VA_ARGS__ }

static const struct syscall_row rows[] = {
	NEW(open),
	NEW(openat),
	NEW(openat2),
	NEW(creat),
	NEW(open_by_handle_at),
	NEW(socket),
	CALL(socketpair, PAIR, .out = 3),
	CALL(accept, FD),
	CALL(accept4, FD),
	CALL(pipe, PAIR, .out = 0, .unconnected = 1),
	CALL(pipe2, PAIR, .out = 0, .unconnected = 1),
	CALL(dup, FD),
	CALL(dup2, ONTO),
	CALL(dup3, ONTO),
	CALL(fcntl, FD, ONLY(1, 2, F_DUPFD, F_DUPFD_CLOEXEC)),
	NEW(eventfd),
	NEW(eventfd2),
	NEW(epoll_create),
	NEW(epoll_create1),
	NEW(timerfd_create),
	NEW(signalfd, ONLY(0, 1, -1)),
	NEW(signalfd4, ONLY(0, 1, -1)),
	NEW(inotify_init),
	NEW(inotify_init1),
	NEW(fanotify_init),
	NEW(memfd_create),
	{ NR_MEMFD_SECRET, "memfd_secret", { .role = LT_SYSCALL_FD, .unconnected = 1 } },
	NEW(userfaultfd),
	NEW(perf_event_open),
	NEW(bpf,
	     ONLY(0, 12, BPF_MAP_CREATE, BPF_PROG_LOAD, BPF_OBJ_GET, BPF_PROG_GET_FD_BY_ID,
		  BPF_MAP_GET_FD_BY_ID, BPF_RAW_TRACEPOINT_OPEN, BPF_BTF_LOAD, BPF_BTF_GET_FD_BY_ID,
		  BPF_LINK_CREATE, BPF_LINK_GET_FD_BY_ID, BPF_ENABLE_STATS, BPF_ITER_CREATE)),
	NEW(io_uring_setup),
	NEW(pidfd_open),
	CALL(pidfd_getfd, FD),
	NEW(mq_open),
	NEW(fsopen),
	NEW(fsmount),
	NEW(fspick),
	NEW(open_tree),
	{ NR_OPEN_TREE_ATTR, "open_tree_attr", { .role = LT_SYSCALL_FD, .unconnected = 1 } },
	NEW(landlock_create_ruleset, ONLY(2, 1, 0)),
	CALL(recvmsg, RECEIVE, .out = 1),
	CALL(recvmmsg, RECEIVES, .out = 1),
	CALL(connect, SOCKET),
	CALL(listen, SOCKET),
	CALL(close, CLOSE),
	CALL(close_range, CLOSES),
	/* for their names only; glibc ends its unwind tables before clone's system call, as they do not
	 * hold for the new thread (sysdeps/unix/sysv/linux/x86_64/{clone,clone3,vfork}.S) */
	CALL(clone, NONE, .caller = LT_CALLER_ON_STACK),
	CALL(clone3, NONE, .caller = LT_CALLER_ON_STACK),
	CALL(fork, NONE),
	CALL(vfork, NONE, .caller = LT_CALLER_IN_RDI),
	CALL(ioctl, NONE),
};

const struct syscall_row *syscall_rows(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(rows);
	return rows;
}
