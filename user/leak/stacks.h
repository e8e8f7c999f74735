/* SPDX-License-Identifier: Apache-2.0 */
/* Every stack seen so far, under the id that BPF gave it. Stacks are kept as long as their process is: each is
 * some hundred bytes, and a program has thousands, not millions. */
#pragma once
#include <leaktrace/books.h>
#include <leaktrace/counters.h>
#include "base/hashmap.h"
#include "base/vec.h"

/* A frame of Python code. */
struct python_frame {
	uint64_t code, instr;	     /* addresses of the code object, and of the instruction in it */
	bool entry;		     /* C has called it, not other Python code */
	const char *function, *file; /* NULL: it could not be read. Whoever has named it owns them */
	unsigned int line;	     /* 0: not known */
	uint64_t offset;	     /* of the instruction in the code object */
	unsigned int repeats, cycle; /* the `cycle` frames that end with this one are there so many more times */
};

/* Where the goroutines of a stack stand now, and in what state. */
struct stack_place {
	const char *state; /* in the words of Go's runtime; NULL: there is no such place */
	uint64_t *frames;  /* leaf first */
	uint16_t n;
	bool complete, leaked; /* leaked: nothing can ever wake them */
};

/* What a stack holds by somebody else's count. */
struct held_sum {
	struct lt_totals totals; /* since tracing began */
	uint64_t count, amount;	 /* held now */
	uint64_t before, before_amount; /* of those, since before tracing */
};

/* What processes that have ended had, by a stack of the group that they are in: leak/ended.h. */
struct stack_ended {
	struct held_sum sum;
	uint64_t oldest_ns, youngest_ns;
	uint64_t processes; /* 0: it is no such stack */
};

struct stack {
	uint64_t id;
	uint32_t tgid;
	uint8_t kind, via, stop; /* enum lt_kind, index of the function's name, enum lt_stop */
	uint16_t n, fp_frames;
	uint32_t ids; /* so many lead to it */
	bool looked_at;	/* whether it is `internal` has been found out */
	bool internal;	/* another kind tells of its holdings: what Go's runtime maps is its heap's */
	uint16_t logical; /* so many of the first frames are of single calls: of several at one address
			     each has one of its own */
	bool jit_asked;	/* of its JIT's code, should it have any, names have been asked for */
	const char **jit; /* for each frame what it was called, of a JIT's code; NULL: not known. Whoever has
			     named it owns the strings. NULL: of none is it known */
	uint64_t *frames; /* leaf first; LT_FRAME_MODULE(), LT_FRAME_OFFSET(); recursion is folded: recursion.h */
	struct python_frame *python; /* leaf first */
	unsigned int n_python;
	uint32_t python_module; /* the interpreter's */
	struct stack_place place;

	/* of mappings and goroutines, which are booked in user space; the rest is booked in BPF */
	struct lt_totals ranges;
	struct stack_ended ended;

	/* as of the last snapshot */
	struct lt_totals totals;	/* blocks and mappings together */
	uint64_t held, held_amount;	/* outstanding for at least the age asked for */
	uint64_t before, before_amount; /* of those, held since before tracing */
	uint64_t oldest_ns, youngest_ns; /* times of acquisition of the others; 0: not known */
};

struct stack_table {
	VEC_OF(struct stack);
	struct hashmap by_id; /* -> index */
};

/* Adds the stack unless it is known. 0, -EBADMSG for an event that makes no sense, or -ENOMEM. */
int stack_table_add(struct stack_table *t, const struct lt_event_stack *e, size_t size);
/* Adds a stack that user space has put together, unless there is one with the same id; `s->frames` and
 * `s->place.frames` are copied, the first with recursion folded. Returns it, valid until the next add or merge; NULL: no memory. */
struct stack *stack_table_put(struct stack_table *t, const struct stack *s);
/* Where somebody is who goes through a stack's Python frames; begins with 0. */
struct python_at {
	unsigned int i, turn;
};
/* The next one, each as often as it is there; NULL behind the last. `ret_entry`: C has called it. */
const struct python_frame *stack_python_next(const struct stack *s, struct python_at *at, bool *ret_entry);
/* Puts the Python frames of the stack `s` into the event of the same stack, walked again, as BPF would
 * have done. */
void stack_python_again(const struct stack *s, struct lt_event_stack *e);
/* The id that stacks of the same frames have in common, whatever the JIT's epoch (lt_stack_epoch()) is: that of
 * epoch 0. `epoch`: the present one, `*ret_epoch`: the stack's. 0: it cannot be told. */
uint64_t stack_common_id(const struct stack *s, uint32_t epoch, uint32_t *ret_epoch);
/* The stack `from` turns out to be the same as `to`, which need not be known: from here on either id
 * leads to one stack. 0 or -ENOMEM. */
int stack_table_merge(struct stack_table *t, uint64_t from, uint64_t to);
/* Moves what the stack is made of into a new one with another id and process, unless there is one with that id; `s` is
 * left without frames. Returns the other, valid until the next add or merge; NULL: no memory. */
struct stack *stack_table_move(struct stack_table *t, struct stack *s, uint64_t id, uint32_t tgid);
/* NULL when it is not known; valid until the next add or merge. */
struct stack *stack_table_get(const struct stack_table *t, uint64_t id);
/* Takes out the stacks of these processes (pid -> anything); all of their ids are added to `ret_ids`. `at`: an
 * index, or the end, which is changed to where the same stack is now, or the one behind it. 0 or -ENOMEM: nothing
 * has changed then. */
int stack_table_remove(struct stack_table *t, const struct hashmap *pids, struct hashmap *ret_ids, size_t *at);
void stack_table_deinit(struct stack_table *t);
