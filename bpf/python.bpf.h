/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The Python frames of the current thread, put behind the native ones of the stack that has just been
 * walked. That is for what is acquired by system calls: Python lets go of its lock around those, and
 * with it of the pointer to the thread's state, so that is looked for among all threads' and remembered.
 *
 * What is read may be changing or gone: then the frames are fewer or wrong, and user space, which reads
 * what they point to, takes none for one that it is not.
 */
#pragma once
#include "unwind.bpf.h"
#include "leaktrace/python.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LT_PROCESSES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, struct lt_python);
} pythons __weak SEC(".maps");

volatile __u32 follow_python __weak SEC(".data"); /* some process is in `pythons` */

#define LT_PYTHON_AT_ONCE 16
#define LT_PYTHON_FOUND	  1ULL

/* The word at `off` of what has been read into the window. */
static __always_inline u64 lt_python_word(const struct lt_walk *w, u32 off)
{
	return w->window[(off >> 3) & (LT_WINDOW - 1)];
}

/* Reads the state of a thread. Its id, or 0. */
static __always_inline u64 lt_python_read_thread(struct lt_walk *w, const struct lt_python *p, u64 thread)
{
	if (lt_read_user(w->window, LT_PYTHON_THREAD_BYTES, thread))
		return 0;
	return lt_python_word(w, p->thread_id);
}

/* Looks for the thread of this id from one on. Its address and LT_PYTHON_FOUND, when it is in the window,
 * or the address of one to go on with, or 0. */
__weak __noinline u64 lt_python_find_some(struct lt_walk *w, const struct lt_python *p, u64 thread, u64 id)
{
	if (!w || !p)
		return 0;
	for (int i = 0; i < LT_PYTHON_AT_ONCE && thread; i++) {
		if (lt_python_read_thread(w, p, thread) == id)
			return thread | LT_PYTHON_FOUND;
		thread = lt_python_word(w, p->thread_next) & ~LT_PYTHON_FOUND;
	}
	return thread;
}

/* The thread of this id, which is in the window then, among those of an interpreter; or 0. */
__weak __noinline u64 lt_python_find_thread(struct lt_walk *w, const struct lt_python *p, u64 interpreter,
					    u64 id)
{
	u64 thread;

	if (!w || !p || lt_read_user(&thread, sizeof(thread), interpreter + p->interpreter_threads))
		return 0;
	for (int i = 0; i < LT_PYTHON_THREADS / LT_PYTHON_AT_ONCE && thread; i++) {
		thread = lt_python_find_some(w, p, thread, id);
		if (thread & LT_PYTHON_FOUND)
			return thread & ~LT_PYTHON_FOUND;
	}
	return 0;
}

/* The same among those of all interpreters. */
static __always_inline u64 lt_python_search(struct lt_walk *w, const struct lt_python *p, u64 id)
{
	u64 interpreter, at = p->interpreters;

	for (int i = 0; i < LT_PYTHON_INTERPRETERS; i++) {
		u64 thread;

		if (lt_read_user(&interpreter, sizeof(interpreter), at) || !interpreter)
			break;
		thread = lt_python_find_thread(w, p, interpreter, id);
		if (thread)
			return thread;
		at = interpreter + p->interpreter_next;
	}
	return 0;
}

/* The frame that the current thread runs, or 0. */
static __always_inline u64 lt_python_current(struct lt_walk *w, const struct lt_python *p)
{
	u64 id, frame;

	w->window_size = 0;
	id = bpf_get_current_task_btf()->thread.fsbase;
	if (!id)
		return 0;
	if (!w->python || lt_python_read_thread(w, p, w->python) != id)
		w->python = lt_python_search(w, p, id);
	if (!w->python)
		return 0;
	frame = lt_python_word(w, p->thread_frame);
	if (p->cframe_frame != LT_PYTHON_NO_CFRAME && frame &&
	    lt_read_user(&frame, sizeof(frame), frame + p->cframe_frame))
		return 0;
	return frame;
}

