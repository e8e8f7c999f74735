/* SPDX-License-Identifier: Apache-2.0 */
/* The loaded BPF object: programs of one attach kind, maps, and reading what they hold. */
#pragma once
#include <leaktrace/books.h>
#include <leaktrace/counters.h>
#include "base/err.h"
#include "probe/attach.h"
#include "probe/ledger.h"
#include "probe/tables.h"

struct leaktrace_bpf; /* the generated skeleton */

struct bpf_counters {
	uint64_t n[LT_COUNT_MAX];
};

/* What programs have run so far, where BPF statistics were on. */
struct bpf_run_stats {
	uint64_t runs, ns;
};

struct object {
	struct leaktrace_bpf *skel;
	const struct attach_kind *kind;
	struct attach_programs programs;
	struct bpf_link *exec_link;
};

struct object_options {
	struct lt_config config;
	const char *kind;	     /* force this attach kind; NULL: the best that loads */
	bool verbose;		     /* let libbpf say what it does, on stderr */
	const struct attach_kind *after; /* only kinds after this one; NULL: any */
};

/* Loads the programs for the best attach kind that this kernel accepts. On failure `e` says what is
 * missing: -EPERM, -ENOENT (no BTF), -EOPNOTSUPP. */
int object_load(const struct object_options *options, struct object *ret, struct err *e);
void object_unload(struct object *o);

/* The switch: nothing is recorded while it is off. */
void object_enable(struct object *o, bool on);
/* A command of ours: BPF stops it with SIGSTOP at exec and, while `starting`, at its loader's hook. */
void object_set_command(struct object *o, pid_t tgid, bool starting);

int object_counters(const struct object *o, struct bpf_counters *ret);
int object_run_stats(const struct object *o, struct bpf_run_stats *ret);
/* File descriptors of the maps; they stay the object's. */
void object_table_maps(const struct object *o, struct table_maps *ret);
void object_ledger_maps(const struct object *o, struct ledger_maps *ret);
/* Ring buffers: of events, and of LT_EVENT_COPY. */
int object_ring(const struct object *o);
int object_copies(const struct object *o);
/* Walks a copied stack again, with the tables as they are now. -ENODATA: there still is code in it
 * of which nothing is known. */
int object_walk_again(const struct object *o, const struct lt_event_copy *copy,
		      struct lt_event_stack *ret);
/* Bytes of kernel memory that the maps use now. */
uint64_t object_memory(const struct object *o);
