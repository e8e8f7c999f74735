/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goroutines and the heap of a Go process. They are not traced but read from its memory, now and then:
 * what the books have of them is as of the last reading, and what came and went between two readings
 * was not seen. A process that has ended keeps what was read last.
 */
#pragma once
#include "base/err.h"
#include "go/goroutine.h"
#include "go/heap.h"
#include "go/heap_rate.h"
#include "kind/kind.h"
#include "leak/books.h"
#include "probe/object.h"
#include "proc/modules.h"
#include "runtime/go/heap_probes.h"
#include "runtime/go/judges.h"
#include "runtime/go/net.h"

/* What is remembered of a goroutine from one reading to the next. */
struct go_seen {
	uint64_t id, stack; /* stack: the id of the group that it was in */
	uint64_t first_ns;  /* when it was first seen, CLOCK_MONOTONIC; 0: before tracing */
	uint64_t since_ns;  /* since when it has been as it is now */
	uint64_t sp;
	const char *state;
	pid_t tid;
	uint8_t switches, status;
};

struct go_seen_vec {
	VEC_OF(struct go_seen); /* by id */
};

struct go_heap_sum {
	double objects, bytes;
};

/* What a stack has allocated since the program began, and what of it is in use. */
struct go_heap_stack {
	uint64_t stack; /* its id */
	struct go_heap_sum acquired, held;
};

struct go_heap_stacks {
	VEC_OF(struct go_heap_stack); /* by stack */
};

struct golang {
	struct go_runtime *runtime; /* NULL: none that could be read, or not yet */
	struct go_net *net;	    /* who makes goroutines; NULL: not followed */
	struct err refused;	    /* why not; "": it is no Go program */
	pid_t pid;
	uint32_t kinds;
	uint32_t module; /* what the runtime is part of */
	uint8_t via_go, via_heap;
	bool begun; /* there was a first reading */
	struct go_seen_vec seen;
	struct go_judge *judge;	      /* of its goroutines; NULL: none */
	struct err not_judged;	      /* why they could not be judged; "": they were */
	struct go_leak_summary judged; /* as of the last report */
	uint64_t judged_ns;	      /* when that was; 0: never */
	struct go_heap heap;
	struct go_heap_stacks heap_now, heap_base; /* base: as tracing began */
	bool heap_begun;
	struct go_heap_probes *heap_probes; /* it is known by probes; NULL: by the program's profile */
	struct err heap_refused;	  /* why there are none; "": they are there or are not needed */
	struct go_heap_rate rate;	  /* what was written, to switch the profile on */
	bool heap_switched_on;		  /* it was */
	bool heap_over;			  /* what was read of it last is the last */
	int heap_not_off;		  /* a negative errno: it could not be switched off again */
	uint8_t via_before, via_unknown;  /* what is in no stack's name: GO_HEAP_SPANS */
	uint64_t read_ns, cost_ns; /* when the last reading was, and how long it took */
	uint64_t torn, unread;	   /* of its goroutines: see struct goroutine_list */
};

/*
 * Opens the runtime of the process. 0; -ENOENT: it is no Go program; -EOPNOTSUPP: it is one, but not
 * understood (`g->refused`); or another negative errno. To be tried again of one that has just started.
 */
int golang_open(struct golang *g, pid_t pid, uint32_t kinds, struct module_table *modules);
/* Has its goroutines judged; that this goes wrong is in the words on them. */
void golang_judge_by(struct golang *g, struct go_judges *judges, struct opener *opener);
/* How it is read. */
struct golang_reading {
	uint64_t now_ns; /* CLOCK_MONOTONIC */
	bool force;	 /* also when it is not due yet */
	bool only_heap;
	bool judge;	 /* be certain which goroutines are leaked, which reads all of the heap ... */
	const _Atomic uint64_t *until_ns; /* ... until then, as struct go_leak_limits has it */
	bool fresh;	 /* what is there the first time was not there before tracing */
};

/* 0 or a negative errno: nothing has changed then. */
int golang_read(struct golang *g, struct books *b, const struct golang_reading *how);
/* Probes the heap of a program that keeps no profile of it. What goes wrong is in the words on it. */
void golang_probe_heap(struct golang *g, const struct object *o, const struct module *m,
		       struct attachments *ret);
/* Switches the profile of a program on that keeps none, as go_heap_rate_begin() does. */
int golang_switch_heap_on(struct golang *g, struct undo_list *undo, struct err *e);
/* Nothing of the heap is read any more: what was switched on is switched off, and what is attached goes
 * to `ret`. */
void golang_end_heap(struct golang *g, struct attachments *ret);
/* Adds what was read last to the snapshot. */
void golang_snapshot(const struct golang *g, struct books_snapshot *s);
/* How the heap and the goroutines are known, in words. */
void golang_heap_words(const struct golang *g, char *buf, size_t size);
void golang_goroutine_words(const struct golang *g, char *buf, size_t size);
/* What was last read of a goroutine; false: nothing. */
bool golang_goroutine(const struct golang *g, uint64_t id, uint64_t now_ns, struct goroutine_state *ret);
/* The process runs another program: all its goroutines have ended. */
void golang_forget(struct golang *g, struct books *b);
void golang_deinit(struct golang *g);

/* -- for user/runtime/go/golang*.c ---------------------------------------------------------------- */

/* The frame at an address of the process. */
uint64_t golang_frame(const struct golang *g, uint64_t pc);
int golang_read_heap(struct golang *g, struct books *b, bool fresh);
void golang_snapshot_heap(const struct golang *g, struct books_snapshot *s);
