/* SPDX-License-Identifier: Apache-2.0 */
/* What the options table looks like to people: --help, the man page, completion. */
#pragma once
#include <stdio.h>
#include "app/options_table.h"

/* Prints what the action asks for. 0, or -EIO when the stream failed, or -ENOMEM. */
int help_print(enum options_action action, FILE *out);
/* The row's help as sentences, with the words its argument may be. Free it; NULL: out of memory. */
char *help_text(const struct options_row *row);
/* Prints the man page, in the mdoc language. 0 or -ENOMEM. */
int man_print(FILE *out);
