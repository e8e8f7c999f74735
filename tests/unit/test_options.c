// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <leaktrace/types.h>
#include "app/goroutines.h"
#include "app/help.h"
#include "base/strbuf.h"

#define S	  1000000000ULL
#define ARGS_MAX  32
#define ARGS(...) ((const char *const[]){ "leaktrace", __VA_ARGS__, NULL })

static int parse(const char *const *args, struct options *o, struct err *e)
{
	char *argv[ARGS_MAX];
	int argc = 0;

	/* getopt's signature; the words themselves are not written to */
	for (; args[argc]; argc++)
		argv[argc] = (char *)(uintptr_t)args[argc];
	argv[argc] = NULL;
	memset(e, 0, sizeof(*e));
	return options_parse(argc, argv, o, e);
}

static struct options parsed(const char *const *args)
{
	struct options o;
	struct err e;

	if (parse(args, &o, &e))
		fail_msg("refused: %s", e.text);
	return o;
}

/* -- values ----------------------------------------------------------------------------------- */

static void test_defaults(void **state)
{
	struct options o = parsed(ARGS("-p", "1"));

	assert_int_equal(o.action, OPTIONS_TRACE);
	assert_int_equal(o.n_pids, 1);
	assert_int_equal(o.pids[0], 1);
	assert_null(o.command);
	assert_int_equal(o.kinds, (1U << LT_KIND_MAX) - 1);
	assert_int_equal(o.duration_ns, 0);
	assert_int_equal(o.interval_ns, 10 * S);
	assert_int_equal(o.older_ns, 0);
	assert_int_equal(o.min_size, 0);
	assert_int_equal(o.max_size, UINT64_MAX);
	assert_int_equal(o.top, 10);
	assert_int_equal(o.sort, REPORT_SORT_AMOUNT);
	assert_ptr_equal(o.format, &report_writer_text);
	assert_null(o.output);
	assert_null(o.attach);
	assert_false(o.exact || o.per_process || o.all_frames || o.verbose || o.quiet);
	options_deinit(&o);
}

static void test_every_option(void **state)
{
	struct options o = parsed(ARGS("-p", "3,1", "--pid=2,1,3", "-w", "memory,memory", "-d5m",
				       "-i", "500ms", "-T0", "--sort", "age", "--older=1.5s",
				       "--min-size", "1K", "--max-size=2M", "-vo", "x.txt",
				       "-fjson", "--exact", "--per-process", "--all-frames", "--kernel-stacks", "--attach",
				       "perf"));

	assert_int_equal(o.n_pids, 3);
	assert_int_equal(o.pids[0], 3);
	assert_int_equal(o.pids[1], 1);
	assert_int_equal(o.pids[2], 2);
	assert_int_equal(o.kinds, LT_KINDS_MEMORY);
	assert_int_equal(o.duration_ns, 300 * S);
	assert_int_equal(o.interval_ns, S / 2);
	assert_int_equal(o.top, 0);
	assert_int_equal(o.sort, REPORT_SORT_AGE);
	assert_int_equal(o.older_ns, 3 * S / 2);
	assert_int_equal(o.min_size, 1024);
	assert_int_equal(o.max_size, 2 << 20);
	assert_string_equal(o.output, "x.txt");
	assert_ptr_equal(o.format, &report_writer_json);
	assert_string_equal(o.attach, "perf");
	assert_true(o.exact && o.per_process && o.all_frames && o.kernel_stacks && o.verbose && !o.quiet);
	options_deinit(&o);
}

static void test_scopes(void **state)
{
	struct options o = parsed(ARGS("--cgroup", "/a", "--cgroup=b/c"));

	assert_int_equal(o.cgroups.n, 2);
	assert_string_equal(o.cgroups.items[0], "/a");
	assert_string_equal(o.cgroups.items[1], "b/c");
	assert_true(options_have_scope(&o) && !o.all && !o.containers.n);
	options_deinit(&o);
	o = parsed(ARGS("--container", "web", "--container", "web"));
	assert_int_equal(o.containers.n, 2);
	assert_true(options_have_scope(&o) && !o.all && !o.cgroups.n);
	options_deinit(&o);
	o = parsed(ARGS("-ad5"));
	assert_true(options_have_scope(&o) && o.all);
	options_deinit(&o);
	o = parsed(ARGS("-p1"));
	assert_false(options_have_scope(&o));
	options_deinit(&o);
}

