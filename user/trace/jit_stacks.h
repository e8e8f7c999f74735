/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the JIT's code in stacks was called when they were taken.
 *
 * A JIT writes down what it compiles, line by line, and puts other code later where some has become unused: so
 * names are asked for as soon as a stack has come in. And the map is looked at all the time. When it gives
 * another name to code that is known, a new epoch begins: BPF takes the stacks that it sees from then on for
 * other ones (lt_stack_epoch()), even where the same calls lead to them. Those that turn out to have the same
 * names in them are merged again.
 *
 * So a name is that of the time when the map was read, some 20 ms after the stack was taken.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/hashmap.h"
#include "base/vec.h"

struct tracer;

struct jit_stacks {
	uint32_t epoch;
	size_t scanned; /* index into books.stacks: those before it have been looked at */
	uint64_t scan_again_ns, looked_ns;
	size_t looked_at; /* how many processes have had their turn */
	pid_t helper; /* who has answered */
	struct {
		VEC_OF(uint64_t);
	} asked; /* ids of stacks */
	struct hashmap overridden; /* pid -> as in struct jit_answer */
};

/* To be called often: asks for what has come, and deals with answers. */
void jit_stacks_tick(struct tracer *t, uint64_t now_ns);
/* Before a report: waits for the names of all stacks, but not long. */
void jit_stacks_finish(struct tracer *t);
/* The process has ended. */
void jit_stacks_forget(struct tracer *t, pid_t pid);
void jit_stacks_deinit(struct jit_stacks *j);
