/* SPDX-License-Identifier: Apache-2.0 */
/* `leaktrace doctor`: what works on this host and in a process, what does not, and why. */
#pragma once
#include "app/interrupt.h"
#include "app/options.h"
#include "proc/target.h"
#include "trace/facts.h"

struct doctor_target {
	struct target target;
	struct target_facts facts;
};

/* All that there is to tell. */
struct doctor {
	const struct options *options;
	struct host_facts host;
	struct {
		VEC_OF(struct doctor_target);
	} targets;
};

/* Prints it. Returns the exit status: EXIT_DONE when tracing works, EXIT_CANNOT_TRACE when it does not;
 * `e` holds the line to print for any other. */
int doctor_run(const struct options *o, struct interrupt *interrupt, struct err *e);

/* Write it; whether that has gone well is the stream's to tell. */
void doctor_text(const struct doctor *d, const struct report_style *style, FILE *out);
void doctor_json(const struct doctor *d, FILE *out);
