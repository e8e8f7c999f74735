/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stacks to test the unwinder on: those of this process, what libgcc's unwinder says of them, and
 * recordings of them to put faults into. Included once per program.
 */
#pragma once
#include <alloca.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unwind.h>
#include <cmocka.h>
#include "host.h"

#define DEPTH_MAX   1200
#define RECORD_MAX  (512 << 10) /* bytes of stack */
#define NOINLINE    __attribute__((noinline))
#define NOT_INLINED __asm__ volatile("" : : : "memory") /* nor a tail call */

struct regs {
	uint64_t pc, sp, rbp;
};

/* Registers and stack of a moment, and who was there. */
struct recording {
	struct regs regs;
	uint64_t words[RECORD_MAX / 8];
	size_t n_words;
	uint64_t truth[DEPTH_MAX];
	int depth;
};

struct fixture {
	struct lt_walk walk;
	struct lt_event_stack first;
	struct recording live, replayed;
	uint64_t restorer;
	bool reached[LT_STOP_MAX];
};

typedef void leaf_fn(void *arg);

static struct fixture fx;

/* The state right after this call. */
__attribute__((naked, noinline)) static void regs_get(struct regs *ret)
{
	__asm__("movq (%rsp), %rax\n\t"
		"movq %rax, (%rdi)\n\t"
		"leaq 8(%rsp), %rax\n\t"
		"movq %rax, 8(%rdi)\n\t"
		"movq %rbp, 16(%rdi)\n\t"
		"ret");
}

/* With what earlier walks remember. */
static struct lt_walk *walk_again(const struct regs *r)
{
	lt_walk_stack(&fx.walk, (uint32_t)getpid(), r->pc, r->sp, r->rbp, 1, 0);
	assert_in_range(fx.walk.out.stop, 0, LT_STOP_MAX - 1);
	assert_in_range(fx.walk.out.n, 0, LT_MAX_FRAMES);
	fx.reached[fx.walk.out.stop] = true;
	return &fx.walk;
}

/* As for the first time, and again, which must be the same. */
static struct lt_walk *walk(const struct regs *r)
{
	struct lt_event_stack *first = &fx.first;

	fx.walk.generation = 0;
	*first = walk_again(r)->out;
	walk_again(r);
	assert_int_equal(fx.walk.out.n, first->n);
	assert_memory_equal(fx.walk.out.frames, first->frames, first->n * sizeof(first->frames[0]));
	assert_int_equal(fx.walk.out.stop, first->stop);
	assert_int_equal(fx.walk.out.fp_frames, first->fp_frames);
	return &fx.walk;
}

/* The address that frame `i` stands for; what a signal interrupted is recorded one byte on. */
static uint64_t frame_address(const struct lt_walk *w, int i)
{
	bool interrupted = i && fx.restorer && host_address(w->out.frames[i - 1]) == fx.restorer;

	return host_address(w->out.frames[i]) - interrupted;
}

static int same_frames(const struct lt_walk *w, const uint64_t *truth, int from, int to)
{
	for (int i = from; i < to; i++) {
		if (frame_address(w, i) == truth[i])
			continue;
		print_message("frame %d is %#lx, not %#lx\n", i, frame_address(w, i), truth[i]);
		return i;
	}
	return to;
}

static void same_stack(const struct lt_walk *w, const uint64_t *truth, int depth)
{
	assert_int_equal(same_frames(w, truth, 0, depth < w->out.n ? depth : w->out.n),
			 depth < w->out.n ? depth : w->out.n);
	assert_int_equal(w->out.n, depth);
	assert_int_equal(w->out.stop, LT_STOP_NONE);
	assert_int_equal(w->unknown, 0);
	assert_false(w->late);
}

struct truth {
	uint64_t *frames;
	int n;
};

