// SPDX-License-Identifier: Apache-2.0
#include "app/say.h"
#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include "base/utf8.h"

#define PATIENCE_MS 1000

static void put(const char *s, size_t n)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	while (n && poll(&p, 1, PATIENCE_MS) > 0) {
		ssize_t done = write(STDERR_FILENO, s, n);

		if (done < 0 && errno != EINTR && errno != EAGAIN)
			return;
		if (done > 0) {
			s += done;
			n -= (size_t)done;
		}
	}
}

/* With no memory left: no character but the plain ones. */
static void put_plainly(const char *prefix, char *text)
{
	for (char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	put(prefix, strlen(prefix));
	put(text, strlen(text));
	put("\n", 1);
}

static void put_line(const char *prefix, char *text)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };

	strbuf_adds(&b, prefix);
	utf8_add_printable(&b, text);
	strbuf_adds(&b, "\n");
	if (b.oom)
		put_plainly(prefix, text);
	else
		put(b.s, b.n);
}

void say(const char *fmt, ...)
{
	_cleanup_free_ char *all = NULL;
	char some[512];
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&all, fmt, ap) < 0)
		all = NULL;
	va_end(ap);
	va_start(ap, fmt);
	if (!all)
		vsnprintf(some, sizeof(some), fmt, ap);
	va_end(ap);
	put_line("leaktrace: ", all ? all : some);
}

__printf(2, 0) static int libbpf_silent(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return 0;
}

__printf(2, 0) static int libbpf_says(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	_cleanup_free_ char *all = NULL;
	char *rest, *line;

	if (level == LIBBPF_DEBUG)
		return 0;
	if (vasprintf(&all, fmt, ap) < 0) {
		all = NULL;
		return 0;
	}
	for (rest = all; (line = strsep(&rest, "\n"));)
		if (rest || *line)
			put_line("", line);
	return 0;
}

void say_for_libbpf(bool verbose)
{
	libbpf_set_print(verbose ? libbpf_says : libbpf_silent);
}

bool say_is_watched(void)
{
	return isatty(STDERR_FILENO);
}
