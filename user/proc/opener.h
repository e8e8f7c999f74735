/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The helper that opens files for leaktrace by the rules of proc/foreign.h, so that a file system which does
 * not answer stops the helper only. What lies on such a file system (FUSE, a network's) is read by the
 * helper too, into a copy.
 *
 * A process whose files did not answer for some seconds in all is not waited for any more.
 */
#pragma once
#include "base/hashmap.h"
#include "base/helper.h"
#include "proc/maps.h"

struct opener {
	struct helper helper;
	struct hashmap waited_ms; /* pid -> for its files in vain */
};

struct opened_file {
	int fd;	  /* the file itself */
	int copy; /* to be read instead of it; -1: none is needed */
};

void opener_init(struct opener *o);
void opener_deinit(struct opener *o);
/* The process has ended: its number will be another's. */
void opener_forget(struct opener *o, pid_t pid);
/* The file of a mapping (foreign_open_mapping()). 0 and descriptors of the caller's; -ETIMEDOUT: it did not
 * answer, -EFBIG: it is too large to be copied, or as there. */
int opener_mapping(struct opener *o, pid_t pid, const struct map_entry *map, struct opened_file *ret);
/* The program that a process runs. The same. */
int opener_program(struct opener *o, pid_t pid, struct opened_file *ret);
