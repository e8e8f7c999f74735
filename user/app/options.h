/* SPDX-License-Identifier: Apache-2.0 */
/* The command line, as plain values. The options themselves stand in options_table.c. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "app/shellwords.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "base/vec.h"
#include "report/build.h"
#include "report/writer.h"

enum options_action {
	OPTIONS_TRACE,
	OPTIONS_DOCTOR,
	OPTIONS_GOROUTINES,
	OPTIONS_CONTAINERS,
	/* print it and leave: help_print() */
	OPTIONS_HELP,
	OPTIONS_VERSION,
	OPTIONS_MAN,
	OPTIONS_COMPLETION,
};

struct options {
	enum options_action action;
	/* What is traced: processes, or a command, or whoever is in a scope. Each process is named once. */
	pid_t *pids;
	size_t n_pids;
	char *const *command;  /* for execvp(), ends with NULL; NULL: none */
	bool command_is_shell; /* of -c: the traced process stays a shell that starts others */
	struct {
		VEC_OF(const char *);
	} cgroups, containers; /* paths of control groups; names */
	bool all;
	/* What is reported of it. */
	uint32_t kinds;		     /* a bit for each enum lt_kind */
	uint64_t older_ns;	     /* held for longer than this */
	uint64_t min_size, max_size; /* inclusive; UINT64_MAX: any */
	uint64_t memory;	     /* bytes that tables may take; 0: as many as they do */
	/* When; 0: never by itself. */
	uint64_t duration_ns, interval_ns;
	/* How. */
	unsigned int top; /* stacks for each resource; 0: all */
	enum report_sort sort;
	bool all_frames;
	bool per_process; /* stacks are not put together over processes */
	bool kernel_stacks;
	bool go_enable_profile;
	bool leaks; /* goroutines: find out which are leaked */
	const struct report_writer *format;
	size_t goroutines_format;    /* of goroutines_format_name() */
	bool format_given;	     /* by -f: the extension of `output` says nothing */
	const char *output; /* a path; NULL: stdout */
	bool no_follow;	  /* children are not traced */
	bool pass_status; /* end with the command's exit status */
	bool exact;
	bool verbose, quiet;
	const char *attach; /* the only attach kind to use; NULL: the best there is */
	bool only_tables;   /* the kernel is not asked for mappings */
	const char *hooks;  /* the only way to attach hooks in the kernel, where there is a choice */

	struct shellwords words; /* owns the command of -c */
};

/*
 * Reads `argv`, to which the result may point. Returns 0, or -EINVAL with the usage error in `e`,
 * or -ENOMEM. On success options_deinit() is due.
 */
int options_parse(int argc, char **argv, struct options *ret, struct err *e);
void options_deinit(struct options *o);
/* Whether it is not told who is traced, but where they are: --cgroup, --container, --all. */
bool options_have_scope(const struct options *o);
/* Adds in words what the report is restricted to; nothing when it is not. */
void options_filter(const struct options *o, struct strbuf *b);
