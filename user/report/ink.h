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

/* Writes `text` in `ink`, an SGR parameter of ECMA-48. */
static inline void ink_puts(FILE *out, const struct report_style *style, const char *ink,
			    const char *text)
{
	if (style->colour && *ink)
		fprintf(out, "\033[%sm%s\033[0m", ink, text);
	else
		fputs(text, out);
}
