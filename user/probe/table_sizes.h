/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How large the tables in the kernel are made: as large as what is traced needs, and all of them, when they are
 * full, not larger than is permitted. What finds no place in them is counted as lost (map_full).
 *
 * Not in it: 66 KiB for each process, some 10 KiB for each of its threads that allocates, the programs.
 */
#pragma once
#include <stdint.h>

struct bpf_object;

enum table {
	TABLE_OUTSTANDING, /* sets of holdings; in books.h */
	TABLE_SPILLED,
	TABLE_STACKS,
	TABLE_EVENTS, /* bytes of the ring, as: */
	TABLE_COPIES,
	TABLE_FILES,
	TABLE_SOCKETS,
	TABLE_CHILDREN,
	TABLE_PTHREADS,
	TABLE_PTHREAD_TIDS,
	TABLE_GO_SPANS,
	TABLE_GO_MADE,
	TABLE_GO_CONNS,
	TABLE_MAX
};

struct table_sizes {
	uint32_t entries[TABLE_MAX];
	uint32_t chunks;      /* of unwind tables, at most */
	uint64_t bytes;	      /* that are taken at once */
	uint64_t bytes_full;  /* ... and when all are full */
};

/* The sizes for kinds (bits of enum lt_kind). `limit`: bytes, 0: none. 0, or -ERANGE: no less than
 * table_sizes_least() is possible. */
int table_sizes_choose(uint32_t kinds, uint64_t limit, struct table_sizes *ret);
uint64_t table_sizes_least(uint32_t kinds);
/* Before the object is loaded. 0 or a negative errno. */
int table_sizes_set(const struct table_sizes *s, struct bpf_object *object);
