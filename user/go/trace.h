/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks of goroutines in functions and lines, as the runtime itself prints them: with inlined
 * calls, without what the compiler and the runtime put between (src/runtime/traceback.go).
 */
#pragma once
#include "go/goroutine.h"

/* A function at an address: it, or a call that is inlined there. */
struct go_place {
	const char *name; /* as in the table of functions */
	const char *file; /* NULL: unknown */
	unsigned int line;
	uint8_t id;
	bool inlined; /* into the next */
};

/* All at an address, the innermost call first. */
struct go_places {
	struct go_function function; /* of Go's table; .name is NULL when there is none */
	uint64_t vaddr;		     /* that was looked up, of the ELF file */
	size_t n;
	struct go_place items[];
};

/* Places by address. What is returned lasts until it is deinited. { .rt = ... } to start with. */
struct go_symbols {
	struct go_runtime *rt;
	struct hashmap known;
	struct arena places;
};

struct go_frame {
	const struct go_place *place;
	const struct go_places *at;
	size_t pc;  /* which of the goroutine's addresses it belongs to */
	bool shown; /* the runtime would print it */
};

struct go_trace {
	VEC_OF(struct go_frame);
};

/* `exact`: the code stood at `pc`, which is not a return address. NULL when out of memory. */
const struct go_places *go_symbols_at(struct go_symbols *s, uint64_t pc, bool exact);
void go_symbols_deinit(struct go_symbols *s);

/* The frames of a goroutine, the innermost first, in `ret`, whose old ones go. 0 or -ENOMEM. */
int go_trace_of(struct go_symbols *s, const struct goroutine_list *l, const struct goroutine *g,
		struct go_trace *ret);
/* Who created it, if that is shown: the line of the go statement; else NULL. */
const struct go_places *go_trace_creator(struct go_symbols *s, const struct goroutine *g);

struct strbuf;

/* What the arguments on a goroutine's stack are printed from; { 0 } to start with, to be used
 * again. */
struct go_arguments {
	struct go_stack stack; /* .size 0: the goroutine has run on, they are not known */
	uint8_t *bytes;
};

/* Reads them for a goroutine of the list. 0 or -ENOMEM. */
int go_arguments_read(const struct go_runtime *rt, const struct goroutine_list *l,
		      const struct goroutine *g, struct go_arguments *ret);
void go_arguments_deinit(struct go_arguments *a);
/* Adds the name as Go's profiles have it: without the types that a generic function is made for. */
void go_name_short(const char *name, struct strbuf *b);
/* The same as stack traces have it, which say "panic" for short. */
void go_name_print(const char *name, struct strbuf *b);
/*
 * Adds the words of a frame's arguments, as the runtime prints them: "0xc000012345, {0x1, 0x2}?,
 * ...". `f` is of a goroutine of the list, whose arguments were read. False, and nothing is added:
 * they are not known.
 */
bool go_arguments_print(const struct go_runtime *rt, const struct goroutine_list *l,
			const struct goroutine *g, const struct go_frame *f,
			const struct go_arguments *arguments, struct strbuf *b);