/* A name stands for the kind in all of its states. */
static void test_kinds(void **state)
{
	const struct {
		const char *list;
		uint32_t kinds;
	} cases[] = {
		{ "memory", LT_KINDS_MEMORY },
		{ "fd,memory", LT_KINDS_MEMORY | 1U << LT_KIND_FD },
		{ "goroutine", 1U << LT_KIND_GOROUTINE },
		{ "connection", 1U << LT_KIND_CONNECTION | 1U << LT_KIND_LISTENER },
		{ "thread,thread", 1U << LT_KIND_THREAD | 1U << LT_KIND_UNJOINED },
		{ "process", 1U << LT_KIND_ZOMBIE | 1U << LT_KIND_CHILD },
		{ "memory,connection,fd,thread,process,goroutine", LT_KINDS_ALL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct options o = parsed(ARGS("-p1", "-w", cases[i].list));

		assert_int_equal(o.kinds, cases[i].kinds);
		options_deinit(&o);
	}
}

static void test_names_are_unique(void **state)
{
	for (size_t i = 0; i < options_table_n; i++)
		for (size_t k = 0; k < i; k++) {
			assert_string_not_equal(options_table[i].name, options_table[k].name);
			if (options_table[i].letter)
				assert_int_not_equal(options_table[i].letter,
						     options_table[k].letter);
		}
}

static void test_format_follows_the_file(void **state)
{
	const struct {
		const char *const *args;
		const struct report_writer *format;
	} cases[] = {
		{ ARGS("-p1", "-o", "a/b.json"), &report_writer_json },
		{ ARGS("-p1", "-o", "b.txt"), &report_writer_text },
		{ ARGS("-p1", "-o", "/dev/null"), &report_writer_text },
		{ ARGS("-p1", "-o", "r.d/report"), &report_writer_text },
		{ ARGS("-p1", "-o", ".report"), &report_writer_text },
		{ ARGS("-p1", "-f", "json", "-o", "b.log"), &report_writer_json },
		{ ARGS("doctor", "-o", "r.json"), &report_writer_json },
		{ ARGS("-p1", "-o", "json"), &report_writer_text },
		{ ARGS("-p1", "-o", "b.txt", "-f", "json"), &report_writer_json },
		{ ARGS("-p1", "-f", "text", "-o", "b.json"), &report_writer_text },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct options o = parsed(cases[i].args);

		assert_ptr_equal(o.format, cases[i].format);
		options_deinit(&o);
	}
}

static void test_intervals(void **state)
{
	const struct {
		const char *const *args;
		uint64_t interval_ns;
	} cases[] = {
		{ ARGS("-p1"), 10 * S },
		{ ARGS("-p1", "-d", "60"), 0 },
		{ ARGS("-p1", "-d", "60", "-i", "5"), 5 * S },
		{ ARGS("-p1", "-f", "json"), 0 },
		{ ARGS("-p1", "-f", "json", "-i", "2"), 2 * S },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct options o = parsed(cases[i].args);

		assert_int_equal(o.interval_ns, cases[i].interval_ns);
		options_deinit(&o);
	}
}

static void test_format_of_goroutines(void **state)
{
	const struct {
		const char *const *args;
		const char *format;
	} cases[] = {
		{ ARGS("goroutines", "-p1"), "text" },
		{ ARGS("goroutines", "-p1", "-o", "r.pb.gz"), "pprof" },
		{ ARGS("goroutines", "-p1", "-o", "r.json", "-f", "text"), "text" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct options o = parsed(cases[i].args);

		assert_string_equal(goroutines_format_name(o.goroutines_format), cases[i].format);
		options_deinit(&o);
	}
}

static void test_containers(void **state)
{
	struct options o = parsed(ARGS("containers", "-qf", "json"));

	assert_int_equal(o.action, OPTIONS_CONTAINERS);
	assert_ptr_equal(o.format, &report_writer_json);
	options_deinit(&o);
	o = parsed(ARGS("containers", "-o", "x.json"));
	assert_ptr_equal(o.format, &report_writer_json);
	options_deinit(&o);
	o = parsed(ARGS("containers"));
	assert_ptr_equal(o.format, &report_writer_text);
	options_deinit(&o);
}

static void test_output_to_stdout(void **state)
{
	struct options o = parsed(ARGS("-p1", "-o", "x", "-o", "-"));

	assert_null(o.output);
	options_deinit(&o);
}

static void test_command_behind_dashes(void **state)
{
	struct options o = parsed(ARGS("-v", "--", "./a", "-p", "--", "--help"));

	assert_string_equal(o.command[0], "./a");
	assert_string_equal(o.command[1], "-p");
	assert_string_equal(o.command[2], "--");
	assert_string_equal(o.command[3], "--help");
	assert_null(o.command[4]);
	assert_false(o.command_is_shell);
	options_deinit(&o);
}

static void test_actions(void **state)
{
	static const struct {
		const char *word;
		enum options_action action;
	} cases[] = {
		{ "--help", OPTIONS_HELP },
		{ "--version", OPTIONS_VERSION },
		{ "--help-man", OPTIONS_MAN },
		{ "--help-completion", OPTIONS_COMPLETION },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		/* without a target, and before anything that is wrong */
		struct options o = parsed(ARGS(cases[i].word, "--no-such-option"));

		assert_int_equal(o.action, cases[i].action);
		options_deinit(&o);
	}
}

static void test_doctor(void **state)
{
	struct options o = parsed(ARGS("doctor"));

	assert_int_equal(o.action, OPTIONS_DOCTOR);
	assert_int_equal(o.n_pids, 0);
	options_deinit(&o);
	o = parsed(ARGS("doctor", "-p1,2", "-w", "fd", "-fjson", "--hooks", "kprobe"));
	assert_int_equal(o.action, OPTIONS_DOCTOR);
	assert_int_equal(o.n_pids, 2);
	assert_int_equal(o.kinds, 1U << LT_KIND_FD);
	assert_ptr_equal(o.format, &report_writer_json);
	assert_string_equal(o.hooks, "kprobe");
	options_deinit(&o);
	o = parsed(ARGS("doctor", "--help"));
	assert_int_equal(o.action, OPTIONS_HELP);
	options_deinit(&o);
}

static void test_filter_in_words(void **state)
{
	struct options o =
		parsed(ARGS("-p1", "--older", "1.5m", "--min-size", "1500", "--max-size", "2M"));
	struct strbuf b = { 0 };

	options_filter(&o, &b);
	assert_string_equal(b.s,
			    "held for longer than 1m 30s, allocations of at least 1,500 bytes, "
			    "allocations of at most 2,097,152 bytes");
	options_deinit(&o);
	strbuf_deinit(&b);
	o = parsed(ARGS("-p1"));
	options_filter(&o, &b);
	assert_int_equal(b.n, 0);
	options_deinit(&o);
}

/* -- refusals --------------------------------------------------------------------------------- */

static const struct {
	const char *const *args;
	const char *names; /* what the message has to name */
} refusals[] = {
	{ (const char *const[]){ "leaktrace", NULL }, "-p PID" },
	{ ARGS("--foo"), "'--foo' (try 'leaktrace --help')" },
	{ ARGS("--foo=1", "-p", "1"), "'--foo'" },
	{ ARGS("-z"), "'-z'" },
	{ ARGS("-vz"), "'-z'" },
	{ ARGS("--dur", "1"), "'--dur'" },
	{ ARGS("---pid", "1"), "'---pid'" },
	{ ARGS("--=1"), "'--'" },
	{ ARGS("--allocator", "x", "-p", "1"), "'--allocator'" },
	{ ARGS("--object", "x", "-p", "1"), "'--object'" },
	{ ARGS("--prefix", "x", "-p", "1"), "'--prefix'" },
	{ ARGS("1234"), "'1234'" },
	{ ARGS("-p", "1", "-"), "'-'" },
	{ ARGS("-p", "1", ""), "''" },
	{ ARGS("-p"), "--pid needs an argument" },
	{ ARGS("-p", "1", "--top"), "--top needs an argument" },
	{ ARGS("-p", "1", "--exact=yes"), "--exact takes no argument" },
	{ ARGS("-p", "0"), "'0' is not a process id" },
	{ ARGS("-p", "-1"), "'-1'" },
	{ ARGS("-p", "x"), "'x'" },
	{ ARGS("-p", "1x"), "'1x'" },
	{ ARGS("-p", "1,"), "''" },
	{ ARGS("-p", ",1"), "''" },
	{ ARGS("-p", ""), "''" },
	{ ARGS("-p", "2147483648"), "'2147483648'" },
	{ ARGS("-p", "99999999999999999999"), "'99999999999999999999'" },
	{ ARGS("-p", "1", "-w", "memory,socket"),
	  "'socket' (it knows: memory, connection, fd, thread, process, goroutine)" },
	{ ARGS("-p", "1", "-w", ""), "''" },
	{ ARGS("-p", "1", "-w", "memoryx"), "'memoryx'" },
	{ ARGS("-p", "1", "--sort", "growth"), "'growth' (it knows: amount, count, age)" },
	{ ARGS("-p", "1", "-f", "svg"), "'svg' (it knows: text, json)" },
	{ ARGS("-p", "1", "--attach", "x"), "'x' (it knows: session, multi, perf)" },
	{ ARGS("-p", "1", "-d", "soon"), "--duration: 'soon'" },
	{ ARGS("-p", "1", "-d", "0"), "--duration" },
	{ ARGS("-p", "1", "-i", "0ms"), "--interval" },
	{ ARGS("-p", "1", "--older", "-5"), "--older: '-5'" },
	{ ARGS("-p", "1", "-d", "99999999999h"), "--duration: 99999999999h is too large" },
	{ ARGS("-p", "1", "--min-size", "1KB"), "--min-size: '1KB'" },
	{ ARGS("-p", "1", "-T", "-1"), "--top: '-1'" },
	{ ARGS("-p", "1", "-T", "4294967296"), "--top" },
	{ ARGS("-p", "1", "-o", ""), "--output" },
	{ ARGS("-p", "1", "-o", "a.json/r.pb.gz"), "'r.pb.gz' is to hold is not known by its extension (known: .txt .json" },
	{ ARGS("doctor", "-o", "r.xml"), "'r.xml'" },
	{ ARGS("goroutines", "-p1", "-o", "r.svg"), "(known: .txt .json .pb.gz)" },
	{ ARGS("containers", "-p1"), "leaktrace containers takes no --pid" },
	{ ARGS("containers", "-o", "r.svg"), "(known: .txt .json" },
	{ ARGS("containers", "web"), "unexpected argument 'web'" },
	{ ARGS("containers", "--", "ls"), "leaktrace containers starts no command" },
	{ ARGS("doctor", "--", "ls"), "starts no command: name a process with -p PID" },
	{ ARGS("-p", "1", "--min-size", "5", "--max-size", "4"), "--max-size" },
	{ ARGS("-p", "1", "-d", "5", "--older", "5"), "--older" },
	{ ARGS("-p", "1", "-q", "-v"), "--quiet" },
	{ ARGS("-p", "1", "--", "true"), "-p" },
	{ ARGS("-p", "1", "-c", "true"), "-p" },
	{ ARGS("-p", "1", "-a"), "-p and -a exclude each other" },
	{ ARGS("-a", "--cgroup", "/a"), "--cgroup and -a exclude each other" },
	{ ARGS("--cgroup", "/a", "--container=b"), "--cgroup and --container exclude each other" },
	{ ARGS("--container", "b", "--", "true"), "--container and a command exclude each other" },
	{ ARGS("--cgroup", ""), "--cgroup is empty: it needs a PATH" },
	{ ARGS("--container="), "--container is empty: it needs a NAME" },
	{ ARGS("-a", "--no-follow"), "--no-follow belongs to -p or a command" },
	{ ARGS("--cgroup", "/a", "--go-enable-profile"), "--go-enable-profile writes to a process" },
	{ ARGS("-a", "--pass-status"), "--pass-status" },
	{ ARGS("doctor", "-a"), "leaktrace doctor takes no --all" },
	{ ARGS("-d", "5"), "a process with -p PID, a control group with --cgroup, a container with --container, or a command" },
	{ ARGS("-c", "true", "--", "true"), "--command" },
	{ ARGS("-c", "a 'b"), "quote" },
	{ ARGS("-c", " "), "no command" },
	{ ARGS("--"), "after --" },
	{ ARGS("doctor", "-d5"), "no --duration" },
	{ ARGS("doctor", "--", "true"), "no command" },
	{ ARGS("-p1", "doctor"), "doctor" },
	{ ARGS("--", ""), "after --" },
};

static void test_refusals(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct options o;
		struct err e;
		int r = parse(refusals[i].args, &o, &e);

		if (r != -EINVAL || !strstr(e.text, refusals[i].names))
			fail_msg("case %zu, '%s': %d, %s", i, refusals[i].names, r, e.text);
	}
}

static void test_long_words_fit_the_message(void **state)
{
	_cleanup_free_ char *word = malloc(100001);
	struct options o;
	struct err e;

	memset(word, 'x', 100000);
	word[100000] = '\0';
	word[0] = word[1] = '-';
	assert_int_equal(parse(ARGS(word), &o, &e), -EINVAL);
	assert_non_null(strstr(e.text, "(try 'leaktrace --help')"));
	assert_int_equal(parse(ARGS("-p", word), &o, &e), -EINVAL);
	assert_non_null(strstr(e.text, "is not a process id"));
}

/* -- the command of -c ------------------------------------------------------------------------ */

static const struct {
	const char *text;
	const char *want; /* the words, each in brackets */
	bool shell;
} commands[] = {
	{ "./a", "[./a]", false },
	{ " ./a  b\t'c d' \"e f\" ", "[./a][b][c d][e f]", false },
	{ "a '' \"\"", "[a][][]", false },
	{ "a b\\ c \\'d", "[a][b c]['d]", false },
	{ "a 'x\"$y;' \"x'\\\"\\$\\n\"", "[a][x\"$y;][x'\"$\\n]", false },
	{ "a\\\nb", "[ab]", false },
	{ "a b=c", "[a][b=c]", false },
	{ "'if' x", "[if][x]", false },
	{ "a >out 2>&1", "[/bin/sh][-c][exec a >out 2>&1]", false },
	{ "a $HOME", "[/bin/sh][-c][exec a $HOME]", false },
	{ "a \"$HOME\"", "[/bin/sh][-c][exec a \"$HOME\"]", false },
	{ "a *.c", "[/bin/sh][-c][exec a *.c]", false },
	{ "~/a", "[/bin/sh][-c][exec ~/a]", false },
	{ "A=1 b", "[/bin/sh][-c][exec env A=1 b]", false },
	{ "exec a", "[/bin/sh][-c][exec a]", false },
	{ "a; b", "[/bin/sh][-c][a; b]", true },
	{ "a && b", "[/bin/sh][-c][a && b]", true },
	{ "a|b", "[/bin/sh][-c][a|b]", true },
	{ "a &", "[/bin/sh][-c][a &]", true },
	{ "a\nb", "[/bin/sh][-c][a\nb]", true },
	{ "(a)", "[/bin/sh][-c][(a)]", true },
	{ "a `b`", "[/bin/sh][-c][a `b`]", true },
	{ "a \"$(b; c)\"", "[/bin/sh][-c][a \"$(b; c)\"]", true },
	{ "exec a; b", "[/bin/sh][-c][exec a; b]", true },
	{ "cd /", "[/bin/sh][-c][cd /]", true },
	{ "! a", "[/bin/sh][-c][! a]", true },
};

static void test_commands(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
		struct options o = parsed(ARGS("-c", commands[i].text));

		for (size_t k = 0; o.command[k]; k++)
			strbuf_addf(&b, "[%s]", o.command[k]);
		assert_string_equal(b.s, commands[i].want);
		assert_int_equal(o.command_is_shell, commands[i].shell);
		options_deinit(&o);
	}
}

