// SPDX-License-Identifier: Apache-2.0
#include "app/options.h"
#include <errno.h>
#include <string.h>
#include <leaktrace/types.h>
#include "app/goroutines.h"
#include "app/options_table.h"
#include "base/units.h"
#include "probe/table_sizes.h"

#define TRY_HELP	 "(try 'leaktrace --help')"
#define DEFAULT_TOP	 10
#define DEFAULT_INTERVAL 10000000000ULL

struct parser {
	char **argv;
	int argc, next;
	struct options *o;
	struct err *e;
};

static const struct options_row *find_long(const char *name, size_t n)
{
	for (size_t i = 0; i < options_table_n; i++)
		if (strlen(options_table[i].name) == n && !strncmp(options_table[i].name, name, n))
			return &options_table[i];
	return NULL;
}

static const struct options_row *find_letter(char letter)
{
	for (size_t i = 0; i < options_table_n; i++)
		if (options_table[i].letter == letter)
			return &options_table[i];
	return NULL;
}

/* Whether the words go on: what was asked for is not just printed. */
static bool parser_goes_on(const struct parser *p)
{
	return p->o->action < OPTIONS_HELP;
}

/* What is no tracing: the word that asks for it, and the options that it takes. */
static const struct subcommand {
	const char *name;
	enum options_action action;
	const char *options[12];
} subcommands[] = {
	{ "doctor",
	  OPTIONS_DOCTOR,
	  { "pid", "what", "format", "output", "verbose", "help", "version", "attach", "hooks" } },
	{ "goroutines",
	  OPTIONS_GOROUTINES,
	  { "pid", "leaks", "format", "output", "verbose", "quiet", "help", "version" } },
	{ "containers", OPTIONS_CONTAINERS, { "format", "output", "quiet", "help", "version" } },
};

/* NULL: it is tracing. */
static const struct subcommand *subcommand_of(const struct parser *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(subcommands); i++)
		if (subcommands[i].action == p->o->action)
			return &subcommands[i];
	return NULL;
}

static bool subcommand_takes(const struct subcommand *s, const struct options_row *row)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->options) && s->options[i]; i++)
		if (!strcmp(row->name, s->options[i]))
			return true;
	return false;
}

/* `arg` is what stands in the same word behind the option, NULL when there is nothing. */
static int parse_row(struct parser *p, const struct options_row *row, const char *arg)
{
	const struct subcommand *s = subcommand_of(p);

	if (s && !subcommand_takes(s, row))
		return options_usage(p->e, "leaktrace %s takes no --%s " TRY_HELP, s->name, row->name);
	if (row->arg && !arg) {
		if (p->next >= p->argc)
			return options_usage(p->e, "--%s needs an argument: %s " TRY_HELP,
					     row->name, row->arg);
		arg = p->argv[p->next++];
	}
	if (!row->arg && arg)
		return options_usage(p->e, "--%s takes no argument " TRY_HELP, row->name);
	return row->set(row, arg, p->o, p->e);
}

static int parse_long(struct parser *p, const char *word)
{
	size_t n = strcspn(word, "=");
	const struct options_row *row = find_long(word, n);

	if (!row)
		return options_usage(p->e, "unknown option '--%.*s' " TRY_HELP,
				     (int)(n < 64 ? n : 64), word);
	return parse_row(p, row, word[n] ? word + n + 1 : NULL);
}

static int parse_letters(struct parser *p, const char *word)
{
	for (; *word && parser_goes_on(p); word++) {
		const struct options_row *row = find_letter(*word);
		int r;

		if (!row)
			return options_usage(p->e, "unknown option '-%c' " TRY_HELP, *word);
		if (row->arg)
			return parse_row(p, row, word[1] ? word + 1 : NULL);
		r = parse_row(p, row, NULL);
		if (r)
			return r;
	}
	return 0;
}

static int parse_rest(struct parser *p)
{
	if (p->next >= p->argc)
		return options_usage(p->e, "there is no command after -- " TRY_HELP);
	if (p->o->words.argv)
		return options_usage(p->e, "--command and -- both name a command: leave one out");
	if (!*p->argv[p->next])
		return options_usage(p->e, "the command after -- is empty");
	p->o->command = p->argv + p->next;
	return 0;
}

