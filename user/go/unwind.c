// SPDX-License-Identifier: Apache-2.0
/*
 * Stacks of goroutines, as the runtime's own traceback.go walks them: by the size of each frame at
 * each address, from the table of functions. Frame pointers would not do: releases before 1.23 do
 * not save them in system calls.
 */
#include <errno.h>
#include <string.h>
#include "go/goroutine.h"

#define WINDOW	   65536 /* bytes of a deep stack that are read at a time */
#define CACHE_MAX  (1U << 17)
#define FRAME_SIZE 0x7fffffffULL

/* What is known of a frame at an address, in a word: its size, and these. */
#define FRAME_KNOWN    (1ULL << 32)
#define FRAME_TOP      (1ULL << 33) /* the outermost */
#define FRAME_SWITCHES (1ULL << 34) /* sets the stack pointer: only the innermost is followed */

struct walk {
	const struct go_runtime *rt;
	struct go_stack stack;
	uint8_t *window; /* what is read beyond the stack's first bytes */
};

static uint64_t frame_find(const struct go_runtime *rt, uint64_t pc)
{
	const uint64_t vaddr = pc - rt->bias;
	struct go_function f;
	uint64_t frame = 0;
	int32_t size;

	if (!gopclntab_at(&rt->table, vaddr, &f))
		return 0;
	if (f.flags & GO_FUNC_TOP)
		frame |= FRAME_TOP | FRAME_KNOWN;
	/* the exception is arranged for: both stacks can be followed through it */
	if (f.flags & GO_FUNC_SP_WRITE && !gopclntab_is_named(&f, "runtime.cgocallback"))
		frame |= FRAME_SWITCHES;
	if (!f.pcsp)
		return frame;
	size = gopclntab_value(&rt->table, &f, f.pcsp, vaddr);
	if (size >= 0 && !(size & 7))
		frame |= FRAME_KNOWN | (uint64_t)size;
	return frame;
}

static int frame_at(struct go_runtime *rt, uint64_t pc, uint64_t *ret)
{
	const uint64_t *known = hashmap_get(&rt->frames, pc);

	if (known) {
		*ret = *known;
		return 0;
	}
	*ret = frame_find(rt, pc);
	if (rt->frames.n >= CACHE_MAX) /* of torn stacks: no program has as many places that call */
		hashmap_deinit(&rt->frames);
	return hashmap_put(&rt->frames, pc, *ret);
}

/* Reads on where the bytes at hand end. */
static int walk_refill(struct walk *w, uint64_t at)
{
	const uint64_t left = w->stack.end - at;

	if (!w->window)
		w->window = malloc(WINDOW);
	if (!w->window)
		return -ENOMEM;
	w->stack.at = at;
	w->stack.bytes = w->window;
	w->stack.size = left < WINDOW ? left : WINDOW;
	return memory_read(&w->rt->memory, at, w->window, w->stack.size) ? -EFAULT : 0;
}

static int walk_word(struct walk *w, uint64_t at, uint64_t *ret)
{
	int r = 0;

	if (at >= w->stack.end || w->stack.end - at < 8)
		return -EFAULT;
	if (at < w->stack.at || at - w->stack.at + 8 > w->stack.size)
		r = walk_refill(w, at);
	if (!r)
		memcpy(ret, w->stack.bytes + (at - w->stack.at), sizeof(*ret));
	return r;
}

static int push(struct goroutine_list *l, uint64_t pc, uint64_t arguments)
{
	int r = vec_push(&l->pcs, pc);

	return r ? r : vec_push(&l->arguments, arguments);
}

static int walk(struct go_runtime *rt, struct walk *w, uint64_t pc, uint64_t sp,
		struct goroutine_list *l, bool *ret_complete)
{
	uint64_t frame;
	int r = 0;

	for (unsigned int depth = 0; !r && depth < GO_DEPTH_MAX; depth++) {
		r = frame_at(rt, pc, &frame);
		if (r || (!frame && depth))
			break;
		sp += (frame & FRAME_SIZE) + 8;
		r = push(l, pc, sp);
		*ret_complete = frame & FRAME_TOP;
		if (r || frame & FRAME_TOP || !(frame & FRAME_KNOWN) ||
		    (frame & FRAME_SWITCHES && depth))
			break;
		r = walk_word(w, sp - 8, &pc);
	}
	return r == -EFAULT ? 0 : r;
}

int go_unwind(struct go_runtime *rt, struct go_stack stack, uint64_t pc, uint64_t sp,
	      struct goroutine_list *l, bool *ret_complete)
{
	struct walk w = { .rt = rt, .stack = stack };
	int r;

	*ret_complete = false;
	r = walk(rt, &w, pc, sp, l, ret_complete);
	free(w.window);
	return r;
}
