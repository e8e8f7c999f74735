/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A probe that is hit all the time costs the program more than it may: it is attached for some
 * milliseconds now and then, by a thread of our own. What is seen then stands for what has happened since
 * the time before.
 */
#pragma once
#include "probe/plan.h"
#include "runtime/go/samples.h"

struct go_turns_probe {
	const struct object *object;
	const char *program;
	pid_t pid;
	int fd; /* the file that the points are in; it stays the caller's and must stay open */
	const struct plan_points *points; /* they must stay */
	struct go_samples_maps *maps;	  /* and they */
};

struct go_turns;

/* What is attached is taken over. 0 or a negative errno: then it is all as before. */
int go_turns_begin(const struct go_turns_probe *probe, struct attachments *attached, struct go_turns **ret);
/* Gives back what is attached now. Nothing, when there are none (NULL). */
void go_turns_end(struct go_turns *t, struct attachments *ret);
/* The share of the process's CPU time that it is attached in, of late. */
double go_turns_share(struct go_turns *t);

/* -- for tests -------------------------------------------------------------------------------- */

/* From one turn to the next, in nanoseconds of the process's CPU time, when it has so many hits. */
double go_turns_period_ns(double hits);
/* How many a span that is seen stands for, in parts of LT_GO_ONCE, when this share of the time is seen. */
uint16_t go_turns_times(double share);
