/* SPDX-License-Identifier: Apache-2.0 */
/* The loaded BPF object: programs of one attach kind, maps, and reading what they hold. */
#pragma once
#include <leaktrace/books.h>
#include <leaktrace/counters.h>
#include <leaktrace/space.h>
#include <leaktrace/system.h>
#include "base/err.h"
#include "probe/attach.h"
#include "probe/hooks.h"
#include "probe/ledger.h"
#include "probe/table_sizes.h"
#include "probe/unwind_tables.h"

struct leaktrace_bpf; /* the generated skeleton */

struct bpf_counters {
	uint64_t n[LT_COUNT_MAX];
};

/* What the programs at probes have run so far, where BPF statistics were on. */
struct bpf_run_stats {
	uint64_t runs, ns;
	uint64_t passed; /* LT_COUNT_PASSED, also where they were not */
};

struct object {
	struct leaktrace_bpf *skel;
	const struct attach_kind *kind;
	struct attach_programs memory, pthread;
	struct attach_programs sharers; /* for attach_kind_by_space(), should `kind` be another */
	struct hook_links hooks;
	struct table_sizes sizes;
	struct bpf_link *births; /* NULL: no process is held at its birth */
	bool asks_kernel; /* for mappings, where the tables of them are of another time */
};

struct object_options {
	struct lt_config config;
	const struct hook_choices *hooks;
	uint32_t max_processes;	     /* at a time; 0: LT_PROCESSES */
	uint64_t memory;	     /* bytes that tables may take, table_sizes_choose(); 0: no limit */
	const char *kind;	     /* force this attach kind; NULL: the best that loads */
	const struct attach_kind *after; /* only kinds after this one; NULL: any */
};

/* Loads the programs for the best attach kind that this kernel accepts. On failure `e` says what is
 * missing: -EPERM, -ENOENT (no BTF), -EOPNOTSUPP. */
int object_load(const struct object_options *options, struct object *ret, struct err *e);
void object_unload(struct object *o);

/* Attaches the hooks in the kernel that the options named. Their system calls are to be told first. */
int object_attach_hooks(struct object *o, const struct hook_choices *hooks, struct err *e);
/* Tells BPF what a system call does with descriptors. */
int object_set_syscall(const struct object *o, unsigned int nr, const struct lt_syscall *row);
/* A connection is not held any more. */
void object_forget_socket(const struct object *o, uint64_t inode);
/* Tells BPF of a child from before tracing; what went wrong only costs detail. */
void object_watch_child(const struct object *o, pid_t child, pid_t tgid);
/* Of struct lt_python, by process; the descriptor stays the object's. */
int object_pythons(const struct object *o);
/* There is something in it. */
void object_follow_python(const struct object *o);
/* Forgets the threads of these processes (pid -> anything), which have ended. */
void object_forget_threads(const struct object *o, const struct hashmap *pids);
/* When the peer of a connection closed it, CLOCK_MONOTONIC; 0: it has not, or it is not known. */
uint64_t object_peer_closed_ns(const struct object *o, uint64_t inode);

/* A program and a map (its descriptor) of this name, which stay the object's: NULL, or a negative errno,
 * when there is none. */
struct bpf_program *object_program(const struct object *o, const char *name);
int object_map(const struct object *o, const char *name);

/* Has the kernel be asked for mappings (Linux 5.17), as far as it can be: `asks_kernel`. Before anything is
 * traced. */
void object_ask_kernel(struct object *o, bool on);
/* Whether any of the processes is a Go program that is followed (user/runtime/go/net.c). */
void object_set_go(const struct object *o, bool any);
/* How many processes share the memory of traced ones. */
uint32_t object_sharers(const struct object *o);
/* Whether one of them, by its id, has done anything that was not seen; that is counted in BPF. `seen`: from
 * here on it is. */
void object_look_at_sharer(const struct object *o, uint32_t tgid, bool seen);
/* Enters one that BPF has not seen made, unless it has; forgets one. */
void object_add_sharer(const struct object *o, uint32_t tgid, const struct lt_sharer *s);
void object_forget_sharer(const struct object *o, uint32_t tgid);
/* The switch: nothing is recorded while it is off. */
void object_enable(struct object *o, bool on);
/* Has leaktrace itself traced, before anything else is, so as to measure what that costs; what has been
 * counted is forgotten at the end. */
void object_trace_self(const struct object *o, bool on);
/* Stacks that are seen from now on are of this epoch: lt_stack_epoch(). */
void object_set_jit_epoch(const struct object *o, uint32_t epoch);
/* Times what happens at hooks in the kernel: LT_COUNT_TIMED. */
void object_time_events(const struct object *o, bool on);
/* So that processes can be held at their birth: each system call of the machine passes through it. 0 or a negative
 * errno. */
int object_attach_births(struct object *o);
/* From here on processes that come of traced ones are traced as well: LT_EVENT_BORN. With object_attach_births() they
 * are stopped (SIGSTOP) at their birth, at exec, and while their loaders load what they are linked with. */
void object_follow(struct object *o);
/* From here on nobody is stopped any more. */
void object_hold_no_more(struct object *o);
/* A command of ours: BPF stops it with SIGSTOP at exec and, while `starting`, at its loader's hook. */
void object_set_command(struct object *o, pid_t tgid, bool starting);

int object_counters(const struct object *o, struct bpf_counters *ret);
int object_run_stats(const struct object *o, struct bpf_run_stats *ret);
/* The same of those that all system calls pass, two for each; `passed` is 0. */
int object_syscall_run_stats(const struct object *o, struct bpf_run_stats *ret);
/* File descriptors of the maps; they stay the object's. */
void object_table_maps(const struct object *o, struct table_maps *ret);
void object_ledger_maps(const struct object *o, struct ledger_maps *ret);
/* Ring buffers: of events, and of LT_EVENT_COPY. */
int object_ring(const struct object *o);
int object_copies(const struct object *o);
/* Walks a copied stack again, with its mappings of then. -ENODATA: there still is code in it of which
 * nothing is known. */
int object_walk_again(const struct object *o, const struct lt_event_copy *copy,
		      struct lt_event_stack *ret);
/* Bytes of kernel memory that the maps use now. */
uint64_t object_memory(const struct object *o);
