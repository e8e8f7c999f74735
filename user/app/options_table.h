/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options, each in one row: parsing, --help, the man page, the completion and the test against
 * README.md all read them here. To add one, add its row in options_table.c and its field in
 * options.h.
 */
#pragma once
#include "app/options.h"

enum options_section {
	SECTION_TARGET,
	SECTION_WHAT,
	SECTION_WHEN,
	SECTION_HOW,
	SECTION_OTHER,
	SECTION_HIDDEN, /* for tests and the build: in no help */
	SECTION_MAX,
};

/* What an argument is completed with, where it is no choice of words. */
enum options_complete { COMPLETE_NOTHING, COMPLETE_PID, COMPLETE_FILE, COMPLETE_COMMAND };

struct options_row {
	const char *name; /* without the dashes */
	char letter;	  /* 0: none */
	const char *arg;  /* what its argument is called; NULL: it takes none */
	const char *help; /* a sentence or two, without the last full stop */
	enum options_section section;
	enum options_complete complete;
	/* The words its argument is made of, by index, NULL behind the last; NULL: any text. */
	const char *(*choice)(size_t i);
	/*
	 * Stores the value in the `offset` of the options; `arg` is NULL when the row has none.
	 * Returns 0, -EINVAL with the message, or -ENOMEM.
	 */
	int (*set)(const struct options_row *row, const char *arg, struct options *o,
		   struct err *e);
	size_t offset;
	int value; /* what a flag stores */
};

extern const struct options_row options_table[];
extern const size_t options_table_n;

/* Section titles, as --help and the man page show them; NULL for SECTION_HIDDEN. */
const char *options_section_title(enum options_section s);
/* -EINVAL, and a usage error. */
__printf(2, 3) int options_usage(struct err *e, const char *fmt, ...);
