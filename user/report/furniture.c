// SPDX-License-Identifier: Apache-2.0
#include "report/furniture.h"
#include <fnmatch.h>
#include <stdbool.h>
#include <string.h>
#include "base/cleanup.h"
#include "report/internal.h"

#define NEAR 8 /* frames in which the caller is looked for */

/* Names of functions are the public ones, those of files globs; NULL: any. */
static const struct {
	const char *file, *function;		/* of what has acquired it */
	const char *caller_file, *caller;	/* of a function near it */
	uint64_t most;				/* so often at most */
	const char *words;
} rows[] = {
	{ "libstdc++.so*", NULL, "ld-linux*", NULL, 1, "what libstdc++ keeps for exceptions" },
	{ "libc.so*", "file_doallocate", NULL, NULL, 1, "a buffer of stdio" },
	{ "libc-*.so*", "file_doallocate", NULL, NULL, 1, "a buffer of stdio" },
	{ "ld-linux*", NULL, NULL, "pthread_create", 64, "tables of threads, kept with their stacks" },
	{ "ld-linux*", NULL, NULL, NULL, 1, "tables of the dynamic loader" },
};

static bool is_of(const struct report_frame *f, const char *file, const char *function)
{
	const char *slash = f->module ? strrchr(f->module, '/') : NULL;

	if (file && (!slash || fnmatch(file, slash + 1, 0)))
		return false;
	return !function || (f->function && !strcmp(internal_public_name(f->function).s, function));
}

static bool has_caller(const struct report_stack *s, const char *file, const char *function)
{
	if (!file && !function)
		return true;
	for (size_t i = 1; i < s->n_frames && i < NEAR; i++)
		if (is_of(&s->frames[i], file, function))
			return true;
	return false;
}

const char *furniture_words(const struct report_stack *s)
{
	for (size_t i = 0; s->n_frames && i < ARRAY_SIZE(rows); i++)
		if (s->acquired.count <= rows[i].most && is_of(&s->frames[0], rows[i].file, rows[i].function) &&
		    has_caller(s, rows[i].caller_file, rows[i].caller))
			return rows[i].words;
	return NULL;
}