static int parse_all(struct parser *p)
{
	const struct subcommand *s = NULL;

	for (size_t i = 0; p->next < p->argc && i < ARRAY_SIZE(subcommands); i++)
		if (!strcmp(p->argv[p->next], subcommands[i].name))
			s = &subcommands[i];
	if (s) {
		p->o->action = s->action;
		p->next++;
	}
	while (p->next < p->argc && parser_goes_on(p)) {
		const char *word = p->argv[p->next++];
		int r;

		if (!strcmp(word, "--") && s)
			return options_usage(p->e, "leaktrace %s starts no command%s", s->name,
					     subcommand_takes(s, find_letter('p')) ? ": name a process with -p PID"
										   : "");
		if (!strcmp(word, "--"))
			return parse_rest(p);
		if (!strncmp(word, "--", 2))
			r = parse_long(p, word + 2);
		else if (word[0] == '-' && word[1])
			r = parse_letters(p, word + 1);
		else
			r = options_usage(p->e,
					  "unexpected argument '%.64s': a command stands "
					  "behind --, a process id behind -p " TRY_HELP,
					  word);
		if (r)
			return r;
	}
	return 0;
}

static int check_text_or_json(const struct options *o, const char *subcommand, struct err *e)
{
	if (o->format && o->format != &report_writer_text && o->format != &report_writer_json)
		return options_usage(e, "leaktrace %s writes text or json, not %s", subcommand, o->format->name);
	return 0;
}

static int check_goroutines(const struct options *o, struct err *e)
{
	if (o->n_pids != 1)
		return options_usage(e, "leaktrace goroutines needs one process: name it with -p PID");
	return 0;
}

/* One way to say what is traced, and no other. */
static int check_target(const struct options *o, struct err *e)
{
	const struct {
		bool given;
		const char *name;
	} ways[] = {
		{ o->n_pids, "-p" }, { o->cgroups.n, "--cgroup" }, { o->containers.n, "--container" }, { o->all, "-a" },
		{ o->command, "a command" },
	};
	const char *first = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		if (ways[i].given && first)
			return options_usage(e, "%s and %s exclude each other: leave one out", first, ways[i].name);
		first = ways[i].given ? ways[i].name : first;
	}
	if (!first)
		return options_usage(e, "nothing to trace: name a process with -p PID, a control group with --cgroup, a "
				     "container with --container, or a command behind -- " TRY_HELP);
	return 0;
}

/* What is asked of processes that are named, and makes no sense, or is too much, of whoever may come. */
static int check_scope(const struct options *o, struct err *e)
{
	if (!options_have_scope(o))
		return 0;
	if (o->no_follow)
		return options_usage(e, "--no-follow belongs to -p or a command: of a control group, of a container and with "
				     "-a all processes are traced, children or not");
	if (o->go_enable_profile)
		return options_usage(e, "--go-enable-profile writes to a process: name it with -p PID");
	return 0;
}

static int check(const struct options *o, struct err *e)
{
	int r;

	if (o->leaks)
		return options_usage(e, "--leaks belongs to leaktrace goroutines; reports say it in any case");
	r = check_target(o, e);
	if (r)
		return r;
	r = check_scope(o, e);
	if (r)
		return r;
	if (o->pass_status && !o->command)
		return options_usage(e, "--pass-status belongs to a command: name one behind -- " TRY_HELP);
	if (o->verbose && o->quiet)
		return options_usage(e, "--verbose and --quiet exclude each other: leave one out");
	if (o->min_size > o->max_size)
		return options_usage(e,
				     "no allocation has at least %llu (--min-size) and at most "
				     "%llu bytes (--max-size)",
				     (unsigned long long)o->min_size,
				     (unsigned long long)o->max_size);
	if (o->memory && o->memory < table_sizes_least(o->kinds))
		return options_usage(e, "--memory: tables for what is to be traced take at least %lluK",
				     (unsigned long long)(table_sizes_least(o->kinds) + 1023) >> 10);
	if (o->duration_ns && o->older_ns >= o->duration_ns)
		return options_usage(e, "nothing can be held for longer than --older within a "
					"--duration that is no longer: trace longer");
	return 0;
}

