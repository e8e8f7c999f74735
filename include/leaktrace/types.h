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
	X(GO_HEAP, "memory", "go", "bytes")                                                        \
	X(CONNECTION, "connection", "open", "connections")                                         \
	X(LISTENER, "connection", "listening", "sockets")                                          \
	X(FD, "fd", NULL, "descriptors")                                                           \
	X(THREAD, "thread", "running", "threads")                                                  \
	X(UNJOINED, "thread", "unjoined", "threads")                                               \
	X(ZOMBIE, "process", "zombie", "processes")                                                \
	X(CHILD, "process", "running", "processes")                                                \
	X(GOROUTINE, "goroutine", NULL, "goroutines")

enum lt_kind {
#define X(name, kind, state, unit) LT_KIND_##name,
	LT_KINDS(X)
#undef X
	LT_KIND_MAX
};

/* Sets of kinds, a bit for each. Those of Go are read from the process's memory (user/go); those of the
 * system are seen by hooks in the kernel, and in a census. */
#define LT_KINDS_ALL	((1U << LT_KIND_MAX) - 1)
#define LT_KINDS_MEMORY (1U << LT_KIND_MEMORY | 1U << LT_KIND_GO_HEAP) /* counted in bytes */
#define LT_KINDS_GO	(1U << LT_KIND_GO_HEAP | 1U << LT_KIND_GOROUTINE)
#define LT_KINDS_SYSTEM (LT_KINDS_ALL & ~LT_KINDS_GO & ~(1U << LT_KIND_MEMORY))
