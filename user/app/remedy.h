/* SPDX-License-Identifier: Apache-2.0 */
/* What helps, when the system refuses what tracing needs. */
#pragma once
#include "app/options.h"

/* Adds to `e`, which says what was refused with `r`, why that is so here and what helps; nothing when that is
 * not known. */
void remedy_add(const struct options *o, struct err *e, int r);
/* Whether /proc is there. The same as: */
int remedy_check_proc(struct err *e);
/* Whether this system has what nothing can be done without, memory for these options included; `e` says what is
 * missing. 0 or a negative errno. */
int remedy_check_system(const struct options *o, struct err *e);
