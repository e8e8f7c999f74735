/* SPDX-License-Identifier: GPL-2.0 */
/* Fixed-width types shared by bpf/ and user/. */
#pragma once
#ifndef __bpf__
#include <linux/types.h>
#include <stddef.h>
#endif

#define LT_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), "layout of " #type)

/*
 * X(NAME, "kind", "state", "unit"): what is held, each with books of its own. Several rows of one kind
 * tell states of it apart: a script that looks for the kind finds the first, the one that a user means.
 * To add a resource kind: a row here, its probes in bpf/KIND.bpf.c, and user/kind/KIND.c with one row in
 * user/kind/kind.c.
 */
#define LT_KINDS(X)                                                                                \
	X(MEMORY, "memory", NULL, "bytes")                                                         \
	X(CONNECTION, "connection", "open", "connections")                                         \
	X(LISTENER, "connection", "listening", "sockets")                                          \
	X(FD, "fd", NULL, "descriptors")                                                           \
	X(THREAD, "thread", "running", "threads")                                                  \
	X(UNJOINED, "thread", "unjoined", "threads")                                               \
	X(ZOMBIE, "process", "zombie", "processes")                                                \
	X(CHILD, "process", "running", "processes")

enum lt_kind {
#define X(name, kind, state, unit) LT_KIND_##name,
	LT_KINDS(X)
#undef X
	LT_KIND_MAX
};
