/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdio.h>
#include "report/report.h"

struct report_writer {
	const char *name;	       /* for -f */
	const char *const *extensions; /* for -o, NULL-terminated: { ".json", NULL } */
	/* Writes the whole report. Returns 0 or a negative errno (-EIO when the stream failed). */
	int (*write)(const struct report *r, const struct report_style *style, FILE *out);
};

/* The writer called `name`, or NULL. */
const struct report_writer *report_writer_by_name(const char *name);
/* The writer whose extension ends `path`, or NULL. */
const struct report_writer *report_writer_by_path(const char *path);
/* All writers, NULL-terminated. */
const struct report_writer *const *report_writers(void);
