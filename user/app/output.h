/* SPDX-License-Identifier: Apache-2.0 */
/* Where reports go, and turning the tracer's state into one. */
#pragma once
#include "app/members.h"
#include "app/options.h"
#include "app/outfile.h"
#include "report/writer.h"
#include "trace/tracer.h"

struct output {
	struct outfile file;
	const struct report_writer *writer;
	struct report_style style;
	const _Atomic uint64_t *until_ns; /* no report may take longer, once it is set */
	unsigned int written; /* reports so far */
	struct members *members; /* of the scope that is traced; NULL: there is none */
};

#define OUTPUT_NONE ((struct output){ .file = OUTFILE_NONE })

int output_open(const struct options *o, struct interrupt *interrupt, struct output *ret, struct err *e);
/* How text looks there. */
struct report_style output_style(const struct outfile *f);
/* Writes one report of what the tracer knows now. `ended`: how the target ended, or NULL. */
int output_write(struct output *out, const struct options *o, struct tracer *t, const char *ended,
		 struct err *e);
/* Closes the file; -EIO when something could not be written. */
int output_close(struct output *out, struct err *e);
