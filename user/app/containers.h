/* SPDX-License-Identifier: Apache-2.0 */
/* `leaktrace containers`: those that run on this host. */
#pragma once
#include <stdio.h>
#include "app/interrupt.h"
#include "app/options.h"
#include "container/container.h"

/* Prints them. Returns the exit status; unless it is EXIT_DONE, `e` holds the line to print. */
int containers_run(const struct options *o, struct interrupt *interrupt, struct err *e);

/* Each writes all; whether that has gone well is also the stream's to tell. 0 or a negative errno. */
int containers_text(const struct container_list *l, FILE *out);
int containers_json(const struct container_list *l, FILE *out);
