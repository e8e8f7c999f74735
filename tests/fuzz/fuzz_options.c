// SPDX-License-Identifier: Apache-2.0
/* The input is the command line, one word a line. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <leaktrace/types.h>
#include "app/options_table.h"

#define WORDS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define check(condition)                                                        \
	do {                                                                    \
		if (!(condition)) {                                             \
			fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
			abort();                                                \
		}                                                               \
	} while (0)

static void check_options(const struct options *o)
{
	check(o->format && o->format->write);
	if (o->action != OPTIONS_TRACE)
		return;
	/* one way to say what is traced */
	check(!!o->n_pids + !!o->command + !!o->cgroups.n + !!o->containers.n + o->all == 1);
	vec_foreach(path, &o->cgroups)
		check(**path);
	vec_foreach(name, &o->containers)
		check(**name);
	for (size_t i = 0; i < o->n_pids; i++) {
		check(o->pids[i] > 0);
		for (size_t k = 0; k < i; k++)
			check(o->pids[i] != o->pids[k]);
	}
	check(!o->command || (o->command[0] && *o->command[0]) || o->words.argv);
	check(o->kinds && !(o->kinds >> LT_KIND_MAX));
	check(o->min_size <= o->max_size);
	check(o->sort < REPORT_SORT_MAX);
	check(!o->output || *o->output);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	char *argv[WORDS_MAX + 2] = { (char *)(uintptr_t) "leaktrace" };
	struct options o;
	struct err e = { .text = "" };
	int argc = 1, r;

	for (char *rest = text; rest && argc <= WORDS_MAX; argc++)
		argv[argc] = strsep(&rest, "\n");
	r = options_parse(argc, argv, &o, &e);
	if (r) {
		check(r < 0 && *e.text);
	} else {
		check_options(&o);
		options_deinit(&o);
	}
	free(text);
	return 0;
}
