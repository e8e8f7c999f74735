/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads the unwind tables of modules and the mappings of processes into the maps that the BPF
 * unwinder reads (layout: leaktrace/unwind.h).
 *
 * Rows are loaded whole, 4 bytes each. Pruning to call sites would save nine tenths of them, but a
 * signal interrupts code anywhere, and the frame under a signal frame then needs its own row. Only
 * when a module is huge is it pruned.
 */
#pragma once
#include <leaktrace/books.h>
#include "base/err.h"
#include "base/hashmap.h"
#include "elf/cfi.h"
#include "proc/modules.h"

/* Where the maps are, and a program with its result; file descriptors stay the caller's. */
struct table_maps {
	int chunks, pages, rules, processes, large_processes, traced, generations, files;
	uint32_t max_chunks;
	uint32_t *begun; /* how many processes have been traced so far, counted together with BPF */
	int identify, identified; /* 0: the kernel is not asked for mappings */
};

struct page_range {
	uint32_t first, n;
};

struct loaded_module {
	bool done;
	uint32_t page_base;
	struct page_range pages; /* that its rows are found by */
	uint32_t users;		 /* mappings of processes that are it */
	uint64_t unused_since;	 /* a number that is larger each time */
	bool has_key;		 /* BPF knows it by `key` */
	struct lt_file_key key;
};

/* Modules whose rows are kept although nobody has them mapped: the next process may well. */
#define UNUSED_MODULES_MAX 64

struct unwind_tables {
	struct table_maps maps;
	struct module_table *modules;
	struct lt_rule *rules; /* the mapped maps */
	uint64_t *pages, *traced;
	uint32_t n_rules, n_pages, n_chunks;
	uint32_t *chunk; /* the rows of the chunk being filled */
	uint32_t chunk_number, chunk_used;
	uint32_t in_chunk[LT_MAX_CHUNKS]; /* pages whose rows are in it */
	struct {
		VEC_OF(uint32_t);
	} free_chunks;
	struct {
		VEC_OF(struct page_range);
	} free_pages;
	struct hashmap mapped; /* pid -> struct mapped_modules * */
	uint64_t unused_clock;
	uint32_t n_unused; /* modules that are loaded, and have no users */
	struct hashmap rule_ids;
	struct {
		VEC_OF(struct loaded_module);
	} loaded; /* by module id - 1 */
	struct hashmap bias; /* pid << 32 | module id -> bias */
	struct hashmap moved; /* the same -> 1: it has been somewhere else as well */
	struct hashmap known; /* what maps says of a mapping, its file, and its pid -> index in `mappings` */
	struct hashmap read_in; /* pid -> the generation in which its mappings were read last */
	struct {
		VEC_OF(struct lt_mapping);
	} mappings;
	unsigned int removed; /* processes, since `known` was empty */
	uint64_t n_rows;
};

/* `modules` must outlive the tables. */
int unwind_tables_init(struct unwind_tables *t, const struct table_maps *maps,
		       struct module_table *modules);
void unwind_tables_deinit(struct unwind_tables *t);

struct table_progress {
	void (*module)(void *ctx, const char *path); /* about to be read; may be NULL */
	void *ctx;
};

/* The module's rows, loaded the first time, at the cost of the process; `*ret` is valid until the next call. 0 or a
 * negative errno. */
int unwind_tables_module(struct unwind_tables *t, pid_t pid, struct module *m,
			 const struct elf_image *img, const struct table_progress *progress, struct loaded_module **ret);

/*
 * Brings the mappings of process `pid` into the maps, loading modules that are new; called again
 * whenever they have changed. Of a process that is new, or has run exec, nothing is recorded before
 * unwind_tables_begin(). 0, -ESRCH when the process is gone, or another negative errno.
 */
int unwind_tables_update(struct unwind_tables *t, pid_t pid, const struct table_progress *progress);
/* From here on BPF records what the process does. 0; -ENOENT: it has begun already, or has run exec; or another
 * negative errno. */
int unwind_tables_begin(struct unwind_tables *t, pid_t pid);
/* Whether the process's mappings have changed since, so that the table of them is not used. */
bool unwind_tables_stale(const struct unwind_tables *t, pid_t pid);
/* They may have changed without a hook that says so. */
void unwind_tables_changed(struct unwind_tables *t, pid_t pid);
/* From here on BPF ignores the process. Where its modules were is still known. */
void unwind_tables_remove(struct unwind_tables *t, pid_t pid);
/* Nobody asks for the process, which has been removed, any more: where its modules were is forgotten as well. */
void unwind_tables_forget(struct unwind_tables *t, pid_t pid);
/* Where the module was last seen in the process: address - address in the ELF file. */
bool unwind_tables_bias(const struct unwind_tables *t, pid_t pid, uint32_t module, uint64_t *ret);
/* The same of all, pid << 32 | module id -> bias, but for those that have been at several places: which of them it was
 * is not known. 0 or -ENOMEM; the map is the caller's. */
int unwind_tables_biases(const struct unwind_tables *t, struct hashmap *ret);

/* Forgets what is known of mappings: what is needed again is found out again. */
void unwind_tables_drop_known(struct unwind_tables *t);
/* For user/probe/mappings.c: what the process has mapped now; NULL: nothing any more. Rows that nobody has had mapped for
 * longest are given back. 0 or -ENOMEM. */
int unwind_tables_use(struct unwind_tables *t, pid_t pid, const struct lt_process *p);
/* Takes an LT_EVENT_FILE: finds the file, and tells BPF what it is. */
int unwind_tables_learn(struct unwind_tables *t, const void *event, size_t size);
/* Tells BPF which file the module is. */
void unwind_tables_know(struct unwind_tables *t, const struct module *m, const struct elf_image *img,
			struct loaded_module *l);
