// SPDX-License-Identifier: Apache-2.0
#include "report/shorten.h"
#include <stdbool.h>
#include <string.h>
#include "base/utf8.h"

#define ELLIPSIS   "..."
#define ELLIPSIS_N 3

void shorten_middle(struct strbuf *ret, const char *text, size_t width)
{
	size_t keep = width - ELLIPSIS_N, tail;

	if (!width || utf8_columns(text) <= width) {
		strbuf_adds(ret, text);
		return;
	}
	if (width <= ELLIPSIS_N) {
		strbuf_add(ret, text, utf8_head(text, width));
		return;
	}
	tail = keep - keep / 3;
	strbuf_add(ret, text, utf8_head(text, keep / 3));
	strbuf_adds(ret, ELLIPSIS);
	strbuf_adds(ret, text + strlen(text) - utf8_tail(text, tail));
}

/* -- functions -------------------------------------------------------------------------------- */

/* Bytes at `s` in which brackets are no brackets: "operator<<", "->", "(anonymous namespace)". */
static size_t verbatim(const char *s)
{
	static const char *const tokens[] = {
		"(anonymous namespace)",
		"operator()",
		"operator<=>",
		"operator->*",
		"operator<<=",
		"operator>>=",
		"operator<<",
		"operator>>",
		"operator<=",
		"operator>=",
		"operator->",
		"operator<",
		"operator>",
		"->",
		"=>",
	};

	for (size_t i = 0; i < ARRAY_SIZE(tokens); i++)
		if (!strncmp(s, tokens[i], strlen(tokens[i])))
			return strlen(tokens[i]);
	return 0;
}

/* Adds `text`; of a bracket more than `depth` levels deep only "<...>" or "(...)" is left. */
static void add_collapsed(struct strbuf *ret, const char *text, unsigned int depth)
{
	unsigned int level = 0;
	const char *opened = NULL; /* what follows the bracket that is being left out */

	for (const char *s = text; *s;) {
		size_t n = verbatim(s);

		if (n) {
			if (level <= depth)
				strbuf_add(ret, s, n);
			s += n;
			continue;
		}
		if (strchr(">)", *s) && level && --level == depth) {
			if (s - opened > ELLIPSIS_N)
				strbuf_adds(ret, ELLIPSIS);
			else
				strbuf_add(ret, opened, (size_t)(s - opened));
		}
		if (level <= depth)
			strbuf_add(ret, s, 1);
		if (strchr("<(", *s) && level++ == depth)
			opened = s + 1;
		s++;
	}
	if (level > depth)
		strbuf_adds(ret, ELLIPSIS);
}

void shorten_function(struct strbuf *ret, const char *text, size_t width)
{
	static const unsigned int depths[] = { 6, 4, 3, 2, 1, 0 };

	if (!width || utf8_columns(text) <= width) {
		strbuf_adds(ret, text);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(depths); i++) {
		_cleanup_(strbuf_deinit) struct strbuf b = { 0 };

		add_collapsed(&b, text, depths[i]);
		if (b.oom || !b.s)
			break;
		if (utf8_columns(b.s) <= width || i + 1 == ARRAY_SIZE(depths)) {
			shorten_middle(ret, b.s, width);
			return;
		}
	}
	shorten_middle(ret, text, width);
}

/* -- paths ------------------------------------------------------------------------------------ */

/* Adds the first `head` bytes of `text`, "..." and the longest tail from a '/' that fits. */
static bool add_path(struct strbuf *ret, const char *text, size_t head, size_t width)
{
	size_t used = utf8_columns(text) - utf8_columns(text + head) + ELLIPSIS_N;

	for (const char *tail = text + head; (tail = strchr(tail, '/')); tail++) {
		if (utf8_columns(tail) + used > width)
			continue;
		strbuf_add(ret, text, head);
		strbuf_adds(ret, ELLIPSIS);
		strbuf_adds(ret, tail);
		return true;
	}
	return false;
}

void shorten_path(struct strbuf *ret, const char *text, size_t width)
{
	const char *name = strrchr(text, '/');
	const char *second = name ? strchr(text + 1, '/') : NULL;

	if (!width || !name || utf8_columns(text) <= width)
		shorten_middle(ret, text, width);
	else if (!(second && add_path(ret, text, (size_t)(second + 1 - text), width)) &&
		 !add_path(ret, text, 0, width))
		shorten_middle(ret, name + 1, width);
}
