/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of a trace: those that are traced, and those that have ended but are still told of.
 *
 * A process is known by its id together with the time when it began, as ids are given out again. Its struct
 * traced_process is its handle: that stays where it is, whoever else comes and goes.
 *
 *	add	a living process: from now on its id leads to it
 *	retire	it has ended: its id leads nowhere, or to the process that gets it next
 *	remove	nobody asks for it any more: the handle is given back
 *
 * While somebody goes through the table with process_foreach(), processes may be added (they are met at the end)
 * and retired, but none may be removed.
 */
#pragma once
#include <stddef.h>
#include <sys/types.h>
#include "base/hashmap.h"

struct traced_process;

struct process_table {
	struct traced_process *first, *last; /* in the order in which they were added */
	struct hashmap by_pid; /* -> struct traced_process *, the latest with that id */
	size_t n, n_living;
};

/*
 * Adds a process, whose handle the table owns from then on. -EEXIST: one with its id is in the table, as a
 * living one; -ENOMEM.
 */
int process_table_add(struct process_table *t, struct traced_process *p);
/* The living process with this id, or NULL. */
struct traced_process *process_table_find(const struct process_table *t, pid_t pid);
/* The living one or, when there is none, the last one that had this id; or NULL. */
struct traced_process *process_table_latest(const struct process_table *t, pid_t pid);
/* The process has ended. A second time it does nothing. */
void process_table_retire(struct process_table *t, struct traced_process *p);
/* Takes the process out; the handle is the caller's again. */
void process_table_remove(struct process_table *t, struct traced_process *p);
/* To be called when all have been removed. */
void process_table_deinit(struct process_table *t);

/* For whoever includes trace/process.h: all processes, `p` being each in turn. */
#define process_foreach(p, t) for (struct traced_process *p = (t)->first; p; p = p->next)
