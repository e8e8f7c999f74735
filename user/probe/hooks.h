/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks in the kernel. Each can be attached in several ways, its rows, best first:
 *
 *   fentry        a trampoline at the kernel's function
 *   kprobe-multi  one link for many of its functions (kernel 5.18)
 *   kprobe        one perf event for each
 *   tracepoint    raw tracepoints; for descriptors those of all system calls, which every process on
 *                 the machine then passes through
 *
 * Kernels are built without some of them, or refuse them. So a row is tried, with a program that does
 * nothing, before the real programs are loaded. Where the kernel preempts programs (preempt.h), the
 * rows at which it does come last: events would be lost. Where there is no other row, a spare program is
 * attached besides the first: it sees what is passed over while the first has been preempted.
 *
 * To add a hook or a row: hook_table.c.
 */
#pragma once
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/vec.h"

#define HOOK_POINTS 8
#define HOOK_ROWS   4

struct hook_point {
	const char *program;  /* in bpf/ */
	const char *function; /* of the kernel, or the tracepoint */
	bool returns;	      /* at the function's return */
	bool spare;	      /* PROGRAM_spare: does what PROGRAM has missed; where the kernel preempts */
};

enum hook_way { HOOK_FENTRY, HOOK_KPROBE_MULTI, HOOK_KPROBE, HOOK_TRACEPOINT, HOOK_WAY_MAX };

struct hook_row {
	enum hook_way way;
	struct hook_point points[HOOK_POINTS]; /* those of one program one after the other */
};

struct hook {
	const char *name, *what; /* for `doctor` */
	uint32_t kinds;		 /* bits of enum lt_kind that need it; 0: always */
	bool all_syscalls_at_worst;
	bool optional; /* without it less is known, and that is told */
	struct hook_row rows[HOOK_ROWS];
	size_t n_rows;
};

/* All hooks, and how many. */
const struct hook *hooks_all(size_t *ret_n);
/* "fentry"; NULL when there is no such number. */
const char *hook_way_name(enum hook_way way);

#define HOOK_PREEMPTED (-EAGAIN) /* would work, but its programs are preempted: see preempt.h */

/* What became of the rows of one hook. */
struct hook_choice {
	const struct hook *hook;
	const struct hook_row *row; /* the chosen one; NULL: none works */
	bool spares;		    /* with its spare programs */
	int refused[HOOK_ROWS];	    /* why the others were not; 0: not asked for */
};

struct hook_choices {
	VEC_OF(struct hook_choice);
};

/*
 * Tries the rows of every hook that the kinds need. `only`: the name of a way, to be used by all hooks
 * that have it. 0; or -EOPNOTSUPP, when a hook has no row that works, with `ret` telling why; -ENOMEM.
 */
int hooks_choose(uint32_t kinds, const char *only, struct hook_choices *ret);
/* Whether every system call of the machine passes through us. */
bool hooks_on_all_syscalls(const struct hook_choices *c);
/* Why a choice came to nothing: what its last row was refused for, a negative errno. */
int hook_choice_refusal(const struct hook_choice *c);
void hook_choices_deinit(struct hook_choices *c);

/* Loads of the object's programs for hooks just those that were chosen. Before it is loaded. */
void hooks_prepare(const struct hook_choices *c, struct bpf_object *object);

struct hook_links {
	VEC_OF(struct bpf_link *);
};

/* Attaches them. 0 or a negative errno; `ret_failed`: the program's name. */
int hooks_attach(const struct hook_choices *c, struct bpf_object *object, struct hook_links *ret,
		 const char **ret_failed);
/*
 * How many hits of kprobes their links count as missed: from interrupts of other kprobes, and returns
 * while as many calls of the function as a kretprobe has room for had not returned. 0 before Linux 6.7.
 */
uint64_t hook_links_missed(const struct hook_links *l);
void hook_links_deinit(struct hook_links *l);