/* -- drift: the table against what people read ------------------------------------------------ */

static char *printed(enum options_action action)
{
	char *s = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&s, &n);

	assert_non_null(f);
	assert_int_equal(help_print(action, f), 0);
	fclose(f);
	return s;
}

static bool is_name_char(char c)
{
	return c == '-' || (c >= 'a' && c <= 'z');
}

/* Whether `s` has `word` with nothing of an option's name around it. */
static bool has_word(const char *s, const char *word)
{
	for (const char *at = s; (at = strstr(at, word)); at++)
		if ((at == s || !is_name_char(at[-1])) && !is_name_char(at[strlen(word)]))
			return true;
	return false;
}

static void want_in_help(const struct options_row *row, struct strbuf *b)
{
	if (row->letter)
		strbuf_addf(b, "-%c, ", row->letter);
	strbuf_addf(b, "--%s%s%s", row->name, row->arg ? " " : "", row->arg ? row->arg : "");
}

static void want_in_man(const struct options_row *row, struct strbuf *b)
{
	strbuf_adds(b, ".It ");
	if (row->letter)
		strbuf_addf(b, "Fl %c , ", row->letter);
	strbuf_addf(b, "Fl -%s%s%s\n", row->name, row->arg ? " Ar " : "", row->arg ? row->arg : "");
}

