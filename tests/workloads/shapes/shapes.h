/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths through functions of every shape, chosen at random but the same for the same seed. At the
 * end of each path is a leaf.
 */
#pragma once
#include <stdbool.h>

#define NOINLINE __attribute__((noinline))

/* A path that is being taken. */
struct path {
	unsigned long random;
	int depth; /* functions still to go through */
	bool once; /* the next callback goes on */
	bool may_signal, may_start_thread, may_switch_context; /* each at most once a path */
	bool other_stacks; /* allocated by the program: of contexts, or for signals */
	void (*leaf)(void);
};

typedef void shape_fn(struct path *p);

/* A module of generated functions. */
struct shapes {
	shape_fn *const *functions;
	unsigned int n;
	double (*compute)(double x);
};

/* Adds a module to choose from. */
void shapes_add(const struct shapes *s);
/* Takes path number `number`, of 1 to `depth` functions, down to `leaf`; `other_stacks`:
 * some lead through a stack that the program has allocated. */
void shapes_walk(unsigned long number, int depth, bool other_stacks, void (*leaf)(void));
/* Computes, in all modules, without allocating anything. */
void shapes_compute(void);

/* For the generated functions: go on, in one way or another. */
void shape_next(struct path *p);
void shape_signal(struct path *p);
void shape_thread(struct path *p);
void shape_context(struct path *p);
int shape_compare(const void *a, const void *b, void *path);
int shape_find(const void *key, const void *item);
