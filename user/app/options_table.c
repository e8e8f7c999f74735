// SPDX-License-Identifier: Apache-2.0
#include "app/options_table.h"
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <leaktrace/types.h>
#include "app/goroutines.h"
#include "base/units.h"
#include "probe/hooks.h"

#define FIELD(type, row, o) ((type *)(void *)((char *)(o) + (row)->offset))

int options_usage(struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* -- words ------------------------------------------------------------------------------------ */

static const char *const kinds[LT_KIND_MAX] = {
#define X(name, kind, state, unit) kind,
	LT_KINDS(X)
#undef X
};

/* Each name once, although kinds with several states have several rows. */
static const char *choice_kind(size_t i)
{
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		if ((!k || strcmp(kinds[k], kinds[k - 1])) && !i--)
			return kinds[k];
	return NULL;
}

static const char *choice_sort(size_t i)
{
	static const char *const names[] = {
		[REPORT_SORT_AMOUNT] = "amount",
		[REPORT_SORT_COUNT] = "count",
		[REPORT_SORT_AGE] = "age",
	};

	_Static_assert(ARRAY_SIZE(names) == REPORT_SORT_MAX, "a name for each order");
	return i < ARRAY_SIZE(names) ? names[i] : NULL;
}

static const char *choice_format(size_t i)
{
	return report_writers()[i] ? report_writers()[i]->name : NULL;
}

static const char *choice_attach(size_t i)
{
	static const char *const names[] = { "session", "multi", "perf" };

	return i < ARRAY_SIZE(names) ? names[i] : NULL;
}

static const char *choice_hooks(size_t i)
{
	return hook_way_name((enum hook_way)i);
}

/* The index of the word [s, s + n) among the row's choices, or -EINVAL with the message. */
static int choose(const struct options_row *row, const char *s, size_t n, struct err *e)
{
	_cleanup_(strbuf_deinit) struct strbuf known = { 0 };
	const char *word;

	for (size_t i = 0; (word = row->choice(i)); i++) {
		if (strlen(word) == n && !strncmp(word, s, n))
			return (int)i;
		strbuf_addf(&known, "%s%s", i ? ", " : "", word);
	}
	if (known.oom)
		return -ENOMEM;
	return options_usage(e, "--%s does not know '%.*s' (it knows: %s)", row->name,
			     (int)(n < 64 ? n : 64), s, known.s);
}

/* -- setters ---------------------------------------------------------------------------------- */

static int set_true(const struct options_row *row, const char *arg, struct options *o,
		    struct err *e)
{
	*FIELD(bool, row, o) = true;
	return 0;
}

/* What was asked for first is done; nothing after it is looked at. */
static int set_action(const struct options_row *row, const char *arg, struct options *o,
		      struct err *e)
{
	o->action = (enum options_action)row->value;
	return 0;
}

static int set_string(const struct options_row *row, const char *arg, struct options *o,
		      struct err *e)
{
	if (!*arg)
		return options_usage(e, "--%s is empty: it needs a %s", row->name, row->arg);
	*FIELD(const char *, row, o) = arg;
	return 0;
}

static int set_output(const struct options_row *row, const char *arg, struct options *o,
		      struct err *e)
{
	int r = set_string(row, arg, o, e);

	if (!r && !strcmp(arg, "-"))
		o->output = NULL;
	return r;
}

static int bad_number(const struct options_row *row, const char *arg, int r, const char *what,
		      struct err *e)
{
	if (r == -ERANGE)
		return options_usage(e, "--%s: %.64s is too large", row->name, arg);
	return options_usage(e, "--%s: '%.64s' is not %s", row->name, arg, what);
}

static int set_time(const struct options_row *row, const char *arg, struct options *o,
		    struct err *e)
{
	int r = units_parse_time(arg, FIELD(uint64_t, row, o));

	return r ? bad_number(row, arg, r, "a time (a number and ms, s, m or h, as in 30s)", e) : 0;
}

static int set_period(const struct options_row *row, const char *arg, struct options *o,
		      struct err *e)
{
	int r = set_time(row, arg, o, e);

	if (!r && !*FIELD(uint64_t, row, o))
		return options_usage(e, "--%s must be longer than 0", row->name);
	return r;
}

static int set_size(const struct options_row *row, const char *arg, struct options *o,
		    struct err *e)
{
	int r = units_parse_size(arg, FIELD(uint64_t, row, o));

	return r ? bad_number(row, arg, r, "a size (a number and K, M or G, as in 64K)", e) : 0;
}

static int set_memory(const struct options_row *row, const char *arg, struct options *o, struct err *e)
{
	int r = set_size(row, arg, o, e);

	return !r && !o->memory ? options_usage(e, "--memory must be more than 0") : r;
}

static int set_top(const struct options_row *row, const char *arg, struct options *o, struct err *e)
{
	uint64_t n;
	int r = units_parse_uint(arg, UINT_MAX, &n);

	if (r)
		return bad_number(row, arg, r, "a number of stacks (0 shows all)", e);
	o->top = (unsigned int)n;
	return 0;
}

static int add_pid(pid_t pid, struct options *o)
{
	pid_t *pids;

	for (size_t i = 0; i < o->n_pids; i++)
		if (o->pids[i] == pid)
			return 0;
	pids = reallocarray(o->pids, o->n_pids + 1, sizeof(*pids));
	if (!pids)
		return -ENOMEM;
	o->pids = pids;
	o->pids[o->n_pids++] = pid;
	return 0;
}

static int add_pids(const struct options_row *row, const char *arg, struct options *o,
		    struct err *e)
{
	for (;; arg++) {
		size_t n = strcspn(arg, ",");
		char one[16] = "";
		uint64_t pid = 0;
		int r;

		if (n < sizeof(one))
			memcpy(one, arg, n);
		if (units_parse_uint(one, INT_MAX, &pid) || !pid)
			return options_usage(e, "--%s: '%.*s' is not a process id", row->name,
					     (int)(n < 64 ? n : 64), arg);
		r = add_pid((pid_t)pid, o);
		if (r)
			return r;
		arg += n;
		if (!*arg)
			return 0;
	}
}

static int add_word(const struct options_row *row, const char *arg, struct options *o, struct err *e)
{
	__typeof__(o->cgroups) *words = FIELD(__typeof__(o->cgroups), row, o);

	if (!*arg)
		return options_usage(e, "--%s is empty: it needs a %s", row->name, row->arg);
	return vec_push(words, arg);
}

static int set_kinds(const struct options_row *row, const char *arg, struct options *o,
		     struct err *e)
{
	o->kinds = 0;
	for (;; arg++) {
		size_t n = strcspn(arg, ",");
		int name = choose(row, arg, n, e);

		if (name < 0)
			return name;
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
			if (!strcmp(kinds[k], choice_kind((size_t)name)))
				o->kinds |= 1U << k;
		arg += n;
		if (!*arg)
			return 0;
	}
}

static int set_sort(const struct options_row *row, const char *arg, struct options *o,
		    struct err *e)
{
	int i = choose(row, arg, strlen(arg), e);

	if (i < 0)
		return i;
	o->sort = (enum report_sort)i;
	return 0;
}

static int set_format(const struct options_row *row, const char *arg, struct options *o,
		      struct err *e)
{
	static const struct options_row goroutines = { .name = "format", .choice = goroutines_format_name };
	int i = choose(o->action == OPTIONS_GOROUTINES ? &goroutines : row, arg, strlen(arg), e);

	o->format_given = true;
	if (i >= 0 && o->action == OPTIONS_GOROUTINES) {
		o->goroutines_format = (size_t)i;
		return 0;
	}
	if (i < 0)
		return i;
	o->format = report_writers()[i];
	return 0;
}

static int set_attach(const struct options_row *row, const char *arg, struct options *o,
		      struct err *e)
{
	int i = choose(row, arg, strlen(arg), e);

	if (i < 0)
		return i;
	o->attach = row->choice((size_t)i);
	return 0;
}

static int set_hooks(const struct options_row *row, const char *arg, struct options *o, struct err *e)
{
	int i = choose(row, arg, strlen(arg), e);

	if (i < 0)
		return i;
	o->hooks = row->choice((size_t)i);
	return 0;
}

static int set_command(const struct options_row *row, const char *arg, struct options *o,
		       struct err *e)
{
	struct shellwords words = { 0 };
	int r = shellwords_parse(arg, &words);

	if (r == -EINVAL)
		return options_usage(e, "--%s: %s", row->name,
				     arg[strspn(arg, " \t")] ? "a quote is left open"
							     : "there is no command in it");
	if (r)
		return r;
	free(o->words.argv);
	o->words = words;
	o->command = words.argv;
	o->command_is_shell = words.shell;
	return 0;
}

/* -- the table -------------------------------------------------------------------------------- */

#define AT(field) .offset = offsetof(struct options, field)

const struct options_row options_table[] = {
	{ "pid", 'p', "PID[,PID...]", "Trace these running processes", SECTION_TARGET, COMPLETE_PID,
	  .set = add_pids },
	{ "cgroup", 0, "PATH",
	  "Trace whoever is in this control group or below it, now and later: as /proc/PID/cgroup names it, or its "
	  "folder. May be given several times",
	  SECTION_TARGET, COMPLETE_FILE, .set = add_word, AT(cgroups) },
	{ "container", 0, "NAME",
	  "Trace whoever is in this container of docker, containerd, CRI-O, podman, runc, crun, LXC or systemd-nspawn, now "
	  "and later: a name, an id, the beginning of one of them, or a pod. May be given several times",
	  SECTION_TARGET, .set = add_word, AT(containers) },
	{ "all", 'a', NULL, "Trace all processes, now and later, but leaktrace itself", SECTION_TARGET, .set = set_true,
	  AT(all) },
	{ "command", 'c', "CMD",
	  "Start CMD, read as a shell would, and trace it from its first instruction. So does "
	  "-- CMD ARG... without a shell's reading",
	  SECTION_TARGET, COMPLETE_COMMAND, .set = set_command },

	{ "pass-status", 0, NULL,
	  "End with the exit status of the command, 128 + n when signal n killed it, unless leaktrace itself fails",
	  SECTION_TARGET, .set = set_true, AT(pass_status) },
	{ "no-follow", 0, NULL,
	  "Do not trace the children of the processes that are traced",
	  SECTION_TARGET, .set = set_true, AT(no_follow) },

	{ "what", 'w', "LIST", "Trace these kinds of resources, separated by commas; default: all",
	  SECTION_WHAT, .choice = choice_kind, .set = set_kinds },
	{ "older", 0, "TIME", "Report only what has been held for longer", SECTION_WHAT,
	  .set = set_time, AT(older_ns) },
	{ "min-size", 0, "N", "Trace only allocations of at least N bytes", SECTION_WHAT,
	  .set = set_size, AT(min_size) },
	{ "max-size", 0, "N", "Trace only allocations of at most N bytes", SECTION_WHAT,
	  .set = set_size, AT(max_size) },
	{ "exact", 0, NULL, "Record every allocation. This is the default", SECTION_WHAT,
	  .set = set_true, AT(exact) },

	{ "kernel-stacks", 0, NULL,
	  "Begin stacks in the kernel, but those of memory. Where descriptors are followed by the "
	  "tracepoints of system calls (see leaktrace doctor), that is where the call ends, and says little",
	  SECTION_WHAT, .set = set_true, AT(kernel_stacks) },

	{ "go-enable-profile", 0, NULL,
	  "Switch on the heap profile of a Go program that keeps none, by writing runtime.MemProfileRate in its "
	  "memory, and off again at the end. The only option that writes to a process",
	  SECTION_WHAT, .set = set_true, AT(go_enable_profile) },

	{ "leaks", 0, NULL,
	  "Of leaktrace goroutines: show only those that are leaked, that is, wait for what nobody can reach any "
	  "more. Reads the program's heap",
	  SECTION_WHAT, .set = set_true, AT(leaks) },

	{ "duration", 'd', "TIME",
	  "Stop after this time; default: at Ctrl-C, or when the target ends", SECTION_WHEN,
	  .set = set_period, AT(duration_ns) },
	{ "interval", 'i', "TIME",
	  "Print a report every so often, and one at the end; default: 10s for text without "
	  "--duration, else only at the end",
	  SECTION_WHEN, .set = set_period, AT(interval_ns) },

	{ "top", 'T', "N", "Show at most N stacks for each resource; default: 10, 0 shows all",
	  SECTION_HOW, .set = set_top },
	{ "sort", 0, "ORDER", "Show the stacks with the most of this first; default: amount",
	  SECTION_HOW, .choice = choice_sort, .set = set_sort },
	{ "per-process", 0, NULL,
	  "Show the stacks of each process by themselves; default: the same code in several processes is one stack",
	  SECTION_HOW, .set = set_true, AT(per_process) },
	{ "all-frames", 0, NULL, "Keep the frames inside the allocator and the C library", SECTION_HOW,
	  .set = set_true, AT(all_frames) },
	{ "format", 'f', "FORMAT",
	  "Write the reports like this; default: what the extension of --output says, text without one. "
	  "With --interval, json is one document a line",
	  SECTION_HOW, .choice = choice_format, .set = set_format },
	{ "output", 'o', "FILE",
	  "Write the reports to FILE, which is replaced once there is one; default: standard output", SECTION_HOW,
	  COMPLETE_FILE, .set = set_output, AT(output) },

	{ "memory", 0, "LIMIT",
	  "Take at most so much memory for tables in the kernel, even when they are full; what then finds no place in "
	  "them is counted as lost. Default: as much as tables take that have room for millions of blocks",
	  SECTION_OTHER, .set = set_memory, AT(memory) },
	{ "verbose", 'v', NULL, "Say more about what is being done", SECTION_OTHER, .set = set_true,
	  AT(verbose) },
	{ "quiet", 'q', NULL, "Say nothing but errors", SECTION_OTHER, .set = set_true, AT(quiet) },
	{ "help", 0, NULL, "Print this help", SECTION_OTHER, .set = set_action,
	  .value = OPTIONS_HELP },
	{ "version", 0, NULL, "Print the version", SECTION_OTHER, .set = set_action,
	  .value = OPTIONS_VERSION },

	{ "attach", 0, "KIND", "Use this kind of probe and no other", SECTION_HIDDEN,
	  .choice = choice_attach, .set = set_attach },
	{ "hooks", 0, "WAY", "Attach hooks in the kernel in this way, where there is a choice",
	  SECTION_HIDDEN, .choice = choice_hooks, .set = set_hooks },
	{ "only-tables", 0, NULL, "Do not ask the kernel for mappings, as where it cannot be asked", SECTION_HIDDEN,
	  .set = set_true, AT(only_tables) },
	{ "help-man", 0, NULL, "Print the man page", SECTION_HIDDEN, .set = set_action,
	  .value = OPTIONS_MAN },
	{ "help-completion", 0, NULL, "Print the completion for bash", SECTION_HIDDEN,
	  .set = set_action, .value = OPTIONS_COMPLETION },
};

const size_t options_table_n = ARRAY_SIZE(options_table);

const char *options_section_title(enum options_section s)
{
	static const char *const titles[SECTION_MAX] = {
		[SECTION_TARGET] = "What to trace", [SECTION_WHAT] = "What to look at",
		[SECTION_WHEN] = "When to report",  [SECTION_HOW] = "How to report",
		[SECTION_OTHER] = "Other",
	};

	return s < SECTION_MAX ? titles[s] : NULL;
}