static void want_in_completion(const struct options_row *row, struct strbuf *b)
{
	if (row->letter)
		strbuf_addf(b, "-%c ", row->letter);
	strbuf_addf(b, "--%s", row->name);
}

/* Every option is shown with its letter and its argument; hidden ones are not shown at all. */
static void test_all_listings_show_the_table(void **state)
{
	static const struct {
		enum options_action action;
		void (*want)(const struct options_row *row, struct strbuf *b);
	} listings[] = {
		{ OPTIONS_HELP, want_in_help },
		{ OPTIONS_MAN, want_in_man },
		{ OPTIONS_COMPLETION, want_in_completion },
	};

	for (size_t i = 0; i < ARRAY_SIZE(listings); i++) {
		_cleanup_free_ char *text = printed(listings[i].action);

		for (size_t k = 0; k < options_table_n; k++) {
			const struct options_row *row = &options_table[k];
			_cleanup_(strbuf_deinit) struct strbuf want = { 0 };
			bool hidden = row->section == SECTION_HIDDEN;

			listings[i].want(row, &want);
			if (has_word(text, want.s) == hidden || (hidden && strstr(text, row->name)))
				fail_msg("listing %zu: '%s' is %s", i, want.s,
					 hidden ? "shown" : "missing");
		}
	}
}

