// SPDX-License-Identifier: Apache-2.0
#include "report/text_line.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/strbuf.h"
#include "base/utf8.h"
#include "report/shorten.h"

#define WORD_MIN 24 /* columns that a word gets on the narrowest of terminals */

void line_begin(struct text *t, size_t indent, size_t hanging)
{
	fprintf(t->out, "%*s", (int)indent, "");
	t->column = indent;
	t->indent = hanging;
}

void line_part(struct text *t, const char *separator, const char *ink, const char *fmt, ...)
{
	char *part;
	va_list ap;
	size_t n;
	int r;

	va_start(ap, fmt);
	r = vasprintf(&part, fmt, ap);
	va_end(ap);
	if (r < 0) {
		t->oom = true;
		return;
	}
	n = utf8_columns(part);
	if (t->style->width && t->column > t->indent &&
	    t->column + strlen(separator) + n + 1 > t->style->width) { /* 1: the next separator */
		if (*separator && *separator != ' ')
			fputc(*separator, t->out);
		fprintf(t->out, "\n%*s", (int)t->indent, "");
		t->column = t->indent + n;
	} else {
		fputs(separator, t->out);
		t->column += strlen(separator) + n;
	}
	ink_puts(t->out, t->style, ink, part);
	free(part);
}

void line_foreign(struct text *t, const char *separator, const char *ink, const char *s)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };

	utf8_add_printable(&b, s);
	if (b.oom)
		t->oom = true;
	else
		line_part(t, separator, ink, "%s", b.s ? b.s : "");
}

static void line_word(struct text *t, const char *separator, const char *word)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	size_t room =
		t->style->width > t->indent + WORD_MIN ? t->style->width - t->indent - 1 : WORD_MIN;

	shorten_middle(&b, word, t->style->width ? room : 0);
	t->oom |= b.oom;
	line_part(t, separator, INK_PLAIN, "%s", b.s ? b.s : "");
}

void line_words(struct text *t, const char *separator, const char *ink, const char *text)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	char *save = NULL;

	utf8_add_printable(&b, text);
	t->oom |= b.oom;
	if (b.oom || !b.s)
		return;
	ink_begin(t->out, t->style, ink);
	for (char *word = strtok_r(b.s, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		line_word(t, separator, word);
		separator = " ";
	}
	ink_end(t->out, t->style, ink);
}

void line_colon(struct text *t)
{
	fputc(':', t->out);
	t->column++;
}

void line_end(struct text *t)
{
	fputc('\n', t->out);
}

const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}
