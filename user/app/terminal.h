/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal that leaktrace and its command share. The command is a process group of its own, so that it
 * can be ended with all that it has started; leaktrace stays in the foreground and passes on what is typed
 * (Ctrl-C, Ctrl-Z). A command that wants to read the terminal gets it, as a shell would give it.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

struct terminal {
	int fd; /* -1: there is none, or somebody else is in its foreground */
	_Atomic pid_t group; /* of the command; 0: not yet */
};

#define TERMINAL_NONE ((struct terminal){ .fd = -1, .group = 0 })

/* Whether we are in the foreground of a terminal, which is then open. */
bool terminal_open(struct terminal *t);
/* Gives it to the command, or takes it back. Whether that was done. */
bool terminal_give(const struct terminal *t);
bool terminal_take(const struct terminal *t);
/* Whether the command has it. */
bool terminal_has(const struct terminal *t);
void terminal_close(struct terminal *t);
