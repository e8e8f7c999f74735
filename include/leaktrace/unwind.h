/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The unwind tables that user space prepares and the BPF unwinder reads.
 *
 *   processes[tgid] -> sorted executable mappings {start, end, bias, first page, module}, as of one
 *     generation of the process's mappings
 *   files[file] -> module and first page, for mappings that the kernel is asked for
 *   pages[first page + (vaddr >> 16)] -> where the rows of that 64 KiB of text are
 *   chunks[chunk].rows[] -> low 16 bits of the row's start | rule id << 16, sorted
 *   rules[rule id] -> how to find the caller's frame
 *
 * A page starts with a row for its first byte, so a search never leaves its page.
 */
#pragma once
#include "leaktrace/types.h"

#define LT_MAX_FRAMES	 256 /* that are recorded; a recursion is folded: LT_LEFT_OUT() */
#define LT_MAX_MAPPINGS	 2048
#define LT_FEW_MAPPINGS	 256
#define LT_CHUNK_ROWS	 65536
#define LT_MAX_CHUNKS	 1024
#define LT_MAX_PAGES	 262144 /* of 64 KiB: 16 GiB of text */
#define LT_MAX_RULES	 65536
#define LT_PAGE_SHIFT	 16

/* How to get the caller's CFA (the value of rsp before its call pushed the return address). */
enum lt_cfa {
	LT_CFA_NONE,	  /* not covered by any FDE */
	LT_CFA_RSP,	  /* rsp + offset */
	LT_CFA_RBP,	  /* rbp + offset */
	LT_CFA_SWITCH,	  /* the same, on another stack: it may lie anywhere */
	LT_CFA_PLT,	  /* rsp + 8, and 8 more when (rip & 15) >= offset: a lazy-binding stub */
	LT_CFA_DEREF_RSP, /* *(rsp + low 16 bits of offset) + high 16 bits */
	LT_CFA_DEREF_RBP, /* *(rbp + low 16 bits) + high 16 bits (DRAP: realigned stacks) */
	LT_CFA_R10,	  /* r10 + offset, while a stack is being realigned: no call lies there */
	LT_CFA_SIGNAL,	  /* registers are in the rt_sigframe at rsp */
	LT_CFA_STOP,	  /* the outermost frame: the return address is marked undefined */
	LT_CFA_UNSUPPORTED,
};

enum lt_rbp {
	LT_RBP_SAME,
	LT_RBP_CFA,	  /* saved at CFA + rbp_offset */
	LT_RBP_DEREF_RBP, /* saved at rbp + rbp_offset */
	LT_RBP_UNKNOWN,
};

/* The return address is always at CFA - 8; anything else is LT_CFA_UNSUPPORTED. */
struct lt_rule {
	__u8 cfa, rbp;
	__s16 rbp_offset;
	__s32 cfa_offset;
};
LT_ASSERT_SIZE(struct lt_rule, 8);
#define LT_RULE_NONE 0 /* the id of the one that says LT_CFA_NONE */

struct lt_mapping {
	__u64 start, end;
	__u64 bias;	 /* address in the process - address in the ELF file */
	__u32 page_base; /* index into pages[] of vaddr 0 (modulo 2^32) */
	__u32 module;	 /* 0: none (JIT code): frame pointers, raw addresses */
};
LT_ASSERT_SIZE(struct lt_mapping, 32);
/* The page_base of a mapping of a file that cannot be read: its code is a stranger's, not a JIT's. */
#define LT_PAGES_UNREADABLE 0xffffffffU

/* A file as the kernel knows it, also on file systems that tell user space other numbers. One that has
 * been written to, and another one of the same number, are other files. */
struct lt_file_key {
	__u64 inode, size, mtime_ns;
	__u32 dev, generation;
};
LT_ASSERT_SIZE(struct lt_file_key, 32);
#define LT_DEV_VDSO 0xffffffffU /* with nothing else in the key: the vdso, which is no file */

#define LT_FILE_SEGMENTS 4
#define LT_PAGE_BYTES	 4096ULL

enum lt_file_state {
	LT_FILE_ASKED,	    /* BPF has met it and told user space */
	LT_FILE_UNREADABLE,
	LT_FILE_PLAIN,	    /* no module: a JIT's code */
	LT_FILE_MODULE,
};

/* What is known of a file with code: where in it the code of which addresses is. */
struct lt_file {
	__u32 state, module, page_base;
	__u32 n_segments;
	struct lt_file_segment {
		__u64 offset, end; /* in the file; the first page as a whole */
		__u64 delta;	   /* address in the ELF file - offset */
	} segments[LT_FILE_SEGMENTS];
};
LT_ASSERT_SIZE(struct lt_file, 16 + 24 * LT_FILE_SEGMENTS);

