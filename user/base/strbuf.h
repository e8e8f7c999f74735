/* SPDX-License-Identifier: Apache-2.0 */
/* A growable string. Out of memory is sticky: add freely, check `oom` once at the end. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/cleanup.h"

struct strbuf {
	char *s; /* NUL-terminated once anything was added */
	size_t n, cap;
	bool oom;
};

/* Makes room for `extra` more bytes. 0 or -ENOMEM. */
int strbuf_reserve(struct strbuf *b, size_t extra);
void strbuf_add(struct strbuf *b, const char *s, size_t n);
void strbuf_adds(struct strbuf *b, const char *s);
__printf(2, 3) void strbuf_addf(struct strbuf *b, const char *fmt, ...);
/* The string, owned by the caller (free it), or NULL on out of memory; the buffer is empty after. */
char *strbuf_steal(struct strbuf *b);
void strbuf_deinit(struct strbuf *b);
