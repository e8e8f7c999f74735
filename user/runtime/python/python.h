/* SPDX-License-Identifier: Apache-2.0 */
/* Python in the traced processes: BPF is told where their interpreters keep frames, and the frames that
 * it sends are named at once, before the program frees what they point to. */
#pragma once
#include "leak/stacks.h"
#include "probe/unwind_tables.h"
#include "sym/python.h"

struct python_processes {
	const struct module_table *modules;
	const struct unwind_tables *tables;
	int map; /* of struct lt_python, by process; the descriptor stays the caller's */
	struct {
		VEC_OF(struct python_candidate);
	} candidates; /* by module id - 1 */
	struct {
		VEC_OF(struct python_process);
	} processes; /* with an interpreter in them */
	struct strpool strings;
};

struct python_candidate {
	bool read, is_python;
	struct python_module module;
};

struct python_process {
	pid_t pid;
	uint32_t module; /* the interpreter's */
	bool known;	 /* its frames are followed */
	bool refused;	 /* its version is not known */
	struct python python;
};

void python_processes_deinit(struct python_processes *all);
/* Looks for an interpreter in what the process has mapped now, as the tables say. 0 or -ENOMEM. */
int python_look(struct python_processes *all, pid_t pid);
/* The process runs another program, or has ended. */
void python_forget(struct python_processes *all, pid_t pid);
/* Names the frames of a stack that has just come. 0 or -ENOMEM. */
int python_name(struct python_processes *all, struct stack *s);
/* NULL: there is no interpreter in it. */
const struct python_process *python_process_of(const struct python_processes *all, pid_t pid);
