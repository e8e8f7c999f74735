// SPDX-License-Identifier: Apache-2.0
#include "base/strbuf.h"
#include <errno.h>
#include <stdarg.h>
#include <string.h>

static bool strbuf_room(struct strbuf *b, size_t extra)
{
	size_t want = b->cap ? b->cap : 64;
	char *p;

	if (b->oom)
		return false;
	if (b->n + extra + 1 <= b->cap)
		return true;
	while (want < b->n + extra + 1)
		want *= 2;
	p = realloc(b->s, want);
	if (!p) {
		b->oom = true;
		return false;
	}
	b->s = p;
	b->cap = want;
	return true;
}

int strbuf_reserve(struct strbuf *b, size_t extra)
{
	return strbuf_room(b, extra) ? 0 : -ENOMEM;
}

void strbuf_add(struct strbuf *b, const char *s, size_t n)
{
	if (!strbuf_room(b, n))
		return;
	if (n) /* or `s` may be NULL */
		memcpy(b->s + b->n, s, n);
	b->n += n;
	b->s[b->n] = '\0';
}

void strbuf_adds(struct strbuf *b, const char *s)
{
	strbuf_add(b, s, strlen(s));
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !strbuf_room(b, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf(b->s + b->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

char *strbuf_steal(struct strbuf *b)
{
	char *s = b->oom ? NULL : take_ptr(b->s);

	if (!s && !b->oom)
		s = calloc(1, 1);
	strbuf_deinit(b);
	return s;
}

void strbuf_deinit(struct strbuf *b)
{
	free(b->s);
	*b = (struct strbuf){ 0 };
}
