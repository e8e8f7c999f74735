/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>

struct shellwords {
	char **argv; /* ends with NULL; one free() */
	bool shell;  /* the shell itself stays: it has more to do than to become one program */
};

/*
 * What to run for the command line `s`, as a shell would read it. The process that is started
 *should become the program that is meant, so a shell comes into play only where one is needed:
 *
 *	words and quotes             the words themselves
 *	redirections, $X, *, A=B     /bin/sh -c "exec s"
 *	several commands: ; | & ()   /bin/sh -c "s"
 *
 * Returns 0, -EINVAL when there is no word or a quote is left open, or -ENOMEM.
 */
int shellwords_parse(const char *s, struct shellwords *ret);
