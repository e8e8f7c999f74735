/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/maps (proc(5)). */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/vec.h"

struct map_entry {
	uint64_t start, end, offset, inode;
	uint32_t dev_major, dev_minor;
	bool read, write, exec, shared;
	const char *path; /* "" for anonymous memory; "[vdso]", "[heap]" ... */
};

struct map_vec {
	VEC_OF(struct map_entry);
	char *text; /* what the paths point into */
};

/* Parses `text`, which is taken over and modified. Lines that make no sense are skipped.
 * Returns 0 or -ENOMEM. */
int maps_parse(char *text, struct map_vec *ret);
/* Reads and parses the maps of a process; -ESRCH when it is gone. */
int maps_read(pid_t pid, struct map_vec *ret);
void maps_deinit(struct map_vec *maps);
