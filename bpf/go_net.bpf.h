/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stacks of goroutines, continued with the stack of the code that made the goroutine, and so on.
 *
 * A stack that was acquired on a goroutine tells little when that was made only to do it: Go's HTTP client
 * dials on one, gRPC on another. Who made it is known when the creating call had a probe (go_net.bpf.c);
 * when it had none, user space is told to put one there for the next time.
 */
#pragma once
#include "unwind.bpf.h"
#include "leaktrace/go_net.h"

#define LT_GO_MAIN 1 /* the id of the goroutine that nobody made */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LT_PROCESSES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, struct lt_go_program);
} go_programs __weak SEC(".maps");

volatile __u32 go_programs_any __weak SEC(".data"); /* is there one? None is the usual case */

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, LT_GO_MADE);
	__type(key, struct lt_go_key);
	__type(value, struct lt_go_made);
} go_made __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LT_GO_TRACES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64);
	__type(value, struct lt_go_trace);
} go_traces __weak SEC(".maps");

/* Creating calls that have no probe yet, by process and where they return to. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LT_GO_SITES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct lt_go_key);
	__type(value, struct lt_go_site);
} go_wanted __weak SEC(".maps");

static __always_inline struct lt_go_key lt_go_key(u32 tgid, u64 id)
{
	return (struct lt_go_key){ .id = id, .tgid = tgid };
}

static __always_inline u64 lt_go_word(u64 at)
{
	u64 word;

	return lt_read_user(&word, sizeof(word), at) ? 0 : word;
}

static __always_inline struct lt_go_program *lt_go_program(u32 tgid)
{
	return go_programs_any ? bpf_map_lookup_elem(&go_programs, &tgid) : 0;
}

/* Whether `g`, what Go's code has in r14, is the goroutine whose stack holds `sp`: C has anything there,
 * and the runtime a stack of its own. */
static __always_inline bool lt_go_is_current(u64 g, u64 sp)
{
	u64 stack[2]; /* struct g begins with it: lo, hi */

	return g && !(g & 7) && !lt_read_user(stack, sizeof(stack), g) && sp >= stack[0] && sp < stack[1];
}

#define LT_GO_AT_ONCE 16

/* Adds a few frames of a trace, from one on. A function of its own, so that it is verified once. */
__weak __noinline int lt_go_push_some(struct lt_walk *w, const struct lt_go_trace *t, u32 from, u32 n)
{
	if (!w || !t)
		return 1;
	for (u32 i = 0; i < LT_GO_AT_ONCE && from + i < n; i++) {
		u32 at = w->out.n;

		barrier_var(at); /* or clang makes of it an index that the verifier takes for unbounded */
		if (at >= LT_MAX_FRAMES)
			return lt_stop_at(w, LT_STOP_TOO_DEEP);
		w->out.n = at;
		lt_push_frame(w, t->stack.frames[(from + i) & (LT_MAX_FRAMES - 1)]);
	}
	return 0;
}

/* Adds frames of a trace, the first or all of them. */
__weak __noinline int lt_go_push(struct lt_walk *w, u64 trace, u32 own_only)
{
	struct lt_go_trace *t = w ? bpf_map_lookup_elem(&go_traces, &trace) : 0;
	u32 n;

	if (!t)
		return -1;
	n = own_only ? t->own : t->stack.n;
	for (u32 i = 0; i < LT_MAX_FRAMES && i < n; i += LT_GO_AT_ONCE)
		if (lt_go_push_some(w, t, i, n))
			return -1;
	if (!own_only && w->out.stop == LT_STOP_NONE)
		w->out.stop = t->stack.stop;
	return 0;
}

__weak __noinline int lt_go_want(u32 tgid, u64 created_pc)
{
	struct lt_go_key key = lt_go_key(tgid, created_pc);
	struct lt_go_site *site = bpf_map_lookup_elem(&go_wanted, &key), first = { .hits = 1 };

	if (site)
		__sync_fetch_and_add(&site->hits, 1);
	else
		bpf_map_update_elem(&go_wanted, &key, &first, BPF_NOEXIST);
	return 0;
}

/* How the goroutine `g` was made; NULL: not known. What was recorded under its id may be another's that
 * never came to be. */
static __always_inline struct lt_go_made *lt_go_made_of(const struct lt_go_program *p, u32 tgid, u64 g)
{
	u64 gopc = lt_go_word(g + p->g_gopc), goid = lt_go_word(g + p->g_goid);
	struct lt_go_key key = lt_go_key(tgid, goid);
	struct lt_go_made *m = bpf_map_lookup_elem(&go_made, &key);

	if (m && m->trace && m->created_pc == gopc &&
	    (!p->g_parent || m->parent == lt_go_word(g + p->g_parent)))
		return m;
	if (gopc && goid != LT_GO_MAIN)
		lt_go_want(tgid, gopc);
	return 0;
}

/*
 * Continues the stack that has just been walked from `sp`, down to where the program began to make
 * goroutines for it; `g` is what r14 holds. Nothing is done for other code than Go's.
 */
__weak __noinline int lt_go_continue(struct lt_walk *w, u32 tgid, u64 g, u64 sp)
{
	struct lt_go_program *p = lt_go_program(tgid);
	struct lt_go_made *m;

	if (!w)
		return 0;
	w->own = 0;
	if (!p || w->late || w->out.n_python || !lt_go_is_current(g, sp))
		return 0;
	w->own = w->out.n;
	m = lt_go_made_of(p, tgid, g);
	if (m)
		lt_go_push(w, m->trace, false);
	return 0;
}
