/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The members of a trace's scope (--cgroup, --container, --all): whoever is in it is traced.
 *
 * Whether a process is in it, container/scope.h alone decides. Here that is asked for all, at the beginning and then
 * again and again, and who is traced is made the same: those who have come are added, those who were moved out of it
 * are released. Children of those who are traced are traced at once, and may be told to be none of the scope by
 * members_want(). Whoever cannot be traced is told of with the reason; that ends nothing.
 *
 *	members_open(o, &m, e)		which scope that is
 *	members_begin(&m, t, e)		before tracer_start(): all who are in it now
 *	members_look(&m, t, e) ...	often: whoever has come and gone
 *	members_list_containers(&m)	before a report: what containers those are in
 *	members_over(&m, t)		the scope is no more
 */
#pragma once
#include "app/options.h"
#include "app/refusals.h"
#include "container/scope.h"
#include "trace/tracer.h"

struct members {
	const struct options *options;
	struct scope scope;
	struct container_list containers; /* those that ran when they were last listed */
	bool came;			  /* whoever has come since then may be in another one */
	uint64_t list_ns;		  /* CLOCK_MONOTONIC, not to be listed again before */
	char *words;			  /* what the scope is: "cgroup /a", "containers web, db", "all processes" */
	struct refusals refusals;
	uint64_t look_ns; /* CLOCK_MONOTONIC, when it is looked for changes again; 0: now */
};

/* The options have a scope: options_have_scope(). 0, or a negative errno with the reason in `e`: there is no such
 * group or container. */
int members_open(const struct options *o, struct members *ret, struct err *e);
/* Also of one that is { 0 }. */
void members_deinit(struct members *m);

/* Has the tracer trace all who are in the scope. 0, or a negative errno with the reason in `e`. */
int members_begin(struct members *m, struct tracer *t, struct err *e);
/* Has the tracer trace those who have come, and release those who have left. 0, or -ENOMEM with the reason in `e`;
 * should it fail otherwise it is tried again the next time. */
int members_look(struct members *m, struct tracer *t, struct err *e);
/* For struct tracer_options: whether a child is of the scope `members`. */
bool members_want(void *members, pid_t pid);
/* Lists the containers again when there may be others: that may take a second. Should it fail they are those from
 * before. */
void members_list_containers(struct members *m);
/* Whether nobody will ever come again: all groups have been removed, and all processes have ended. */
bool members_over(const struct members *m, const struct tracer *t);
/* How that came, in words; NULL: it is not over. */
const char *members_ended(const struct members *m, const struct tracer *t);
