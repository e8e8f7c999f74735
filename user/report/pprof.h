/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles that `go tool pprof` and its like read: gzipped messages of
 * github.com/google/pprof/proto/profile.proto. Strings are copied.
 */
#pragma once
#include <stdint.h>
#include <stdio.h>

struct pprof;

/* What is counted, and in what: { "goroutine", "count" } */
struct pprof_type {
	const char *type, *unit;
};

struct pprof_options {
	const struct pprof_type *types; /* of each sample's values, in their order */
	size_t n_types;
	struct pprof_type period_type;
	uint64_t period;
	uint64_t time_ns, duration_ns; /* since 1970; 0: unknown */
	const char *comment;	       /* or NULL */
};

struct pprof_mapping {
	uint64_t start, limit, offset;
	const char *file, *build_id; /* build_id: hexadecimal, or "" */
};

/* A line of an address: the innermost inlined call comes first. */
struct pprof_line {
	const char *function, *file; /* file: NULL: unknown */
	unsigned int line;
};

/* Either text or a number. */
struct pprof_label {
	const char *key, *text;
	int64_t number;
	const char *unit;
};

struct pprof_sample {
	const uint64_t *locations; /* the innermost first */
	size_t n_locations;
	const int64_t *values; /* as many as there are types */
	const struct pprof_label *labels;
	size_t n_labels;
};

/* 0 or -ENOMEM. */
int pprof_create(const struct pprof_options *o, struct pprof **ret);
void pprof_destroy(struct pprof *p);
/* Out of memory shows when it is written; until then they return 0, which is no id. */
uint64_t pprof_add_mapping(struct pprof *p, const struct pprof_mapping *m);
/* The location of an address in a mapping (0: none), one for each address, whatever the lines. */
uint64_t pprof_add_location(struct pprof *p, uint64_t mapping, uint64_t address,
			    const struct pprof_line *lines, size_t n_lines);
void pprof_add_sample(struct pprof *p, const struct pprof_sample *s);
/* 0, -ENOMEM or -EIO. */
int pprof_write(struct pprof *p, FILE *out);
