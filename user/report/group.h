/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is one stack in the report. The books keep the stacks of each process apart; people are told of code, so
 * the same code in several processes is one stack there, with the sums of all.
 *
 * The same is what was acquired by the same function, as the same kind, through the same frames: of the same
 * modules, the same lines of Python, goroutines in the same place. Only stacks that are whole, and all of whose
 * frames are in modules that are known, can be the same: an address of a process says nothing about another one.
 */
#pragma once
#include <stdbool.h>
#include "leak/books.h"
#include "proc/modules.h"

/* Modules with the same build id have the same code, whichever file they are in. */
struct same_modules {
	uint32_t *same; /* by module id: the first that is the same */
	size_t n;	/* ids */
};

/* 0 or -ENOMEM. */
int same_modules_make(const struct module_table *modules, struct same_modules *ret);
void same_modules_deinit(struct same_modules *m);

struct stack_group {
	struct stack **stacks; /* by process */
	size_t n;
	/* what stacks are put in order by: of all */
	uint64_t held, held_amount;
	uint64_t oldest_ns; /* 0: not known of all that hold something */
};

/* Those with something outstanding. */
struct stack_groups {
	struct stack_group *items;
	size_t n;
};

/*
 * Groups `stacks`, all of one kind, and puts them in the order of their groups, which point into them; `modules`:
 * NULL: each is a group of its own. Stacks of one process are put together only with those of others. 0 or
 * -ENOMEM; the caller frees ret->items.
 */
int stack_groups_make(struct stack **stacks, size_t n, const struct same_modules *modules,
		      struct stack_groups *ret);

/* What the stacks of a group have in all. */
struct stack_sum {
	struct lt_totals totals;
	uint64_t held, held_amount, before, before_amount;
	uint64_t oldest_ns, youngest_ns; /* as in struct stack; 0 when they are not known of all */
};

void stack_group_sum(const struct stack_group *g, struct stack_sum *ret);
