/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a report for people, broken between parts where the terminal ends. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "base/cleanup.h"
#include "report/ink.h"

struct text {
	const struct report *r;
	const struct report_style *style;
	FILE *out;
	/* the line being written: parts go to the next one when they do not fit */
	size_t column, indent;
	bool oom;
};

void line_begin(struct text *t, size_t indent, size_t hanging);
/* Adds a part after `separator`; neither of the two is ever broken. */
__printf(4, 5) void line_part(struct text *t, const char *separator, const char *ink,
			      const char *fmt, ...);
/* A part made of foreign text. */
void line_foreign(struct text *t, const char *separator, const char *ink, const char *s);
/* The same, as words that lines break between. A word that fits no line is shortened. */
void line_words(struct text *t, const char *separator, const char *ink, const char *text);
/* Right behind what was written last: each part leaves room for it. */
void line_colon(struct text *t);
void line_end(struct text *t);

/* The unit of `n` things: "descriptors", or "descriptor" for one of them. */
void line_unit(struct text *t, const struct report_resource *res, uint64_t n);
/* "s" for a noun that there are `n` of. */
const char *plural(uint64_t n);

/* A line for each of the processes, where there are several. 0 or -ENOMEM. */
int text_processes(struct text *t);
/* The totals of a resource and all of its stacks. 0 or -ENOMEM. */
int text_resource(struct text *t, const struct report_resource *res);
/* A line for one that has nothing to say, and with `all_states` neither has its kind in any other.
 */
void text_empty_resource(struct text *t, const struct report_resource *res, bool all_states);
