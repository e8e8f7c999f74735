/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What leaktrace says on stderr: nothing else writes there (tools/check-layers). Names and paths come from
 * processes that are not to be trusted, so whatever a terminal might take for more than text becomes a
 * visible escape here, and nowhere before. A line is one write; a reader that takes none for a second
 * misses it.
 */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include "base/cleanup.h"

/* A line of its own: "leaktrace: " and the message, which ends without a newline. */
__printf(1, 2) void say(const char *fmt, ...);
/* From now on for what libbpf has to say: with `verbose` its lines are passed on, else it is silent. */
void say_for_libbpf(bool verbose);
/* Whether somebody watches what is said. */
bool say_is_watched(void);
