/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The map of its code that a JIT compiler writes for profilers: /tmp/perf-PID.map with lines of
 * "START SIZE NAME", numbers in hexadecimal (tools/perf/Documentation/jit-interface.txt of Linux).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/strbuf.h"
#include "base/vec.h"

/* Of a file that is read: bytes, and lines. */
#define PERFMAP_TEXT_MAX    (48ULL << 20)
#define PERFMAP_ENTRIES_MAX (2U << 20)

struct perfmap_entry {
	uint64_t start, end;
	uint32_t name;	/* offset into names.s */
	uint32_t order; /* among overlapping ones the highest holds */
};

/* An address that was asked for, and what it was called then. */
struct perfmap_watch {
	uint64_t address, name; /* name: its hash */
};

struct perfmap {
	VEC_OF(struct perfmap_entry); /* sorted and disjoint once settled */
	struct strbuf names;
	/* what was read of which file */
	uint64_t device, inode, size, consumed;
	int64_t mtime_ns;
	struct {
		VEC_OF(struct perfmap_watch);
	} watched; /* sorted */
	uint64_t overridden; /* how often another name came for one of them */
};

/* Adds the whole lines of the `n` bytes at `text`; those that make no sense are skipped. Returns
 * how many bytes were used, or -ENOMEM. */
ssize_t perfmap_parse(struct perfmap *m, const char *text, size_t n);
/* Orders what was added for perfmap_at(): where code overlaps, the later line wins. 0 or -ENOMEM.
 */
int perfmap_settle(struct perfmap *m);
/* Reads what process `pid` has written since the last call: the map in its own /tmp, under the
 * number that it knows itself by. 0 (also when there is none), or -ENOMEM. */
int perfmap_refresh(struct perfmap *m, pid_t pid);
/* Whether there is more in the file than is read. */
bool perfmap_is_cut(const struct perfmap *m);
/* The name of the code at `address`, or NULL. Valid until the map is changed. */
const char *perfmap_at(const struct perfmap *m, uint64_t address);
/* Counts from here on whether other code takes the place of what is at `address`. 0 or -ENOMEM. */
int perfmap_watch(struct perfmap *m, uint64_t address);
void perfmap_deinit(struct perfmap *m);
