/* SPDX-License-Identifier: Apache-2.0 */
/* One process of a trace: its probes, its tables, its books. */
#pragma once
#include "probe/attach.h"
#include "probe/plan.h"
#include "proc/target.h"
#include "runtime/go/golang.h"
#include "trace/process_table.h"
#include "trace/reconcile.h"
#include "trace/sharers.h"
#include "trace/source.h"

struct tracer;

enum process_state {
	PROCESS_STARTING, /* a command of ours, before its loader is done; BPF stops it on the way */
	PROCESS_TRACED,
	PROCESS_EXECED, /* runs another program, which is yet to be looked at */
	PROCESS_ENDED, /* ... or it has been released */
};

struct traced_process {
	struct traced_process *previous, *next; /* in the process_table */
	struct target target;
	struct attachments attachments;
	struct {
		VEC_OF(uint32_t);
	} attached; /* ids of the modules with probes */
	struct sharing sharing;
	pid_t thread; /* that the probes are bound to; 0: to none that runs */
	bool leader_ended; /* its first thread */
	uint64_t thread_gone_ns; /* since when it is seen to have ended; 0: it runs */
	uint64_t probes_away; /* how often it has ended */
	enum process_state state;
	const char *stranger; /* path of a module with an unknown malloc; NULL: none */
	bool allocator; /* its allocator is being traced */
	bool missing;	/* something that is wanted of it has not been found in its modules */
	bool command;	/* ours: tracer_add_command() */
	bool held;	/* it has come of such a command: we stop it as we do that one, and continue it ourselves */
	pid_t parent;	/* that it has come of; 0: it was asked for */
	uint64_t execed_ns; /* CLOCK_MONOTONIC, when it became what it is; 0: it has not */
	uint64_t unseen_ns; /* for so long after its birth and its execs its probes were not there */
	bool attached_more; /* some of the probes for memory came after probes_kept was set */
	bool probes_kept;   /* after exec those of the program before are still there */
	bool late;	/* it began when tracing had, and comes of nobody who was traced: `unseen_ns` is known */
	bool left;	/* it goes on untraced: tracer_release() */
	bool begun;	/* process_begin(): it is recorded whenever its probes are there */
	bool stopping;		       /* by us: tracer_command_stopped() is due */
	bool loaded, modules_changed; /* its loader says so; an unknown address hints at it */
	uint64_t loaded_ns; /* CLOCK_MONOTONIC, when `loaded` was set */
	bool looked_twice; /* for what is missing in the program that it runs */
	unsigned int stops;	      /* of the command, since its exec */
	bool told_written;	  /* whoever watches knows what was written to its memory, ... */
	bool told;		  /* ... and what else is to be known of the program that it runs */
	uint64_t modules_read_ns; /* when they were last looked at */
	uint64_t begun_ns, ended_ns; /* CLOCK_MONOTONIC: process_begin(), process_end(); 0: not yet */
	uint64_t cpu_start_ns, cpu_ns; /* CPU time at the start of the window, and the latest */
	bool cpu_whole;		  /* it has ended, and that is what it has used in all */
	struct reconciler reconciler;
	struct golang go; /* source_go's */
	uint64_t go_tried_ns; /* when it was last tried to open that, ... */
	unsigned int go_tries; /* ... and how often */
};

/* Whether the process is on its way out, and has perhaps given up its descriptors already; or is gone. */
bool process_is_exiting(pid_t pid);
/*
 * Probes and unwind tables for what the process has mapped now. 1: all that is wanted is traced, as far
 * as it ever will be; 0: there may be more when its loader goes on; with `e` saying what is missing. Or
 * a negative errno.
 */
int process_prepare(struct tracer *t, struct traced_process *p, struct err *e);
/* Begins to record what the process does, and takes down what it held before: it has been prepared. Before that
 * nothing is recorded but its exec. */
void process_begin(struct tracer *t, struct traced_process *p);
/* process_prepare() after exec. */
int process_prepare_again(struct tracer *t, struct traced_process *p, struct err *e);
/* Attaches programs at some of the points that are planned for a module. 0 or a negative errno. */
int process_attach_points(struct traced_process *p, const struct attach_kind *kind,
			  const struct attach_programs *programs, const struct plan_module *pm,
			  const struct plan_points *points);
/* Binds the probes to another thread, where that can be done, when theirs has ended. */
void process_rebind(struct tracer *t, struct traced_process *p);
/* Its loader has changed the list of modules, or may have. */
void process_loaded(struct traced_process *p);
/* Reads the process's modules again. */
int process_update(struct tracer *t, struct traced_process *p, uint64_t now_ns);
/* Reads its mappings again: they may have changed while its loader's hook was not heard. */
int process_tables_again(struct tracer *t, const struct traced_process *p);
/* The same when it is due, and what has become known of stacks that came too early. */
void process_follow(struct tracer *t, struct traced_process *p, uint64_t now_ns);
/* The tables now hold for the process's first `n_late` of the stacks that came too early. */
void process_settle(struct tracer *t, const struct traced_process *p, size_t n_late);
/* Settles its books by a census, as reconcile() does; a process that is going away keeps them. */
int process_reconcile(struct tracer *t, struct traced_process *p, enum reconcile_what what);
/* Releases its zombies that have been waited for. */
void process_reap(struct tracer *t, struct traced_process *p);
/* All that the process held before then, CLOCK_MONOTONIC, went with its memory. `recorded`: what it has acquired since is
 * in the books. */
void process_execed(struct tracer *t, struct traced_process *p, uint64_t ns, bool recorded);
/* It has ended: what is not needed for its last books is given back. */
void process_end(struct tracer *t, struct traced_process *p);
/* Takes it out of the table, and frees it. */
void process_remove(struct tracer *t, struct traced_process *p);
/* Its CPU time up to now. */
void process_read_cpu(struct traced_process *p);
void process_detach(struct traced_process *p);
void process_deinit(struct traced_process *p);
