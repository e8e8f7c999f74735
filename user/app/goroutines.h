/* SPDX-License-Identifier: Apache-2.0 */
/* `leaktrace goroutines`: the goroutines of a Go process as they are now, read from outside. */
#pragma once
#include "app/interrupt.h"
#include "app/options.h"
#include "go/leak.h"
#include "go/trace.h"

struct goroutines {
	pid_t pid;
	struct go_runtime *rt;
	struct goroutine_list list;
	enum go_verdict *verdicts; /* on each of the list; NULL: not asked for, or not found out */
	struct go_symbols symbols;
	struct go_trace trace; /* of the goroutine at hand */
	uint64_t time_ns;      /* when they were read, since 1970 */
};

/* Prints them. Returns the exit status; unless it is EXIT_DONE, `e` holds the line to print. */
int goroutines_run(const struct options *o, struct interrupt *interrupt, struct err *e);
/* The name of format number `i`, NULL behind the last. */
const char *goroutines_format_name(size_t i);
/* ... and the extension of a file in it. */
const char *goroutines_format_extension(size_t i);
/* Whether the path has one of those: the number of the format. */
bool goroutines_format_by_path(const char *path, size_t *ret);

/* Is it to be shown? With verdicts, those are that are leaked. */
bool goroutines_shows(const struct goroutines *g, const struct goroutine *item);
/* Is it leaked, as the program's runtime or we found out? */
bool goroutines_is_leaked(const struct goroutines *g, const struct goroutine *item);

/* Each writes all; whether that has gone well is also the stream's to tell. 0 or a negative errno.
 */
int goroutines_text(struct goroutines *g, FILE *out);
int goroutines_json(struct goroutines *g, FILE *out);
int goroutines_pprof(struct goroutines *g, FILE *out);
