/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names made to fit a column. Each adds `text` (printable, well-formed UTF-8) to `ret`, shortened
 * to at most `width` columns; width 0: as it is. What was left out is shown as "...".
 */
#pragma once
#include "base/strbuf.h"

/* The middle goes; the end keeps twice as much as the start. */
void shorten_middle(struct strbuf *ret, const char *text, size_t width);
/* Template and call arguments go first, from the inside out; then the middle. */
void shorten_function(struct strbuf *ret, const char *text, size_t width);
/* Directories in the middle go first; the file's name goes last. */
void shorten_path(struct strbuf *ret, const char *text, size_t width);
