// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"
#include <string.h>

/* Table 3-7 of the Unicode standard: the well-formed sequences by their first two bytes. */
static const struct utf8_form {
	uint8_t first_min, first_max, second_min, second_max, length;
} utf8_forms[] = {
	{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
	{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
	{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

static const struct utf8_form *utf8_form(uint8_t first)
{
	for (size_t i = 0; i < ARRAY_SIZE(utf8_forms); i++)
		if (first >= utf8_forms[i].first_min && first <= utf8_forms[i].first_max)
			return &utf8_forms[i];
	return NULL;
}

uint32_t utf8_next(const char **s)
{
	uint8_t first = (uint8_t)(*s)[0];
	const struct utf8_form *form;
	uint32_t c;

	if (first < 0x80) {
		*s += first != 0;
		return first;
	}
	*s += 1;
	form = utf8_form(first);
	if (!form)
		return UTF8_INVALID;
	c = first & (0x7fU >> form->length);
	for (unsigned int i = 1; i < form->length; i++) {
		uint8_t b = (uint8_t)(*s)[0];

		if (b < (i == 1 ? form->second_min : 0x80) ||
		    b > (i == 1 ? form->second_max : 0xbf))
			return UTF8_INVALID;
		c = c << 6 | (b & 0x3f);
		*s += 1;
	}
	return c;
}

bool utf8_is_unsafe(uint32_t c)
{
	static const struct {
		uint32_t min, max;
	} unsafe[] = {
		{ 0, 0x1f },	    { 0x7f, 0x9f },	{ 0x61c, 0x61c },   { 0x200b, 0x200f },
		{ 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb },
	};

	for (size_t i = 0; i < ARRAY_SIZE(unsafe); i++)
		if (c >= unsafe[i].min && c <= unsafe[i].max)
			return true;
	return false;
}

void utf8_add_printable(struct strbuf *b, const char *s)
{
	const char *at;
	uint32_t c;

	while (at = s, (c = utf8_next(&s))) {
		if (c == UTF8_INVALID)
			for (; at < s; at++)
				strbuf_addf(b, "\\x%02x", (uint8_t)*at);
		else if (utf8_is_unsafe(c))
			strbuf_addf(b, c < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned int)c);
		else
			strbuf_add(b, at, (size_t)(s - at));
	}
}

static bool utf8_starts(char c)
{
	return ((uint8_t)c & 0xc0) != 0x80;
}

size_t utf8_columns(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += utf8_starts(*s);
	return n;
}

size_t utf8_head(const char *s, size_t columns)
{
	size_t i = 0;

	for (; s[i]; i++)
		if (utf8_starts(s[i]) && columns-- == 0)
			break;
	return i;
}

size_t utf8_tail(const char *s, size_t columns)
{
	size_t n = strlen(s), i = n;

	while (i && columns) {
		i--;
		columns -= utf8_starts(s[i]);
	}
	return n - i;
}
