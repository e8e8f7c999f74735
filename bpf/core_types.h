/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The few kernel types and fields that the programs touch. Offsets are relocated at load time
 * (CO-RE), so only names matter here; a field that a kernel lacks is asked for before use.
 */
#pragma once
#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <asm/ptrace.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct xol_area {
	unsigned long vaddr; /* its first slot is the uretprobe trampoline */
};

struct uprobes_state {
	struct xol_area *xol_area;
};

struct mm_struct {
	struct uprobes_state uprobes_state;
};

/* include/linux/uprobes.h */
struct return_instance {
	unsigned long stack;	      /* address of the hijacked return address */
	unsigned long orig_ret_vaddr; /* what stood there */
	struct return_instance *next;
};

struct uprobe_task {
	struct return_instance *return_instances;
};

struct signal_struct {
	int nr_threads;
};

struct task_struct {
	struct signal_struct *signal;
	struct mm_struct *mm;
	struct uprobe_task *utask;
	int pid, tgid;
};

#pragma clang attribute pop
