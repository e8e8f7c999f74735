// SPDX-License-Identifier: GPL-2.0
/*
 * Walks a copied stack again, in the context of leaktrace, which runs it by BPF_PROG_TEST_RUN when it
 * knows the code that was unknown before.
 */
#include "track.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct lt_walk);
} walk_scratch SEC(".maps");

/* What came of it; n is 0 when there still is unknown code. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct lt_event_stack);
} walked_again SEC(".maps");

SEC("raw_tp")
int walk_again(struct bpf_raw_tracepoint_args *ctx)
{
	u32 zero = 0, tgid = ctx->args[LT_AGAIN_TGID], kind = ctx->args[LT_AGAIN_KIND];
	u32 via = ctx->args[LT_AGAIN_VIA];
	struct lt_walk *w = bpf_map_lookup_elem(&walk_scratch, &zero);
	struct lt_event_stack *out = bpf_map_lookup_elem(&walked_again, &zero);

	if (!w || !out)
		return 0;
	w->copy = ctx->args[LT_AGAIN_COPY];
	w->copy_base = ctx->args[LT_AGAIN_BASE];
	w->copy_size = ctx->args[LT_AGAIN_SIZE];
	w->copy_present = ctx->args[LT_AGAIN_PRESENT];
	w->tgid = ctx->args[LT_AGAIN_TABLE];
	w->generation = ctx->args[LT_AGAIN_GENERATION];
	lt_forget_steps(w); /* each copy has mappings of its own */
	lt_walk_from(w, ctx->args[LT_AGAIN_RIP], ctx->args[LT_AGAIN_RSP], ctx->args[LT_AGAIN_RBP], 1,
		     lt_stack_seed(tgid, kind, via));
	lt_walk_on(w, ctx->args[LT_AGAIN_RSP]);
	bpf_probe_read_kernel(out, sizeof(*out), &w->out);
	out->head.type = LT_EVENT_STACK;
	out->head.tgid = tgid;
	out->id = lt_walk_id(w);
	out->kind = kind;
	out->via = via;
	if (w->late)
		out->n = 0;
	return 0;
}

/* Which file leaktrace itself has mapped at an address: nothing but the kernel's own answer can be held
 * against what walks meet. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct lt_file_key);
} identified SEC(".maps");

SEC("raw_tp")
int identify(struct bpf_raw_tracepoint_args *ctx)
{
	struct lt_file_key *out;
	struct lt_walk *w;
	u32 zero = 0;

	w = bpf_map_lookup_elem(&walk_scratch, &zero);
	out = bpf_map_lookup_elem(&identified, &zero);
	if (!w || !out || lt_vma_find(&w->vma, ctx->args[0]) == LT_NOT_KNOWN)
		return 1;
	*out = w->vma.seen.file;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
