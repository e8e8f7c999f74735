/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The books: what is outstanding, and the totals of every stack. Only bpf/track.bpf.h writes them.
 */
#pragma once
#include "leaktrace/probe.h"
#include "leaktrace/unwind.h"

struct lt_holding_key {
	__u64 id; /* a block's address */
	__u32 tgid;
	__u32 kind;
};

struct lt_holding {
	__u64 amount;
	__u64 ns; /* CLOCK_MONOTONIC at some moment of the tick in which it was acquired */
	__u32 tgid;
	__u32 kind : 8, stack : 24; /* stack: the number of its slot in `stacks` */
};
LT_ASSERT_SIZE(struct lt_holding, 24);

/* Instead of a stack's number: */
#define LT_STACK_BEFORE 0xffffffU /* held since before tracing */
#define LT_STACK_UNSEEN 0xfffffeU /* found in a census, but no probe saw it acquired */

#define LT_HOLDING_SETS	 131072 /* at most, as the others; a power of two. User space may make it less */
#define LT_HOLDING_WAYS	 7
#define LT_MAX_SPILLED	 2097152
#define LT_SLOT_FREE	 0ULL /* keys that no id has: ids are never ~0 or ~1 */
#define LT_SLOT_CLAIMED	 1ULL /* its holding is being written */
#define LT_SLOT_KEY(id)	 (~(id))

/* The holdings whose keys hash alike. See bpf/ledger.bpf.h. */
struct lt_holding_set {
	__u64 spilled; /* at most so many more are in the map `spilled` */
	__u64 keys[LT_HOLDING_WAYS];
	struct lt_holding holdings[LT_HOLDING_WAYS];
	__u64 reserved[3];
};
LT_ASSERT_SIZE(struct lt_holding_set, 256);

/*
 * The set that a key's holding belongs to. Other ids than addresses are given out one after the other:
 * four of them share a set, and sets lie in their order, so that the next one is in the cache and the
 * TLB. And a connection is found by its inode alone. `set_mask`: how many sets there are, less 1.
 */
static inline __u32 lt_set_number(const struct lt_holding_key *key, __u32 set_mask)
{
	__u64 id = key->kind == LT_KIND_MEMORY ? key->id : 0;
	__u64 after = key->kind == LT_KIND_MEMORY ? 0 : key->id >> 2;
	__u64 tgid = key->kind == LT_KIND_CONNECTION ? 0 : key->tgid;
	__u64 hash = (id ^ tgid << 32 ^ (__u64)key->kind << 56) * 0x9e3779b97f4a7c15ULL;

	return ((hash >> 32) + after) & set_mask;
}

struct lt_totals { /* BPF counts the amounts of memory only: those of all else are the counts */
	__u64 acquired, acquired_amount;
	__u64 released, released_amount;
};

#define LT_MAX_STACKS 262144 /* likewise */

/* A slot of the table of stacks. */
struct lt_stack {
	__u64 id; /* a hash of process, kind, function and frames; 0: the slot is free */
	struct lt_totals totals;
};

/* What else than its frames makes a stack's id. */
static inline __u64 lt_stack_seed(__u32 tgid, __u32 kind, __u8 via)
{
	return (__u64)tgid << 32 | kind << 8 | via;
}

/* In the seed, for all that is seen after it was found that a JIT's code has taken the place of other code. */
#define LT_EPOCHS_MAX 65535

static inline __u64 lt_stack_epoch(__u32 epoch)
{
	return (__u64)epoch << 16;
}

/* A stack's id, of the hash of its frames, from 0 on by lt_hash_frame(); and the hash, of the id. */
static inline __u64 lt_stack_id(__u64 hash, __u64 seed)
{
	__u64 id = hash ^ seed * 0x9e3779b97f4a7c15ULL;

	return id ? id : 1;
}

enum lt_event_type {
	LT_EVENT_STACK,	  /* a stack seen for the first time */
	LT_EVENT_COPY,	  /* ... with unknown code in it */
	LT_EVENT_RANGE,	  /* mappings changed */
	LT_EVENT_UNKNOWN, /* a stack went through an address in no known mapping */
	LT_EVENT_LOADER,  /* the dynamic loader has changed the list of modules */
	LT_EVENT_STOPPED, /* the same, and the command is being stopped till we have looked */
	LT_EVENT_EXEC,	  /* the process runs another program now */
	LT_EVENT_SHARER,  /* somebody shares its memory whom its probes do not see, or did not */
	LT_EVENT_FILE,	  /* code runs of a file of which nothing is known yet */
	LT_EVENT_LEADER,  /* the process's first thread has ended, while others go on */
	LT_EVENT_EXIT,	  /* its last thread is about to end */
	LT_EVENT_BORN,	  /* a process of its own has come of it, which is traced from here on */
};

struct lt_event {
	__u32 type;
	__u32 tgid;
};

struct lt_event_exit {
	struct lt_event head;
	__u64 cpu_ns; /* what all of its threads have used */
};

struct lt_event_exec {
	struct lt_event head;
	__u64 ns; /* CLOCK_MONOTONIC: what has been acquired since then has a later time */
	__u32 recorded; /* what the new program does is in the books from its first instruction on */
	__u32 reserved;
};
#define LT_EXEC_APART_NS 20000 /* nothing can be acquired so shortly before an exec, which takes longer */

#define LT_MAX_BIRTHS 1024

/* A process that was followed: `head.tgid` is the one that it has come of. */
struct lt_event_born {
	struct lt_event head;
	__u32 tgid;
	__u32 held; /* it has been stopped (SIGSTOP), before its first instruction */
	__u64 ns;   /* CLOCK_MONOTONIC */
};

