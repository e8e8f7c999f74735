// SPDX-License-Identifier: Apache-2.0
#include "app/help.h"
#include <errno.h>
#include <string.h>

#define WIDTH	 80
#define HELP_COL 28 /* where the words begin */

char *help_text(const struct options_row *row)
{
	struct strbuf b = { 0 };
	const char *word;

	strbuf_addf(&b, "%s.", row->help);
	for (size_t i = 0; row->choice && (word = row->choice(i)); i++)
		strbuf_addf(&b, "%s%s", i ? ", " : " Known: ", word);
	return strbuf_steal(&b);
}

/* Wraps `text` at spaces; the first line begins at `column`, the others are indented. */
static void print_wrapped(FILE *out, const char *text, size_t column)
{
	if (column + 1 < HELP_COL)
		fprintf(out, "%*s", (int)(HELP_COL - column), "");
	else
		fprintf(out, "\n%*s", HELP_COL, "");
	column = HELP_COL;
	while (*text) {
		size_t n = strcspn(text, " ");

		if (column > HELP_COL && column + 1 + n > WIDTH) {
			fprintf(out, "\n%*s", HELP_COL, "");
			column = HELP_COL;
		}
		column +=
			(size_t)fprintf(out, "%s%.*s", column > HELP_COL ? " " : "", (int)n, text);
		text += n + strspn(text + n, " ");
	}
	fputc('\n', out);
}

static int print_row(FILE *out, const struct options_row *row)
{
	_cleanup_free_ char *text = help_text(row);
	int n;

	if (!text)
		return -ENOMEM;
	n = row->letter ? fprintf(out, "  -%c, --%s", row->letter, row->name)
			: fprintf(out, "      --%s", row->name);
	if (row->arg)
		n += fprintf(out, " %s", row->arg);
	print_wrapped(out, text, n > 0 ? (size_t)n : 0);
	return 0;
}

static int print_help(FILE *out)
{
	fputs("usage: leaktrace [options] -p PID[,PID...]\n"
	      "       leaktrace [options] --cgroup PATH | --container NAME | -a\n"
	      "       leaktrace [options] -- CMD ARG...\n"
	      "       leaktrace doctor [-p PID[,PID...]] [-w LIST] [-f FORMAT] [-o FILE]\n"
	      "       leaktrace goroutines -p PID [--leaks] [-f text|json|pprof] [-o FILE]\n"
	      "       leaktrace containers [-f text|json] [-o FILE]\n"
	      "\n"
	      "Finds what a running process leaks and the code that leaks it, from outside.\n"
	      "doctor tells what works on this host and in a process, what does not, and why.\n",
	      out);
	for (int s = 0; s < SECTION_MAX; s++) {
		const char *title = options_section_title((enum options_section)s);

		if (!title)
			continue;
		fprintf(out, "\n%s:\n", title);
		for (size_t i = 0; i < options_table_n; i++)
			if ((int)options_table[i].section == s && print_row(out, &options_table[i]))
				return -ENOMEM;
	}
	fputs("\n"
	      "TIME takes ms, s, m and h (none: seconds), a size K, M and G (of 1024).\n"
	      "Exit status: 0 done, 1 failure, 2 usage error, 77 this host cannot trace.\n",
	      out);
	return 0;
}

/* -- completion of bash ----------------------------------------------------------------------- */

static void print_option_words(FILE *out, const struct options_row *row, const char *separator)
{
	if (row->letter)
		fprintf(out, "-%c%s", row->letter, separator);
	fprintf(out, "--%s", row->name);
}

static void print_completed_argument(FILE *out, const struct options_row *row)
{
	static const char *const actions[] = {
		[COMPLETE_NOTHING] = "\t\tCOMPREPLY=()\n",
		[COMPLETE_PID] =
			"\t\tCOMPREPLY=($(compgen -W \"$(command ps -Ao pid=)\" -- \"$cur\"))\n",
		[COMPLETE_FILE] = ("\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n"
				   "\t\tcompopt -o filenames 2>/dev/null\n"),
		[COMPLETE_COMMAND] = "\t\tCOMPREPLY=($(compgen -c -- \"$cur\"))\n",
	};
	const char *word;

	fputc('\t', out);
	print_option_words(out, row, " | ");
	fputs(")\n", out);
	if (row->choice) {
		fputs("\t\tCOMPREPLY=($(compgen -W \"", out);
		for (size_t i = 0; (word = row->choice(i)); i++)
			fprintf(out, "%s%s", i ? " " : "", word);
		fputs("\" -- \"$cur\"))\n", out);
	} else {
		fputs(actions[row->complete], out);
	}
	fputs("\t\treturn\n\t\t;;\n", out);
}

static void print_completion(FILE *out)
{
	fputs("# bash completion for leaktrace\n"
	      "_leaktrace() {\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} i\n"
	      "\n"
	      "\tCOMPREPLY=()\n"
	      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	      "\t\tif [ \"${COMP_WORDS[i]}\" = -- ]; then\n"
	      "\t\t\tif [ $((i + 1)) = \"$COMP_CWORD\" ]; then\n"
	      "\t\t\t\tCOMPREPLY=($(compgen -c -- \"$cur\"))\n"
	      "\t\t\telse\n"
	      "\t\t\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n"
	      "\t\t\tfi\n"
	      "\t\t\treturn\n"
	      "\t\tfi\n"
	      "\tdone\n"
	      "\tcase $prev in\n",
	      out);
	for (size_t i = 0; i < options_table_n; i++)
		if (options_table[i].section != SECTION_HIDDEN && options_table[i].arg)
			print_completed_argument(out, &options_table[i]);
	fputs("\tesac\n"
	      "\tif [ \"$COMP_CWORD\" = 1 ]; then COMPREPLY=($(compgen -W 'doctor goroutines containers' -- \"$cur\")); fi\n"
	      "\tCOMPREPLY+=($(compgen -W \"--", out);
	for (size_t i = 0; i < options_table_n; i++) {
		if (options_table[i].section == SECTION_HIDDEN)
			continue;
		fputc(' ', out);
		print_option_words(out, &options_table[i], " ");
	}
	fputs("\" -- \"$cur\"))\n}\ncomplete -F _leaktrace leaktrace\n", out);
}

int help_print(enum options_action action, FILE *out)
{
	int r = 0;

	switch (action) {
	case OPTIONS_TRACE:
	case OPTIONS_DOCTOR:
	case OPTIONS_GOROUTINES:
	case OPTIONS_CONTAINERS:
		break;
	case OPTIONS_HELP:
		r = print_help(out);
		break;
	case OPTIONS_VERSION:
		fputs("leaktrace " LEAKTRACE_VERSION "\n", out);
		break;
	case OPTIONS_MAN:
		r = man_print(out);
		break;
	case OPTIONS_COMPLETION:
		print_completion(out);
		break;
	}
	if (r)
		return r;
	return fflush(out) || ferror(out) ? -EIO : 0;
}
