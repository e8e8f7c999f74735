// SPDX-License-Identifier: GPL-2.0
/*
 * Walks the stack as leaktrace does when an allocation has returned, and copies it: so that user
 * space can compare the walk with what another unwinder makes of the copy.
 */
#include "memo.bpf.h"
#include "sample.h"

const volatile u32 every = 1; /* samples one allocation in so many */
u64 seen, lost;

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct lt_walk);
} walks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20); /* what waits there was taken with the mappings of before */
} samples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} no_programs SEC(".maps");

static __always_inline void copy_regs(u64 *to, const struct pt_regs *ctx)
{
	to[0] = ctx->rax;
	to[1] = ctx->rdx;
	to[2] = ctx->rcx;
	to[3] = ctx->rbx;
	to[4] = ctx->rsi;
	to[5] = ctx->rdi;
	to[6] = ctx->rbp;
	to[7] = ctx->rsp;
	to[8] = ctx->r8;
	to[9] = ctx->r9;
	to[10] = ctx->r10;
	to[11] = ctx->r11;
	to[12] = ctx->r12;
	to[13] = ctx->r13;
	to[14] = ctx->r14;
	to[15] = ctx->r15;
	to[16] = ctx->rip;
}

/* The walk, and what would have been made of it from memory. */
static __always_inline void walk(struct lt_walk *w, struct sample *s, u32 tgid, struct pt_regs *ctx)
{
	u64 hash;
	u32 n;

	lt_walk_begin(w, tgid, ctx->rip, ctx->rsp, ctx->rbp, 1, 0);
	s->recalled = lt_memo_recall(w);
	hash = w->hash;
	n = w->out.n;
	lt_walk_stack(w, tgid, ctx->rip, ctx->rsp, ctx->rbp, 1, 0);
	lt_memo_keep(w, ctx->rip, ctx->rsp, ctx->rbp);
	s->misremembered = s->recalled && (hash != w->hash || n != w->out.n || w->out.stop);
}

static __always_inline void copy_stack(struct sample *s, u64 sp)
{
	s->base = sp & ~LT_PAGE_MASK;
	s->pages = 0;
	for (int i = 0; i < SAMPLE_PAGES; i++) {
		if (lt_read_user(&s->stack[i * SAMPLE_PAGE], SAMPLE_PAGE, s->base + i * SAMPLE_PAGE))
			break;
		s->pages++;
	}
}

SEC("uretprobe")
int sample(struct pt_regs *ctx)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct lt_walk *w;
	struct sample *s;

	if (!every) /* never: a tail call keeps the stack from being the processor's (uprobe.bpf.h) */
		bpf_tail_call(ctx, &no_programs, 0);
	if (__sync_fetch_and_add(&seen, 1) % every)
		return 0;
	w = bpf_task_storage_get(&walks, bpf_get_current_task_btf(), 0,
				 BPF_LOCAL_STORAGE_GET_F_CREATE);
	s = w ? bpf_ringbuf_reserve(&samples, sizeof(*s), 0) : 0;
	if (!s) {
		__sync_fetch_and_add(&lost, 1);
		return 0;
	}
	walk(w, s, tgid, ctx);
	s->tid = (u32)bpf_get_current_pid_tgid();
	s->n = w->out.n;
	s->stop = w->out.stop;
	s->late = w->late;
	s->fp_frames = w->out.fp_frames;
	bpf_probe_read_kernel(s->frames, sizeof(s->frames), w->out.frames);
	copy_regs(s->regs, ctx);
	copy_stack(s, ctx->rsp);
	bpf_ringbuf_submit(s, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
