/* SPDX-License-Identifier: Apache-2.0 */
/* A command that leaktrace starts, held before exec until tracing is ready. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "base/err.h"
#include "probe/tracer.h"

struct command {
	pid_t pid;
	int go;	    /* a byte here lets it run exec */
	int failed; /* its errno comes from here when exec fails */
	bool reaped;
	int status; /* of waitpid(), once reaped */
};

/* Forks; the child waits. `argv` ends with NULL. */
int command_fork(char *const *argv, struct command *ret, struct err *e);
/* Lets the child run exec and attaches to the program that it becomes, before that has allocated
 * anything. The command is killed when this fails. */
int command_exec(struct command *c, struct tracer *t, const char *name, struct err *e);
/* To be called often: deals with later execs of the command, and with its end. */
void command_tick(struct command *c, struct tracer *t);
/* Closes what is held. A command that still runs gets SIGTERM, as under perf. */
void command_deinit(struct command *c);
/* How it ended, in words, into `buf`; NULL when it has not. */
const char *command_ended(const struct command *c, char *buf, size_t size);
