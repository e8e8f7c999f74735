/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where a process keeps what its threads run of Python code: a row for each such process, written by
 * user space (user/sym/python_layout.c), for bpf/python.bpf.h to follow.
 *
 *   interpreters -> interpreter -> thread (thread_id: its fs base) -> frame -> previous frame ...
 */
#pragma once
#include "leaktrace/types.h"

#define LT_PYTHON_FRAMES       64   /* that are recorded; recursion is folded, as LT_LEFT_OUT() has it, ... */
#define LT_PYTHON_DEPTH	       2048 /* ... of so many */
#define LT_PYTHON_WORDS	       2    /* of a frame; behind LT_LEFT_OUT() is one more, of no frames */
#define LT_PYTHON_FOLD_FROM    80   /* words among which it is looked for first */
#define LT_PYTHON_THREADS      256 /* of an interpreter, that are looked through */
#define LT_PYTHON_INTERPRETERS 4
/* Set in an instruction's address, which is even: C code lies between the frame before and this one. */
#define LT_PYTHON_AFTER_C      1ULL

/* What is read of a structure at a time; the offsets of its fields lie in it. */
#define LT_PYTHON_THREAD_BYTES 256
#define LT_PYTHON_FRAME_BYTES  80

#define LT_PYTHON_NO_CFRAME 0xffff

struct lt_python {
	__u64 interpreters; /* address of the pointer to the first one */
	__u32 interpreter_next, interpreter_threads;
	__u16 thread_next, thread_id, thread_frame;
	__u16 cframe_frame; /* in what thread_frame points to; LT_PYTHON_NO_CFRAME: that is the frame */
	__u16 frame_code, frame_previous, frame_instr;
	__u16 frame_entry; /* offset of a byte: */
	__u8 entry;	   /* its value in a frame that C has called */
	__u8 entry_apart;  /* ... or in a frame without code that follows it */
	__u16 reserved;
	__u32 reserved2;
};
LT_ASSERT_SIZE(struct lt_python, 40);