static __always_inline void lt_python_push(struct lt_walk *w, u64 code, u64 instr)
{
	u32 at = w->out.n + 2U * w->out.n_python;

	if (at > LT_MAX_FRAMES - 2 || w->out.n_python >= LT_PYTHON_FRAMES)
		return;
	code &= ~LT_FRAME_LEFT_OUT; /* no address has it */
	w->out.frames[at & (LT_MAX_FRAMES - 1)] = code;
	w->out.frames[(at + 1) & (LT_MAX_FRAMES - 1)] = instr;
	w->out.n_python++;
	w->hash = lt_hash_frame(lt_hash_frame(w->hash, code), instr);
}

/*
 * Has the frame at `at` in the window. A thread's frames lie one above the other, but for those of
 * generators: so the window ends with this frame, and holds as many of those that called it as it can,
 * on the same page, which is known to be there.
 */
static __always_inline int lt_python_read_frame(struct lt_walk *w, u64 at)
{
	u64 off = at - w->window_at, start = at + LT_PYTHON_FRAME_BYTES - sizeof(w->window);
	u32 size;

	if (off < w->window_size && off + LT_PYTHON_FRAME_BYTES <= w->window_size)
		return 0;
	if (start < (at & ~LT_PAGE_MASK) || start > at)
		start = at & ~LT_PAGE_MASK;
	size = at + LT_PYTHON_FRAME_BYTES - start;
	barrier_var(size); /* or the verifier loses sight of the bound */
	if (size > sizeof(w->window))
		size = sizeof(w->window);
	w->window_size = 0;
	if (at & 7 || lt_read_user(w->window, size, start))
		return -1;
	w->window_at = start;
	w->window_size = size;
	return 0;
}

/* Adds a frame, and returns the one that has called it. Either has LT_PYTHON_AFTER_C set where C code
 * lies between it and the frame before. */
__weak __noinline u64 lt_python_frame(struct lt_walk *w, const struct lt_python *p, u64 frame)
{
	u64 after = frame & LT_PYTHON_AFTER_C, code, instr;
	bool entry;
	u32 at;

	frame -= after;
	if (!w || !p || !frame || lt_python_read_frame(w, frame))
		return 0;
	at = frame - w->window_at;
	code = lt_python_word(w, at + p->frame_code);
	instr = lt_python_word(w, at + p->frame_instr) & ~LT_PYTHON_AFTER_C;
	entry = (lt_python_word(w, at + p->frame_entry) >> 8 * (p->frame_entry & 7) & 0xff) == p->entry;
	if (!entry || !p->entry_apart)
		lt_python_push(w, code, w->out.n_python ? instr | after : instr);
	return (lt_python_word(w, at + p->frame_previous) & ~LT_PYTHON_AFTER_C) | entry;
}

/* Folds recursion, as lt_fold() does. Frames of generators lie anywhere, so nothing is said of where the walk is.
 * -1: there is no room. */
__weak __noinline int lt_python_fold(struct lt_walk *w)
{
	u32 first, n;

	if (!w)
		return -1;
	first = w->out.n;
	n = lt_fold_words(w, first + 2U * w->out.n_python, LT_PYTHON_WORDS, w->fold_at + 1);
	if (!n)
		return -1;
	w->out.n_python = (n - first) / LT_PYTHON_WORDS;
	return 0;
}

/* Adds some frames, and returns the next one. */
__weak __noinline u64 lt_python_some(struct lt_walk *w, const struct lt_python *p, u64 frame)
{
	if (!w || !p)
		return 0;
	for (int i = 0; i < LT_PYTHON_AT_ONCE && frame; i++) {
		if (w->out.n + 2U * w->out.n_python >= w->look_at && lt_python_fold(w))
			return 0;
		frame = lt_python_frame(w, p, frame);
	}
	return frame;
}

/* Adds those of the current thread. */
__weak __noinline int lt_python_frames(struct lt_walk *w, u32 tgid)
{
	struct lt_python *p = bpf_map_lookup_elem(&pythons, &tgid);
	u64 frame;

	if (!w || !p)
		return 0;
	frame = lt_python_current(w, p);
	w->look_at = w->out.n + LT_PYTHON_FOLD_FROM;
	w->left_out = 0;
	for (int i = 0; i < LT_PYTHON_DEPTH / LT_PYTHON_AT_ONCE && frame; i++)
		frame = lt_python_some(w, p, frame);
	return 0;
}

static __always_inline void lt_python_stack(struct lt_walk *w, u32 tgid)
{
	if (follow_python)
		lt_python_frames(w, tgid);
}
