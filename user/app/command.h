/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command that leaktrace starts, held before exec until tracing is ready. It leads a process group of its
 * own: what it starts is ended with it when tracing ends first.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "app/interrupt.h"
#include "app/startup.h"
#include "base/err.h"
#include "trace/tracer.h"

struct command {
	const char *name;
	pid_t pid;  /* and its process group; 0: none was started */
	int go;	    /* a byte here lets it run exec */
	int failed; /* its errno comes from here when exec fails */
	bool reaped;
	int status; /* of waitpid(), once reaped */
	struct interrupt *interrupt;
};

#define COMMAND_NONE ((struct command){ .go = -1, .failed = -1 })

/* Forks; the child waits. `argv` ends with NULL. Should leaktrace end at once, the command goes with it. */
int command_fork(char *const *argv, const struct startup *startup, struct interrupt *interrupt,
		 struct command *ret, struct err *e);
/*
 * Lets the child run exec and attaches to the program that it becomes, before that has allocated anything.
 * When the time is over (CLOCK_MONOTONIC; 0: there is no end) the rest is left to command_tick(). The
 * command is killed when this fails.
 */
int command_exec(struct command *c, struct tracer *t, uint64_t until_ns, struct err *e);
/* To be called often: deals with later execs of the command, with the terminal, and with its end. */
void command_tick(struct command *c, struct tracer *t);
/* Sends SIGTERM to a command that still runs, and to all of its process group. Whether it did. */
bool command_end(struct command *c);
/* Waits for its end, at most for so long. Whether it has ended. */
bool command_await(struct command *c, unsigned int ms);
/* Closes what is held, and ends what still runs. */
void command_deinit(struct command *c);
/* How it ended, in words, into `buf`; NULL when it has not. */
const char *command_ended(const struct command *c, char *buf, size_t size);
/* Its exit status as a shell has it: 128 + n when a signal killed it. It has ended. */
int command_exit_status(const struct command *c);
