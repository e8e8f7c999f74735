// SPDX-License-Identifier: Apache-2.0
#include "app/shellwords.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"

struct scan {
	const char *start, *p;
	char **argv; /* and behind it the words */
	size_t n;
	char *out;	   /* the end of the word being read */
	bool in_word;	   /* "" is a word, too */
	bool first_quoted; /* the first word is no keyword then */
	bool expands;	   /* something that only a shell can do */
	bool compound;	   /* more than one command */
};

static bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

static void scan_begin(struct scan *s)
{
	if (!s->in_word)
		s->argv[s->n++] = s->out;
	s->in_word = true;
}

static void scan_char(struct scan *s, char c)
{
	scan_begin(s);
	*s->out++ = c;
}

static void scan_end(struct scan *s)
{
	if (s->in_word)
		*s->out++ = '\0';
	s->in_word = false;
}

/* What follows an opening quote, up to and with the closing one. */
static int scan_quoted(struct scan *s, char quote)
{
	scan_begin(s);
	s->first_quoted |= s->n == 1;
	for (; *s->p && *s->p != quote; s->p++) {
		bool escapes = quote == '"' && *s->p == '\\' && is_one_of(s->p[1], "$`\"\\\n");

		if (escapes && *++s->p == '\n') /* a line that goes on */
			continue;
		if (!escapes && quote == '"' && is_one_of(*s->p, "$`")) {
			s->expands = true;
			s->compound |= *s->p == '`' || s->p[1] == '(';
		}
		scan_char(s, *s->p);
	}
	if (!*s->p)
		return -EINVAL;
	s->p++;
	return 0;
}

static int scan_escaped(struct scan *s)
{
	char c = *s->p;

	if (!c)
		return -EINVAL;
	s->p++;
	if (c == '\n')
		return 0;
	scan_char(s, c);
	s->first_quoted |= s->n == 1;
	return 0;
}

static int scan_next(struct scan *s)
{
	bool redirects = s->p > s->start && is_one_of(s->p[-1], "<>"); /* as in 2>&1 */
	char c = *s->p++;

	if (is_one_of(c, " \t")) {
		scan_end(s);
		return 0;
	}
	if (is_one_of(c, "'\""))
		return scan_quoted(s, c);
	if (c == '\\')
		return scan_escaped(s);
	s->compound |= is_one_of(c, ";|()`\n") || (c == '&' && !redirects);
	s->expands |= is_one_of(c, "<>$*?[~#");
	scan_char(s, c);
	return 0;
}

/* Words that no program has the name of, or that mean something else to a shell. */
static bool is_shells_own(const char *word)
{
	static const char *const own[] = {
		"!",	  ".",	    ":",      "{",     "case",	"cd",	  "eval", "exec",
		"exit",	  "export", "for",    "if",    "read",	"return", "set",  "shift",
		"source", "trap",   "ulimit", "umask", "unset", "until",  "wait", "while",
	};

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (!strcmp(word, own[i]))
			return true;
	return false;
}

static bool is_assignment(const char *word)
{
	size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

	return n && word[n] == '=' && !(word[0] >= '0' && word[0] <= '9');
}

static int shell_command(const char *prefix, const char *s, struct shellwords *ret)
{
	static const char shell[] = "/bin/sh", option[] = "-c";
	size_t n = strlen(prefix) + strlen(s) + 1;
	char **argv = malloc(4 * sizeof(*argv) + sizeof(shell) + sizeof(option) + n);
	char *at = (char *)(argv + 4);

	if (!argv)
		return -ENOMEM;
	argv[0] = memcpy(at, shell, sizeof(shell));
	argv[1] = memcpy(at + sizeof(shell), option, sizeof(option));
	argv[2] = at + sizeof(shell) + sizeof(option);
	argv[3] = NULL;
	snprintf(argv[2], n, "%s%s", prefix, s);
	ret->argv = argv;
	return 0;
}

int shellwords_parse(const char *s, struct shellwords *ret)
{
	size_t len = strlen(s), words = len / 2 + 2;
	_cleanup_free_ char **argv = calloc(1, words * sizeof(*argv) + len + 1);
	struct scan scan = { .start = s, .p = s, .argv = argv, .out = (char *)(argv + words) };
	bool first_word;
	int r = argv ? 0 : -ENOMEM;

	while (!r && *scan.p)
		r = scan_next(&scan);
	if (r)
		return r;
	scan_end(&scan);
	if (!scan.n)
		return -EINVAL;
	first_word = !scan.first_quoted;
	ret->shell =
		scan.compound || (first_word && is_shells_own(argv[0]) && strcmp(argv[0], "exec"));
	if (ret->shell || (first_word && !strcmp(argv[0], "exec")))
		return shell_command("", s, ret);
	if (first_word && is_assignment(argv[0]))
		return shell_command("exec env ", s, ret);
	if (scan.expands)
		return shell_command("exec ", s, ret);
	ret->argv = take_ptr(argv);
	return 0;
}
