/* SPDX-License-Identifier: Apache-2.0 */
/* What a trace tells on stderr of itself and of its targets, which no report says. */
#pragma once
#include "app/options.h"
#include "trace/tracer.h"

/* Reading the tables of a big program takes a while: to somebody who is watching, or has asked. */
void tell_reading(const struct options *o, const char *path);
/* The window has opened. `scope`: what whoever is traced is in, in words; NULL: they were named. */
void tell_begun(const struct options *o, const struct tracer *t, const char *scope);
/* What is news of the targets, for each program that they run. To be called often. */
void tell_targets(const struct options *o, struct tracer *t);
/* What was left out so far of what reports say, from item `*told` on, which it moves on. */
void tell_left_out(const struct options *o, const struct tracer *t, size_t *told);
/* What could not be undone. */
void tell_undone(const struct tracer *t);
