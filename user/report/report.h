/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report: everything a reader is told, and nothing about how it was gathered. It is built once
 * and then immutable; all writers read it. Strings and arrays are owned by the report.
 *
 * To add an output format: write user/report/NAME.c with one `const struct report_writer`, declare
 * it in writer.h and add one row to the table in writer.c. It can then be chosen by -f NAME and by
 * its file extension.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>
#include <leaktrace/counters.h>
#include "base/left_out.h"
#include "kind/item.h"

struct tally {
	uint64_t count, amount; /* amount in the resource's unit */
};

static inline void tally_add(struct tally *t, uint64_t count, uint64_t amount)
{
	t->count += count;
	t->amount += amount;
}

/* What is not known is NULL or 0. */
struct report_frame {
	const char *function; /* demangled; NULL: unknown */
	const char *file;     /* source file; NULL: unknown */
	unsigned int line;    /* 0: unknown */
	bool inlined;	      /* was inlined into the next frame */
	const char *module;   /* path as the target sees it; NULL: unknown */
	const char *build_id; /* hex; NULL: none */
	uint64_t offset;      /* virtual address within the module's ELF file */
	uint64_t address;     /* in the process; 0: unknown */
	uint64_t repeats;     /* of a deep recursion: the `cycle` frames that end with this one are there so ... */
	unsigned int cycle;   /* ... many more times; else both are 0 */
};

enum verdict { VERDICT_UNKNOWN, VERDICT_LOST, VERDICT_GROWING, VERDICT_HELD, VERDICT_YOUNG, VERDICT_MAX };

/* Where the knowledge of a stack's holdings comes from. */
enum report_origin {
	ORIGIN_TRACED, /* they were seen acquired */
	ORIGIN_BEFORE, /* they were held when tracing began: no frames, no `via` */
	ORIGIN_UNSEEN, /* the system shows them, but no probe saw them acquired: the same */
	ORIGIN_MAX
};

struct report_note {
	const char *text;
	uint64_t count; /* of the holdings, not only of those among the items */
};

struct report_stack {
	uint64_t id; /* stable for the same frames, also in another run */
	pid_t pid; /* 0: of several processes, ... */
	pid_t *pids; /* ... which are these, in order; NULL otherwise */
	size_t n_pids;
	uint64_t n_ended; /* and so many that have ended, of whose books only sums are left */
	enum report_origin origin;
	const char *via; /* the function that acquired: "malloc"; NULL: not known */
	struct tally outstanding, acquired, released;
	struct tally before; /* of `outstanding`, held since before tracing */
	double oldest_seconds, youngest_seconds; /* age of what is outstanding; < 0: not known */
	enum verdict verdict;
	bool complete;	       /* walked to the outermost frame */
	const char *stop;      /* why not, in words; NULL when complete */
	const char *furniture; /* what of the runtime's own it is, in words: furniture.h; NULL: none */
	struct report_frame *frames; /* leaf first */
	size_t n_frames;
	const char *state; /* what goroutines do: "chan send"; NULL: not one of those */
	struct report_frame *place; /* ... and where, leaf first */
	size_t n_place;
	struct item *items; /* those with a note first, then the oldest; REPORT_ITEMS_MAX */
	size_t n_items;
	size_t n_items_all, n_noted; /* how many there are, and of those, how many have a note */
	struct report_note *notes;   /* what they say together, the most frequent first */
	size_t n_notes;
};

#define REPORT_ITEMS_MAX 100
#define REPORT_NOTES_MAX 8

struct report_resource {
	const char *kind, *state, *unit; /* "memory", NULL, "bytes"; "process", "zombie", ... */
	const char *method; /* how it was found out, and how exact that is; NULL: as all is */
	struct tally outstanding; /* now: `before` and `unseen`, and acquired - released */
	struct tally acquired, released; /* of what was seen acquired */
	struct tally before; /* held since before tracing */
	struct tally unseen; /* acquired in a way that no probe saw */
	struct report_stack *stacks; /* in the order asked for; the top N, and those not traced */
	size_t n_stacks;
	size_t n_furniture;	     /* the last of them, which are furniture */
	size_t n_stacks_all;	     /* before --top cut them */
	struct tally shown;	     /* outstanding in `stacks` */
};

/* How many holdings have what stacks. */
struct stack_shares {
	uint64_t complete, truncated;
	uint64_t unknown; /* of both: those with code in it of which nothing is known */
};