struct lt_event_stack {
	struct lt_event head;
	__u64 id;
	__u8 kind, via, stop;
	__u8 n_python; /* frames of Python code, two words each behind the `n`: code and instruction */
	__u16 n;
	__u16 fp_frames; /* walked by frame pointer for want of a table */
	__u64 frames[LT_MAX_FRAMES];
};

#define LT_COPY_PAGES 32 /* a bit each in `present` */
#define LT_COPY_PAGE  4096
#define LT_COPY_HOLE  24 /* so many absent pages are the end of the stack */
#define LT_COPY_MAPPINGS 32

/*
 * A stack that led through code of which nothing was known yet, as a module's that is just being
 * loaded. Until user space has walked this copy of it again, its id tells it from others of the same
 * known frames.
 */
struct lt_event_copy {
	struct lt_event head;
	__u64 id;
	__u64 frames_id; /* its id by the frames alone */
	__u64 rip, rsp, rbp;
	__u64 base, size; /* of the copy; whole pages */
	__u32 present;	  /* pages that were: a large frame has some that were never touched */
	__u16 kind, via;
	__u32 generation; /* of the process's mappings */
	__u32 n_mappings; /* with code that the stack may lead through, as the kernel had them */
	struct lt_seen_mapping mappings[LT_COPY_MAPPINGS];
	__u8 stack[LT_COPY_PAGES * LT_COPY_PAGE] __attribute__((aligned(8))); /* only `size` of it is sent */
};

/* The arguments of the program that does it. */
enum lt_again {
	LT_AGAIN_TGID,
	LT_AGAIN_KIND,
	LT_AGAIN_VIA,
	LT_AGAIN_RIP,
	LT_AGAIN_RSP,
	LT_AGAIN_RBP,
	LT_AGAIN_COPY, /* where it is in our memory */
	LT_AGAIN_BASE,
	LT_AGAIN_SIZE,
	LT_AGAIN_PRESENT,
	LT_AGAIN_GENERATION,
	LT_AGAIN_TABLE, /* whose mappings are taken: the process's, or LT_COPYS_TABLE */
	LT_AGAIN_MAX
};

#define LT_PATH_PARTS 64
#define LT_PATH_BYTES 4096
#define LT_NAME_BYTES 256

/* A file that is not in `files`: where it is mapped, and what leads to it. */
struct lt_event_file {
	struct lt_event head;
	struct lt_seen_mapping at;
	__u32 n_parts; /* of its path in the process's root, the last first */
	__u32 n_bytes; /* of them, each with a 0 behind it */
	char path[LT_PATH_BYTES + LT_NAME_BYTES];
};

enum lt_range_op {
	LT_RANGE_MAP,	 /* [addr, addr + len) now belongs to `stack`, whatever was there before */
	LT_RANGE_UNMAP,	 /* [addr, addr + len) is gone */
	LT_RANGE_DROP,	 /* all is gone that is left of what was mapped at `addr` */
	LT_RANGE_TAKE,	 /* mremap of [addr, addr + len) by thread `tid` begins ... */
	LT_RANGE_SETTLE, /* ... and ends: now [addr, addr + len), or it failed when len is 0 */
};

struct lt_event_range {
	struct lt_event head;
	__u32 op, tid;
	__u64 addr, len;
	__u64 stack; /* 0: not accounted (a thread's stack) */
	__u64 ns;
	__u32 internal; /* called from within the module that defines the function */
	__u32 reserved;
};

/* One traced process: user space replaces the whole value when its mappings have changed. */
struct lt_process {
	__u32 n_mappings;
	__u32 generation; /* the one that the process was in when they were read */
	struct lt_mapping mappings[LT_MAX_MAPPINGS]; /* sorted; [0] is an empty sentinel */
};

/* What `processes` has of it: of nearly all that is all. The others are in `large_processes` as a whole, under the
 * same generation. */
struct lt_process_head {
	__u32 n_mappings;
	__u32 generation;
	struct lt_mapping mappings[LT_FEW_MAPPINGS];
};

/*
 * A process's mappings are in another generation each time that they change. BPF says so at once, where
 * the loader tells of it, so what was known of another generation is never taken for true. Never 0.
 */
#define LT_COPYS_TABLE 0xffffffffU /* in place of a process: the mappings that came with the copy */
#define LT_PROCESSES		    1024 /* that are traced at a time, unless user space wants more */
#define LT_TRACED_SLOTS		    4096
#define LT_GENERATIONS_APART	    (1U << 16) /* of processes: threads must not take one for another */
#define LT_TRACED(tgid, generation) ((__u64)(generation) << 32 | (tgid))
/* Several processes, so many of them, are in this slot: ask `generations`. */
#define LT_TRACED_MANY(n)	    ((__u64)(n) << 32 | 0xffffffffU)
#define LT_TRACED_IS_MANY(there)    ((__u32)(there) == 0xffffffffU)
/* Set in the id of a process of which nothing is recorded yet, as its probes are still being attached: BPF tells
 * only of its exec. No id is as large. */
#define LT_TRACED_WAITING	    0x80000000U

/* Of the n-th process that is traced. */
static inline __u32 lt_first_generation(__u32 n)
{
	return n * LT_GENERATIONS_APART + 1;
}

static inline __u32 lt_next_generation(__u32 generation)
{
	return generation + 1 ? generation + 1 : 1;
}

/* Set before loading. */
struct lt_config {
	__u64 min_amount, max_amount; /* of a block, inclusive */
	__u64 pidns_dev, pidns_ino;   /* our own pid namespace; ino 0: the initial one */
	__u32 kinds;		      /* what is traced, a bit for each enum lt_kind */
	__u32 kernel_stacks;	      /* stacks begin in the kernel, but for memory */
	__u32 set_mask, stack_mask;   /* how many there are in the tables of holdings and of stacks, less 1 */
};