/* -- the format that a file's name asks for ---------------------------------------------------- */

static const char *report_extension(size_t i)
{
	for (size_t k = 0; report_writers()[k]; k++)
		for (const char *const *ext = report_writers()[k]->extensions; *ext; ext++)
			if (!i--)
				return *ext;
	return NULL;
}

/* An extension that is not known is a mistake: it would be found out long after what the file holds. */
static int unknown_extension(const char *path, const char *(*extension)(size_t i), struct err *e)
{
	_cleanup_(strbuf_deinit) struct strbuf known = { 0 };
	const char *base = strrchr(path, '/'), *ext;

	base = base ? base + 1 : path;
	if (!*base || !strchr(base + 1, '.'))
		return 0;
	for (size_t i = 0; (ext = extension(i)); i++)
		strbuf_addf(&known, "%s%s", i ? " " : "", ext);
	if (known.oom)
		return -ENOMEM;
	return options_usage(e, "--output: what '%.64s' is to hold is not known by its extension (known: %s): say it "
			     "with --format", base, known.s);
}

static int choose_format(struct options *o, struct err *e)
{
	if (!o->output || o->format_given || o->action >= OPTIONS_HELP)
		return 0;
	if (o->action == OPTIONS_GOROUTINES)
		return goroutines_format_by_path(o->output, &o->goroutines_format)
			       ? 0 : unknown_extension(o->output, goroutines_format_extension, e);
	o->format = report_writer_by_path(o->output);
	return o->format ? 0 : unknown_extension(o->output, report_extension, e);
}

/* What follows from the other options. */
static void fill_in(struct options *o)
{
	if (!o->format)
		o->format = report_writers()[0];
	if (!o->interval_ns && !o->duration_ns && o->format->periodic)
		o->interval_ns = DEFAULT_INTERVAL;
}

int options_parse(int argc, char **argv, struct options *ret, struct err *e)
{
	struct options o = {
		.kinds = (1U << LT_KIND_MAX) - 1,
		.max_size = UINT64_MAX,
		.top = DEFAULT_TOP,
	};
	struct parser p = { .argv = argv, .argc = argc, .next = 1, .o = &o, .e = e };
	int r = parse_all(&p);

	if (!r)
		r = choose_format(&o, e);
	if (!r && o.action == OPTIONS_TRACE)
		r = check(&o, e);
	if (!r && o.action == OPTIONS_DOCTOR)
		r = check_text_or_json(&o, "doctor", e);
	if (!r && o.action == OPTIONS_CONTAINERS)
		r = check_text_or_json(&o, "containers", e);
	if (!r && o.action == OPTIONS_GOROUTINES)
		r = check_goroutines(&o, e);
	if (r) {
		options_deinit(&o);
		return r == -ENOMEM ? err_set(e, r, "out of memory") : r;
	}
	fill_in(&o);
	*ret = o;
	return 0;
}

bool options_have_scope(const struct options *o)
{
	return o->cgroups.n || o->containers.n || o->all;
}

void options_deinit(struct options *o)
{
	free(o->pids);
	vec_free(&o->cgroups);
	vec_free(&o->containers);
	free(o->words.argv);
	*o = (struct options){ 0 };
}

void options_filter(const struct options *o, struct strbuf *b)
{
	if (o->older_ns)
		strbuf_addf(b, "held for longer than %s",
			    units_duration((double)o->older_ns / 1e9).s);
	if (o->min_size)
		strbuf_addf(b, "%sallocations of at least %s bytes", b->n ? ", " : "",
			    units_count(o->min_size).s);
	if (o->max_size != UINT64_MAX)
		strbuf_addf(b, "%sallocations of at most %s bytes", b->n ? ", " : "",
			    units_count(o->max_size).s);
}