struct report_coverage {
	bool exact;
	uint64_t sample_bytes;
	double overhead_percent; /* of the target's CPU time; < 0: not known, ... */
	double overhead_core_percent; /* of a core; < 0: not known. Of both only this: too little to tell */
	double syscall_ns; /* what tracing adds to each system call on the machine, whoever makes it */
	uint64_t probe_hits;
	uint64_t untraced_children; /* that have come of the target while it was traced; of those: */
	uint64_t brief_children;   /* they ended before their probes were there, */
	uint64_t refused_children; /* and these could not be traced, */
	const char *refused_why;   /* the first of them for this reason */
	uint64_t unseen_processes; /* so many ran without probes at first, and after exec, ... */
	double unseen_most_ms;	   /* ... and the one that did so for longest for so long */
	struct report_untraced *untraced;
	size_t n_untraced;
	bool unmatched_known; /* false when sizes are filtered */
	uint64_t unmatched_releases;
	uint64_t lost[LT_COUNT_MAX - LT_COUNT_LOST_MAP_FULL]; /* in the order of LT_LOSSES */
	uint64_t stacks_complete, stacks_truncated;	      /* distinct stacks */
	struct stack_shares held, acquired;		      /* of what is outstanding, and of all */
	uint64_t stops[LT_STOP_MAX];			      /* truncated stacks by cause */
	const struct left_out *left_out; /* files, and parts of them, that could not be read; NULL: none */
};

/* What a process has of a resource: the parts of what struct report_resource says of all. */
struct process_share {
	struct tally outstanding, acquired, released, before, unseen;
};

/* Processes that were to be traced. */
struct report_untraced {
	const char *what; /* of them: "process" (all of it), or a kind */
	const char *why;
	uint64_t count; /* how many */
};

/* What whoever is traced is in. */
struct report_scope {
	const char *kind; /* "cgroup", "container" or "all" */
	const char *const *names; /* as they were asked for */
	size_t n_names;
	const char *words;
};

/* Who the processes are is told to report_build(), which fills in their shares. */
struct report_process {
	uint64_t n_ended; /* > 0: this is the sum of so many that have ended, and were called `comm`; NULL: several names */
	pid_t pid, ns_pid; /* ns_pid: in its own pid namespace; 0: not known */
	const char *comm, *exe, *cgroup, *container;
	const char *container_name; /* what people call it by, "NAMESPACE/POD/NAME" or "NAME"; NULL: not known */
	const char *state; /* "traced", "starting" (not yet traced), "ended", "left" (it goes on, untraced) or "refused" */
	bool refused;	   /* it is not traced, and has no shares ... */
	const char *why;   /* ... for this reason */
	struct timespec started, ended; /* CLOCK_REALTIME; tv_sec 0: not known, or it has not ended */
	double seconds;			/* for so long it has been traced; < 0: not known */
	double unseen_ms;	      /* for so long it ran before it was; < 0: not known */
	struct process_share *shares; /* one for each of the report's resources */
};

struct report {
	struct {
		pid_t *pids;
		size_t n_pids;
		struct report_process *processes; /* also those that have ended, sums of such, and those that are not traced */
		size_t n_processes;
		/* what all of them have in common; NULL: they do not, or it is not known */
		const char *comm, *exe, *cgroup, *container;
		struct report_scope scope; /* kind NULL: its processes were named */
		const char *halted; /* why it cannot do anything, in words: "pid 42 is stopped ..."; NULL: it can */
		const char *ended; /* how the target ended, in words: "exited with status 0"; NULL: it runs */
	} target;
	struct {
		struct timespec start; /* CLOCK_REALTIME */
		double seconds;
	} window;
	const char *filter; /* what is reported only, in words; NULL: everything */
	struct report_coverage coverage;
	struct report_resource *resources;
	size_t n_resources;
};

const char *verdict_name(enum verdict v); /* NULL for VERDICT_UNKNOWN */
/* What a process holds more of a resource than when tracing began, for each second in which it has been traced. False:
 * too short a time to tell. */
bool report_process_rate(const struct report_process *p, size_t resource, double *ret_count, double *ret_amount);

/* What a writer may adapt to. */
struct report_style {
	bool colour;
	unsigned int width; /* columns; 0: unlimited */
	bool one_line;	    /* one document per line (JSON Lines) */
};
