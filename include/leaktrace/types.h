/* SPDX-License-Identifier: GPL-2.0 */
/* Fixed-width types shared by bpf/ and user/. */
#pragma once
#ifndef __bpf__
#include <linux/types.h>
#include <stddef.h>
#endif

#define LT_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), "layout of " #type)

/* X(NAME, "name", "unit"). To add a resource kind: a row here, its probes in bpf/KIND.bpf.c, and
 * user/kind/KIND.c with one row in user/kind/kind.c. */
#define LT_KINDS(X) X(MEMORY, "memory", "bytes")

enum lt_kind {
#define X(name, str, unit) LT_KIND_##name,
	LT_KINDS(X)
#undef X
	LT_KIND_MAX
};
