/* SPDX-License-Identifier: Apache-2.0 */
/* Colour, where the style has it. */
#pragma once
#include <stdio.h>
#include "report/report.h"

#define INK_PLAIN  ""
#define INK_STRONG "1"
#define INK_FAINT  "2"
#define INK_BAD	   "1;31"
#define INK_WARN   "33"

/* What is written between the two is in `ink`, an SGR parameter of ECMA-48. */
static inline void ink_begin(FILE *out, const struct report_style *style, const char *ink)
{
	if (style->colour && *ink)
		fprintf(out, "\033[%sm", ink);
}

static inline void ink_end(FILE *out, const struct report_style *style, const char *ink)
{
	if (style->colour && *ink)
		fputs("\033[0m", out);
}

static inline void ink_puts(FILE *out, const struct report_style *style, const char *ink,
			    const char *text)
{
	ink_begin(out, style, ink);
	fputs(text, out);
	ink_end(out, style, ink);
}
