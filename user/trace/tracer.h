/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tracer: from process ids to books. Its life is prepare, load, attach, activate:
 *
 *	tracer_create()        loads the programs
 *	tracer_add()           reads the process's modules, plans the probes, attaches them
 *	tracer_start()         flips the one switch; the window opens. A process that is added later is
 *	                       recorded from then on
 *	tracer_poll() ...      takes what BPF sends, follows dlopen, exec and exit
 *	tracer_snapshot() ...  brings the books up to date
 *	tracer_stop()          closes the window and detaches; the books are final
 */
#pragma once
#include <stdbool.h>
#include <time.h>
#include "probe/cost.h"
#include "probe/detacher.h"
#include "probe/plan.h"
#include "probe/unwind_tables.h"
#include "runtime/python/python.h"
#include "sym/names.h"
#include "trace/ended_groups.h"
#include "trace/jit_stacks.h"
#include "trace/pending_stacks.h"
#include "trace/process.h"
#include "trace/process_events.h"
#include "trace/process_table.h"

struct ring_buffer;

struct tracer_options {
	uint32_t kinds; /* bits of enum lt_kind */
	uint64_t min_amount, max_amount;
	uint32_t max_processes; /* that can be traced at a time; 0: LT_PROCESSES */
	uint64_t older_ns; /* what has been held for less will not be asked for */
	uint64_t memory; /* bytes that tables in the kernel may take; 0: no limit */
	const char *attach_kind; /* NULL: the best */
	bool kernel_stacks;	 /* begin in the kernel, but for memory */
	bool follow; /* processes that come of traced ones are traced */
	bool hold;   /* ... and held until they are: those of a command of ours */
	/* Whether a process that has come of a traced one, and is not held, is to be traced; NULL: each is. */
	bool (*wants)(void *ctx, pid_t pid);
	void *wants_ctx;
	bool go_enable_profile;	 /* switch on the heap profile of Go programs that keep none */
	const _Atomic uint64_t *verdict_until_ns; /* when what is not certain stays so: as struct go_leak_limits has it */
	struct undo_list *undo;	 /* what must not stay should leaktrace end at once; NULL: nobody asks */
	bool only_tables;	 /* the kernel is not asked for mappings */
	const char *hooks;	 /* the name of the only way to attach them; NULL: the best */
	struct table_progress progress;
};

/* Processes that came of traced ones, and are not traced. */
struct unfollowed {
	uint64_t brief;	  /* they ended before their probes were there */
	uint64_t refused; /* others */
	struct err why;	  /* of the first of those */
};

struct tracer {
	struct tracer_options options;
	struct object object;
	struct module_table modules;
	struct names *names;
	struct {
		size_t stack; /* index into books.stacks */
		uint16_t frame;
	} named; /* up to here modules have been opened ahead */
	struct unwind_tables tables;
	struct python_processes pythons;
	struct go_judges *go_judges; /* NULL: there was no Go program so far */
	struct via_names vias;
	struct module_plans plans;
	struct ledger_maps ledger;
	struct books books;
	struct late_stacks late;
	struct jit_stacks jits;
	struct cost_meter cost;
	struct attachments trial; /* on ourselves */
	struct detacher detacher;
	struct hook_choices hooks;
	uint64_t unsettled;	 /* LT_COUNT_UNSETTLED as of the last census */
	uint64_t reconciled_ns;	 /* when that was */
	struct ring_buffer *ring;
	int epoll; /* of the rings, and of the pidfds of the living */
	struct process_table processes;
	struct process_events events; /* not dealt with yet */
	struct ended_groups ended;
	struct unfollowed unfollowed;
	struct hashmap forgotten; /* pid -> 0: tracer_forget() */
	struct timespec started;      /* CLOCK_REALTIME */
	uint64_t start_ns, stop_ns;   /* CLOCK_MONOTONIC; 0: not yet */
};

/* How many processes can be traced at a time. */
uint32_t tracer_max_processes(const struct tracer *t);
int tracer_create(const struct tracer_options *options, struct tracer **ret, struct err *e);
void tracer_destroy(struct tracer *t);

/* Takes the target over on success. -ENOENT: nothing that was asked for can be traced in it; -EEXIST: it is being
 * traced; -ENOSPC: as many as there is room for are. */
