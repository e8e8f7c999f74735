/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdio.h>
#include "report/report.h"

struct report_writer {
	const char *name;	       /* for -f */
	const char *const *extensions; /* for -o, NULL-terminated: { ".json", NULL } */
	bool periodic; /* read as it comes: reports are repeated unless told otherwise */
	/* Writes the whole report. Returns 0, -EIO when the stream failed, or another negative
	 * errno. */
	int (*write)(const struct report *r, const struct report_style *style, FILE *out);
};

extern const struct report_writer report_writer_text;
extern const struct report_writer report_writer_json;

/* The writer called `name`, or NULL. */
const struct report_writer *report_writer_by_name(const char *name);
/* The writer whose extension ends `path`, or NULL. */
const struct report_writer *report_writer_by_path(const char *path);
/* All writers, NULL-terminated; the first is the default. */
const struct report_writer *const *report_writers(void);
