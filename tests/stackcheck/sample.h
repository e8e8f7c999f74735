/* SPDX-License-Identifier: GPL-2.0 */
/* What sample.bpf.c hands to stack_oracle.c: a stack as the unwinder saw it, and the stack itself. */
#pragma once
#include "leaktrace/unwind.h"

#define SAMPLE_PAGE  4096
#define SAMPLE_PAGES 40 /* of stack */
#define SAMPLE_REGS  17 /* in the order of DWARF: 6 rbp, 7 rsp, 16 rip */

struct sample {
	__u32 tid;
	__u32 n, stop, fp_frames;
	__u32 recalled, misremembered; /* the walk was remembered; and was another one */
	__u32 late; /* leaktrace would walk it again when it has looked at the mappings */
	__u64 frames[LT_MAX_FRAMES];
	__u64 regs[SAMPLE_REGS];
	__u64 base;  /* address of `stack`: of the page that rsp points into */
	__u64 pages; /* of them that could be read */
	__u8 stack[SAMPLE_PAGES * SAMPLE_PAGE];
};