/* A mapping with code as the kernel has it. `file` is 0: of no file. */
struct lt_seen_mapping {
	__u64 start, end, offset;
	struct lt_file_key file;
};

/* What the mapping is when its file is this. 0, or -1: nothing is known of that part of the file. */
static inline int lt_file_mapping(const struct lt_file *f, const struct lt_seen_mapping *seen,
				  struct lt_mapping *ret)
{
	ret->start = seen->start;
	ret->end = seen->end;
	ret->bias = 0;
	ret->module = 0;
	ret->page_base = f->state == LT_FILE_UNREADABLE ? LT_PAGES_UNREADABLE : 0;
	if (f->state != LT_FILE_MODULE)
		return f->state == LT_FILE_ASKED ? -1 : 0;
	for (int i = 0; i < LT_FILE_SEGMENTS; i++) {
		const struct lt_file_segment *s = &f->segments[i];

		if (seen->offset < s->offset || seen->offset >= s->end)
			continue;
		ret->bias = seen->start - seen->offset - s->delta;
		ret->module = f->module;
		ret->page_base = f->page_base;
		return 0;
	}
	return -1;
}

/*
 * A frame: a flag, the module's id and the address within its ELF file; or, outside of any module
 * (module 0), the plain address. The byte before a frame's address is always one of the code that
 * was running: it is a return address, or lies one byte behind where a signal has interrupted.
 */
#define LT_FRAME_IN_MODULE     (1ULL << 63)
/* With a plain address: nothing is known of the code there, not even that it is a JIT's. */
#define LT_FRAME_UNKNOWN       (1ULL << 62)
#define LT_OFFSET_BITS	       40
#define LT_MODULE_BITS	       23
/*
 * The kernel's frames come before those of the process, as plain addresses: all of its code lies in
 * the topmost 2 GiB, so the module that an address there names is this one.
 */
#define LT_MODULE_KERNEL       ((1U << LT_MODULE_BITS) - 1)
#define LT_MAX_KERNEL_FRAMES   64
#define LT_FRAME(module, addr) (LT_FRAME_IN_MODULE | (__u64)(module) << LT_OFFSET_BITS | (addr))
#define LT_FRAME_MODULE(f)                                                                         \
	((f) & LT_FRAME_IN_MODULE ? (__u32)((f) >> LT_OFFSET_BITS) & ((1U << LT_MODULE_BITS) - 1) : 0)
#define LT_FRAME_OFFSET(f)                                                                         \
	((f) & LT_FRAME_IN_MODULE ? (f) & ((1ULL << LT_OFFSET_BITS) - 1) : (f) & ~LT_FRAME_UNKNOWN)
#define LT_FRAME_IS_UNKNOWN(f) (!((f) & LT_FRAME_IN_MODULE) && (f) & LT_FRAME_UNKNOWN)

#define LT_FRAME_IS_KERNEL(f) (LT_FRAME_MODULE(f) == LT_MODULE_KERNEL)

/*
 * A recursion in place of its frames, where these were too many: so many frames have been left out here. They
 * are those of a cycle of `period` frames that goes on behind this word, for one turn at least.
 */
#define LT_FRAME_LEFT_OUT      (1ULL << 61) /* and none of the flags above */
#define LT_LEFT_OUT(period, n) (LT_FRAME_LEFT_OUT | (__u64)(period) << 32 | (n))
#define LT_IS_LEFT_OUT(f)      ((f) >> 61 == 1)
#define LT_LEFT_OUT_PERIOD(f)  ((__u32)((f) >> 32) & 0xff)
#define LT_LEFT_OUT_FRAMES(f)  ((__u32)(f))

#define LT_CYCLE_MAX	 6     /* functions that call each other in turn */
#define LT_CYCLE_FRAMES	 60    /* frames that must be of a cycle: a multiple of every length of one */
#define LT_FOLD_FROM	 128   /* recorded frames among which a recursion is looked for first */
#define LT_FOLD_EVERY	 32    /* ... and after how many more again */
#define LT_MAX_LEFT_OUT	 16384 /* frames of a stack */

/* The id of a stack, frame by frame, those that are left out among them. Multiply and fold, as in wyhash: cheap, and every bit of the frame
 * reaches the top half. */
static inline __u64 lt_hash_frame(__u64 hash, __u64 frame)
{
	hash = (hash ^ frame) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 29;
}