static _Unwind_Reason_Code truth_add(struct _Unwind_Context *context, void *arg)
{
	struct truth *t = arg;

	if (t->n == DEPTH_MAX || !_Unwind_GetIP(context))
		return _URC_END_OF_STACK;
	if (t->n >= 0) /* without truth_get() */
		t->frames[t->n] = _Unwind_GetIP(context);
	t->n++;
	return _URC_NO_REASON;
}

/* What backtrace(3) would say: that one is not itself under a sanitizer. */
static NOINLINE int truth_get(uint64_t *truth)
{
	struct truth t = { .frames = truth, .n = -1 };

	_Unwind_Backtrace(truth_add, &t);
	return t.n;
}

/* -- places to be called from -------------------------------------------------------------------- */

struct place {
	leaf_fn *leaf;
	void *arg;
	int depth;
};

/* At one of two places, in no cycle: a Thue-Morse sequence has none. */
static NOINLINE void place_recurse(struct place *p)
{
	size_t size = 32 + (size_t)(p->depth % 7) * 16;
	char *room = memset(alloca(size), p->depth, size);

	if (p->depth <= 0) {
		p->leaf(p->arg);
	} else if (__builtin_parity((unsigned int)p->depth--)) {
		place_recurse(p);
		__asm__ volatile("# here");
	} else {
		place_recurse(p);
		__asm__ volatile("# there");
	}
	__asm__ volatile("" : : "r"(room) : "memory");
}

static NOINLINE void at_depth(int depth, leaf_fn *leaf, void *arg)
{
	struct place p = { .leaf = leaf, .arg = arg, .depth = depth };

	place_recurse(&p);
	NOT_INLINED;
}

static struct place signal_place;

static void on_signal(int number)
{
	place_recurse(&signal_place);
	NOT_INLINED;
}

/* The C library's, where a handler returns to. */
static uint64_t restorer_get(void)
{
	struct {
		void *handler;
		unsigned long flags, restorer, mask;
	} action = { 0 };

	assert_int_equal(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &action, sizeof(action.mask)), 0);
	return action.restorer;
}

static void in_signal(leaf_fn *leaf, void *arg)
{
	struct sigaction action = { .sa_handler = on_signal }, before;

	signal_place = (struct place){ .leaf = leaf, .arg = arg, .depth = 3 };
	sigaction(SIGUSR1, &action, &before);
	fx.restorer = restorer_get();
	raise(SIGUSR1);
	sigaction(SIGUSR1, &before, NULL);
}

/* -- recorded stacks ------------------------------------------------------------------------------- */

static bool read_replayed(void *to, size_t size, uint64_t at)
{
	const struct recording *r = &fx.replayed;
	uint64_t off = at - r->regs.sp;

	if (off > r->n_words * 8 || size > r->n_words * 8 - off)
		return false;
	memcpy(to, (const char *)r->words + off, size);
	return true;
}

static NOINLINE void record_here(void *arg)
{
	struct recording *r = &fx.live;

	r->depth = truth_get(r->truth);
	regs_get(&r->regs);
	r->truth[0] = r->regs.pc; /* another call of the same function */
	r->n_words = host_copy_self(r->words, RECORD_MAX, r->regs.sp) / 8;
}

/* Records a stack; from here on the unwinder reads a copy of it that tests may spoil. */
static NOINLINE struct recording *record(int depth)
{
	host.read = host_read_self;
	at_depth(depth, record_here, NULL);
	fx.replayed = fx.live;
	host.read = read_replayed;
	return &fx.replayed;
}

/* -- setting up ----------------------------------------------------------------------------------- */

static int setup(void **state)
{
	return host_init();
}

static int teardown(void **state)
{
	host_deinit();
	return 0;
}

static int reset(void **state)
{
	host.read = host_read_self;
	host.task = (struct task_struct){ 0 };
	fx.walk.copy_size = 0;
	return unwind_tables_update(&host.tables, getpid(), NULL);
}

#define TEST(name) cmocka_unit_test_setup(name, reset)
