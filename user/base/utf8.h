/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign text: names from symbol tables, paths and command lines may hold any bytes. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/strbuf.h"

#define UTF8_INVALID UINT32_MAX

/*
 * The code point at `*s`, which is stepped over; 0 at the end of the string. Ill-formed bytes give
 * UTF8_INVALID, once per maximal subpart (Unicode 15, section 3.9, "U+FFFD substitution").
 */
uint32_t utf8_next(const char **s);

/* Control characters, separators of lines, and what reorders or hides the text around it. */
bool utf8_is_unsafe(uint32_t c);
/*
 * Adds `s` in a form that is safe to show on a terminal: unsafe characters and ill-formed bytes
 * become visible escapes (\x1b, \u202e).
 */
void utf8_add_printable(struct strbuf *b, const char *s);

/* Columns of well-formed `s`: its code points; wide and combining characters are not told apart. */
size_t utf8_columns(const char *s);
/* The bytes of the first, or of the last, `columns` columns of well-formed `s`. */
size_t utf8_head(const char *s, size_t columns);
size_t utf8_tail(const char *s, size_t columns);