static void test_help_fits_a_terminal(void **state)
{
	_cleanup_free_ char *text = printed(OPTIONS_HELP);

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (strlen(line) > 80 || line[strlen(line) - 1] == ' ')
			fail_msg("too wide, or ends in a space: '%s'", line);
}

static void test_choices_are_shown(void **state)
{
	_cleanup_free_ char *help = printed(OPTIONS_HELP),
			    *completion = printed(OPTIONS_COMPLETION);

	for (size_t i = 0; i < options_table_n; i++) {
		const struct options_row *row = &options_table[i];
		const char *word;

		if (row->section == SECTION_HIDDEN || !row->choice)
			continue;
		for (size_t k = 0; (word = row->choice(k)); k++)
			if (!has_word(help, word) || !has_word(completion, word))
				fail_msg("--%s %s is not shown", row->name, word);
	}
}

static void test_version(void **state)
{
	_cleanup_free_ char *text = printed(OPTIONS_VERSION);

	assert_string_equal(text, "leaktrace " LEAKTRACE_VERSION "\n");
}

/* -- drift: README.md ------------------------------------------------------------------------- */

/* The index of the row that "-d" or "--duration" names. */
static size_t row_of(const char *word, size_t n)
{
	for (size_t i = 0; i < options_table_n; i++) {
		const struct options_row *row = &options_table[i];

		if (row->section != SECTION_HIDDEN &&
		    ((n == 2 && word[1] == row->letter) ||
		     (n == strlen(row->name) + 2 && !strncmp(word, "--", 2) &&
		      !strncmp(word + 2, row->name, n - 2))))
			return i;
	}
	fail_msg("README.md: '%.*s' is no option", (int)n, word);
	return SIZE_MAX;
}

