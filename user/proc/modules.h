/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of modules: one entry per file, whichever processes map it. */
#pragma once
#include "base/hashmap.h"
#include "base/left_out.h"
#include "proc/maps.h"
#include "proc/module.h"
#include "proc/opener.h"

/* Several times what large programs take: clang with all of LLVM, 168 MiB. */
#define MODULES_COST_MAX (640ULL << 20)

struct module_table {
	VEC_OF(struct module *); /* items[id - 1] */
	struct hashmap by_file;	 /* hash of device, inode, mtime and size -> id */
	struct opener opener;
	struct left_out left_out; /* of modules, by whoever read them */
	struct hashmap spent;	  /* pid -> bytes, as of module_table_spend() */
};

void module_table_init(struct module_table *t);

/*
 * The module behind an executable mapping of process `pid`, added when it is new. `*ret` is owned by
 * the table. -ENOENT: the mapping has no file (a JIT's code, [vsyscall]). A file that cannot be opened is
 * left out, with its reason: -EAGAIN, -ETIMEDOUT or another negative errno.
 */
int module_table_map(struct module_table *t, pid_t pid, const struct map_entry *map,
		     struct module **ret);
/* Counts what reading a module has cost: bytes of the file, and of what was made of them. A process whose
 * modules have cost more than MODULES_COST_MAX in all gets no new ones. 0 or -ENOMEM. */
int module_table_spend(struct module_table *t, pid_t pid, uint64_t bytes);
/* The process has ended: its number will be another's. */
void module_table_forget(struct module_table *t, pid_t pid);
/* By id; NULL for 0 and unknown ones. */
struct module *module_table_get(const struct module_table *t, uint32_t id);
void module_table_deinit(struct module_table *t);
