/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Programs at functions of Go: the sites are chosen by user/runtime/go/sites.c. Arguments are in rax, rbx,
 * rcx, rdi, rsi, r8, r9, r10 and r11, in this order, and rsp points to the return address.
 */
#pragma once
#include "track.bpf.h"
#include "uprobe.bpf.h"

#define EFLAGS_CF 0x1
#define EFLAGS_ZF 0x40

static __always_inline struct lt_cookie lt_go_cookie(struct pt_regs *ctx)
{
	union {
		u64 raw;
		struct lt_cookie c;
	} u = { .raw = bpf_get_attach_cookie(ctx) };

	return u.c;
}

/* Counts a hit. Whether it is none: the goroutine's stack is too small for the function, which will be
 * called anew when it is larger. */
static __always_inline bool lt_go_skip(struct pt_regs *ctx, const struct lt_cookie *c)
{
	lt_count(LT_COUNT_HITS);
	if (c->stepped)
		lt_count(LT_COUNT_STEPPED);
	return c->checking && ctx->eflags & (EFLAGS_CF | EFLAGS_ZF);
}