int tracer_add(struct tracer *t, struct target *target, struct err *e);
/* The same of a process that is traced whatever there is to probe: that may come with a library, or with exec. */
int tracer_add_member(struct tracer *t, struct target *target, struct err *e);
/* The process goes on untraced: its books end here, as those of one that has ended do. */
void tracer_release(struct tracer *t, struct traced_process *p);
/*
 * Takes over a child that is about to run exec, of which nothing is traced until it has. From then
 * on it is stopped (SIGSTOP) after every exec, and when its loader has loaded something, as long as
 * it has a single thread. At each stop call tracer_command_stopped(), then continue it.
 */
int tracer_add_command(struct tracer *t, struct target *target, struct err *e);
/* Whether the command is stopped by us, or about to be. */
bool tracer_command_stopping(const struct tracer *t);
/* Whether a stop of the command was ours, and what came of it: 1 it is being traced now, 0 not yet,
 * -EALREADY the stop was somebody else's, or another negative errno. */
int tracer_command_stopped(struct tracer *t, struct err *e);

/* As tracer_add(), while tracing goes on: a process that has come of a traced one, stopped by us if `held`. */
int tracer_add_child(struct tracer *t, struct target *target, bool held, struct err *e);
/* Books are kept by pids: those of whoever had this one before are added up and go, also when that is the same process,
 * which was released. Nothing, while it is traced. 0 or a negative errno. */
int tracer_free_id(struct tracer *t, pid_t pid);
/* A process that has come of a traced one is not traced after all: what is in the books of it goes with the next
 * tracer_remove_forgotten(). */
void tracer_forget(struct tracer *t, pid_t pid);
/* A process of a command of ours stands at a stop of ours: as tracer_command_stopped(). */
int tracer_look_at_stop(struct tracer *t, struct traced_process *p, struct err *e);
/* Gives back all that is left of processes that have ended, but for the `keep` that were added last: their books are
 * added up by what they were called (t->ended). Not while somebody goes through the processes. 0 or a negative errno. */
int tracer_remove_ended(struct tracer *t, size_t keep);
/* The same, when there are many. */
void tracer_limit_ended(struct tracer *t);
/* Who has ended has been reported, with what it held then, and that is not held any more. As tracer_remove_ended(). */
int tracer_told(struct tracer *t);
/* Takes those out of the books that are not traced after all. 0 or a negative errno: they stay for the next time. */
int tracer_remove_forgotten(struct tracer *t);
/* tracer_remove_ended() of a single one. */
int tracer_remove(struct tracer *t, struct traced_process *ended);

void tracer_start(struct tracer *t);
/* Waits for at most `timeout_ms` and deals with what has come. 0 or a negative errno. */
int tracer_poll(struct tracer *t, int timeout_ms);
/* Censuses and readings of all that is not told by BPF. */
void tracer_refresh(struct tracer *t);
/* Processes that are still being traced. */
size_t tracer_alive(const struct tracer *t);
/* Describes something that is held, of any kind but memory: for report_source. */
int tracer_describe(void *tracer, uint32_t tgid, enum lt_kind kind, uint64_t id, uint64_t acquired_ns,
		    struct arena *arena, struct item *ret);
/* The kinds that there is something to tell of: a program without Go has no goroutines, and one in Go
 * perhaps no malloc. */
uint32_t tracer_kinds(const struct tracer *t);
/* How the kinds that are not traced are known: for report_source, all in `arena`. 0 or -ENOMEM. */
int tracer_methods(const struct tracer *t, struct arena *arena, const char *ret[LT_KIND_MAX]);
/* Takes a snapshot of the books as they are. 0 or a negative errno. */
int tracer_read_books(struct tracer *t, uint64_t now_ns, uint64_t older_ns);
/* Brings the books up to date; `ret_now_ns`: the time that ages in it count from. */
int tracer_snapshot(struct tracer *t, uint64_t older_ns, uint64_t *ret_now_ns);
void tracer_stop(struct tracer *t);
/* Seconds of the window so far. */
double tracer_seconds(const struct tracer *t);

/* What tracing has cost, in percent; < 0: not known. */
struct tracer_overhead {
	double percent;	     /* of the targets' CPU time; < 0 also when that is too short to tell */
	double core_percent; /* of a core, while tracing */
};

void tracer_overhead(struct tracer *t, struct tracer_overhead *ret);
