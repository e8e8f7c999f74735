/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the notes of many items say together: those that differ only in a time are one, with the
 * longest of the times: "peer closed up to 5m 12s ago, this side never called close".
 */
#pragma once
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/vec.h"
#include "report/report.h"

struct note_group {
	char *before, *after; /* the words around the time; owned */
	bool timed, differ;
	double longest;
	uint64_t count;
};

struct note_groups {
	VEC_OF(struct note_group);
};

/* Counts a note in. What has no like and finds no room is left out. 0 or -ENOMEM. */
int note_groups_add(struct note_groups *g, const char *note);
/* Fills the stack's notes in, all in `arena`. 0 or -ENOMEM. */
int note_groups_finish(struct note_groups *g, struct arena *arena, struct report_stack *ret);
void note_groups_deinit(struct note_groups *g);