/* One span of code, "-d, --duration TIME": marks the rows it names. */
static void read_span(char *span, bool *seen)
{
	const char *takes, *arg = NULL;
	char *save = NULL;
	size_t row = SIZE_MAX;

	if (*span != '-' || !strcmp(span, "--") || !strncmp(span, "-- ", 3))
		return;
	for (char *word = strtok_r(span, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		word += strspn(word, " ");
		if (*word != '-') /* the rest of an argument, as in PID[,PID...] */
			continue;
		arg = strchr(word, ' ');
		row = row_of(word, strcspn(word, " "));
		seen[row] = true;
	}
	if (row == SIZE_MAX)
		return;
	takes = options_table[row].arg ? options_table[row].arg : "";
	arg = arg ? arg + 1 : "";
	/* strtok has cut it at its first comma */
	if (strncmp(takes, arg, strlen(arg)) || !*takes != !*arg)
		fail_msg("README.md: --%s takes '%s', not '%s'", options_table[row].name, takes,
			 arg);
}

/* The first cell of a row of a table of options: "| `-v`, `--quiet` | ... |". */
static void read_row(char *line, bool *seen)
{
	char *from = line, *to = line, *end;

	for (; *from && !(*from == '|' && from > line && from[-1] != '\\'); from++)
		if (*from != '\\')
			*to++ = *from;
	*to = '\0';
	for (char *tick = strchr(line, '`'); tick; tick = strchr(end + 1, '`')) {
		end = strchr(tick + 1, '`');
		if (!end)
			return;
		*end = '\0';
		read_span(tick + 1, seen);
	}
}

static void test_readme_shows_the_table(void **state)
{
	_cleanup_fclose_ FILE *f = fopen("README.md", "re");
	_cleanup_free_ char *line = NULL;
	bool seen[64] = { false };
	size_t cap = 0;

	assert_true(options_table_n <= ARRAY_SIZE(seen));
	if (!f)
		fail_msg("README.md cannot be read; run from the top of the tree");
	while (getline(&line, &cap, f) > 0)
		if (!strncmp(line, "| `-", 4))
			read_row(line, seen);
	for (size_t i = 0; i < options_table_n; i++)
		if (!seen[i] && options_table[i].section != SECTION_HIDDEN)
			fail_msg("README.md: --%s is missing", options_table[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_option),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_names_are_unique),
		cmocka_unit_test(test_format_follows_the_file),
		cmocka_unit_test(test_intervals),
		cmocka_unit_test(test_format_of_goroutines),
		cmocka_unit_test(test_containers),
		cmocka_unit_test(test_output_to_stdout),
		cmocka_unit_test(test_command_behind_dashes),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_doctor),
		cmocka_unit_test(test_filter_in_words),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_long_words_fit_the_message),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_all_listings_show_the_table),
		cmocka_unit_test(test_help_fits_a_terminal),
		cmocka_unit_test(test_choices_are_shown),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_readme_shows_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
