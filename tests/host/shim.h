/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stands in for the kernel when bpf/unwind.bpf.h is compiled natively (LT_HOST): the helpers and
 * macros that it uses, over the struct host below. Tests set that up: whose memory is read, which
 * tables there are, which return probes are pending.
 */
#pragma once
#include <asm/ptrace.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#undef __always_inline
#undef __noinline
#undef __weak
#define __always_inline	   inline __attribute__((always_inline))
#define __noinline	   __attribute__((noinline))
#define __weak		   __attribute__((weak))
#define SEC(name)
#define barrier_var(var)	   __asm__ volatile("" : "+r"(var))
#define __uint(name, val)  int(*name)[val]
#define __type(name, val)  __typeof__(val) *name
#define __array(name, val) __typeof__(val) *name[]

/* bpf/core_types.h: what the unwinder looks at in the kernel */
struct xol_area {
	unsigned long vaddr;
};

struct uprobes_state {
	struct xol_area *xol_area;
};

struct mm_struct {
	struct uprobes_state uprobes_state;
};

struct return_instance {
	unsigned long stack;
	unsigned long orig_ret_vaddr;
	struct return_instance *next;
};

struct uprobe_task {
	struct return_instance *return_instances;
};

struct task_struct {
	struct mm_struct *mm;
	struct uprobe_task *utask;
};

/* A member, or 0 behind a null pointer, as the kernel's reads that fail give 0. */
#define HOST_READ_1(p, a)                                                                          \
	({                                                                                         \
		__auto_type _p = (p);                                                              \
		__typeof__(_p->a) _none = { 0 };                                                   \
		_p ? _p->a : _none;                                                                \
	})
#define HOST_READ_2(p, a, b)                                                                       \
	({                                                                                         \
		__auto_type _first = (p);                                                          \
		HOST_READ_1(_first ? _first->a : NULL, b);                                         \
	})
#define HOST_PICK(_1, _2, fn, ...) fn
#define BPF_CORE_READ(p, ...) HOST_PICK(__VA_ARGS__, HOST_READ_2, HOST_READ_1, )(p, __VA_ARGS__)

/* libbpf has a function of this name too */
#define bpf_map_lookup_elem  host_map_lookup
#define bpf_probe_read_user  host_probe_read
#define bpf_get_current_task host_current_task
static void *host_map_lookup(const void *map, const void *key);
static long host_probe_read(void *to, __u32 size, const void *from);
static void *host_current_task(void);

struct lt_walk;
struct lt_memo;
int lt_walk_step(struct lt_walk *w);
int lt_walk_many(struct lt_walk *w);
int lt_is_cycle(const struct lt_walk *w, __u32 n, __u32 period);
int lt_fold(struct lt_walk *w);
int lt_forget_steps(struct lt_walk *w);
int lt_walk_in(struct lt_walk *w, __u32 tgid);
int lt_find_mapping(struct lt_walk *w, __u64 pc);
__u64 lt_original_return(__u64 ra, __u64 slot);
__u64 lt_memo_words(const struct lt_walk *w, struct lt_memo *m);
int lt_memo_recall(struct lt_walk *w);
int lt_memo_keep(struct lt_walk *w, __u64 pc, __u64 sp, __u64 rbp);
