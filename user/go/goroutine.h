/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The goroutines of a process, read while it runs. Each is one that was just so at one time: what
 * changes while it is read is read again, and counted where that does not help.
 */
#pragma once
#include <stdbool.h>
#include "base/arena.h"
#include "base/vec.h"
#include "go/runtime.h"

/* As in src/runtime/runtime2.go. */
enum go_status {
	GO_IDLE = 0,
	GO_RUNNABLE = 1,
	GO_RUNNING = 2,
	GO_SYSCALL = 3,
	GO_WAITING = 4,
	GO_DEAD = 6,
	GO_COPYSTACK = 8,
	GO_PREEMPTED = 9,
	GO_LEAKED = 10,	    /* from 1.26: waits for what nobody can reach */
	GO_DEAD_EXTRA = 11, /* from 1.26 */
	GO_SCAN = 0x1000,   /* added while its stack is scanned */
};

#define GO_DEPTH_MAX 4096 /* frames of a stack that are read */

/* Whether it waits: after Go's own profile of leaks has run that has two names. */
static inline bool go_status_waits(uint32_t status)
{
	return status == GO_WAITING || status == GO_LEAKED;
}

struct goroutine {
	uint64_t address;    /* of its struct g */
	uint64_t id, parent; /* parent: 0 when the release does not keep it (before 1.21) */
	uint64_t created_pc; /* return address in the function that created it; 0: none */
	uint64_t start_pc;   /* the entry of its function; 0: C called Go on a thread of its own */
	uint8_t status;	     /* enum go_status, without GO_SCAN */
	bool scanned;	     /* GO_SCAN was set */
	/* In the runtime's own words: "chan send", "select", "running", "runnable"; they are static
	 * or the runtime's, and last as long as it. */
	const char *state;
	uint8_t switches; /* a number that changes (modulo 256) each time it stops running */
	uint64_t waiting; /* the first sudog of the channels that it waits on; 0: none */
	uint64_t sp;	  /* where its stack pointer was saved; old while it runs */
	uint64_t stack_start, stack_end; /* all of its stack */
	pid_t tid;		 /* of the thread that runs it or that it is locked to; 0: none */
	bool system;		 /* one that the runtime keeps for itself */
	bool locked;		 /* by runtime.LockOSThread() */
	bool exact;		 /* it stood at its first address, which is no return address */
	bool complete;		 /* its stack is whole, down to where it started */
	size_t pcs, n_pcs;	 /* of the list: where it stands, then return addresses */
	size_t labels, n_labels; /* of the list */
};

struct go_label {
	const char *key, *value;
};

struct goroutine_list {
	VEC_OF(struct goroutine); /* in the order in which the runtime has them */
	struct {
		VEC_OF(uint64_t);
	} pcs;
	/* For each of `pcs` where its arguments start on the stack. */
	struct {
		VEC_OF(uint64_t);
	} arguments;
	struct {
		VEC_OF(struct go_label);
	} labels;
	struct arena strings; /* what the labels point to */
	uint64_t torn; /* that changed each time they were read: they are in the list without stacks
			*/
	uint64_t unread; /* whose memory could not be read or made no sense: they are not */
};

/* Reads all goroutines that live, without stopping anything. 0, -ESRCH: the process has ended,
 * -EPERM, -ENOMEM, or -EAGAIN: the list of them could not be read. `ret` starts as { 0 } and is to
 * be deinited in any case. */
int goroutines_read(struct go_runtime *rt, struct goroutine_list *ret);
void goroutine_list_deinit(struct goroutine_list *l);

/* -- for user/go/ ----------------------------------------------------------------------------- */

/* What is read of a stack: [at, at + size), and beyond as needed up to `end`. */
struct go_stack {
	const uint8_t *bytes;
	uint64_t at, size, end;
};

/*
 * Adds the frames of a stack that stands at `pc` with stack pointer `sp` to the list.
 * `*ret_complete`: it was followed to its end. 0 or -ENOMEM.
 */
int go_unwind(struct go_runtime *rt, struct go_stack stack, uint64_t pc, uint64_t sp,
	      struct goroutine_list *l, bool *ret_complete);
/* Threads of a process by the ids that it knows them by itself. */
struct go_threads {
	bool known, own_ids;
	struct hashmap by_inner;
};

/* 0 or -ENOMEM. */
int go_threads_read(pid_t pid, struct go_threads *ret);
/* The id that we know it by; 0: there is no such thread. */
pid_t go_threads_get(const struct go_threads *t, pid_t inner);
void go_threads_deinit(struct go_threads *t);
/* Where a thread of the process stands that is not on a processor; false: it is, or it is not
 * known. */
bool go_thread_stands_at(const struct go_runtime *rt, pid_t tid, uint64_t *ret_sp,
			 uint64_t *ret_pc);
/* A set of labels: where the runtime has it, and which of the list's it became. */
struct go_label_set {
	uint64_t at;
	size_t first, n;
};

/* Reads sets of labels, whose `n` is 0, and adds them to the list. 0 or -ENOMEM; what cannot be
 * read is left out. */
int go_labels_read(struct go_runtime *rt, struct go_label_set *sets, size_t n,
		   struct goroutine_list *l);
