/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An error on its way up: a negative errno as the return value, and here the one line a person
 * reads. The place that knows what failed writes it; only the command layer prints it.
 */
#pragma once
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"

struct err {
	char text[512];
};

/* Writes the message into `e` (which may be NULL) and returns `code`, a negative errno. */
__printf(3, 4) static inline int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (e) {
		va_start(ap, fmt);
		vsnprintf(e->text, sizeof(e->text), fmt, ap);
		va_end(ap);
	}
	return code;
}

/* For a failure that nobody on its way up has put into words: "what: the reason". Returns `code`. */
__printf(3, 4) static inline int err_complete(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	if (!e || *e->text)
		return code;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof(e->text) - n, ": %s", strerror(-code));
	return code;
}
