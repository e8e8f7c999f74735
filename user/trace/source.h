/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources: runtimes within the traced processes that tell more than the kernel and the allocators do. Each is a row of
 * sources(); the tracer knows no other thing of them. To add one: a file source_NAME.c with its functions, its row, and
 * what it keeps of a process in struct traced_process.
 *
 *	mapped ...		where things are in the process is known, or has changed
 *	look ... read ...	what it runs is known, or has changed; then now and then
 *	detach			tracing ends: what has been read can still be asked for
 *	exec			the process runs another program: look again
 *	end, remove		it has ended; nobody asks for it any more
 *	deinit
 */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "kind/kind.h"
#include "leak/books.h"
#include "probe/attach.h"

struct tracer;
struct traced_process;

enum source_reading {
	SOURCE_READ_DUE,
	SOURCE_READ_NOW,
	SOURCE_READ_PROBED,    /* what probes tell, which are about to go: the rest comes with the next one */
	SOURCE_READ_AND_JUDGE, /* and find out what of it is leaked, for as long as there is time */
};

/* What whoever watches is told of a process. */
enum source_notice {
	SOURCE_OF_PROGRAM, /* once for each program that it runs */
	SOURCE_DETAIL,	   /* the same, to those who want to know all */
	SOURCE_WRITTEN,	   /* its memory was written to */
	SOURCE_NOT_UNDONE, /* that could not be undone */
};

/* A function that is NULL has nothing to do. */
struct source {
	const char *name;
	uint32_t kinds; /* that nobody else tells of */
	/* The process's mappings are known, or are others than before. 0 or -ENOMEM. */
	int (*mapped)(struct tracer *t, const struct traced_process *p);
	/* Looks for the runtime. 0, also when there is none; or a negative errno with the reason in `e`: what was
	 * asked for cannot be done. */
	int (*look)(struct tracer *t, struct traced_process *p, struct err *e);
	/* Whether it is there and can be read; whether that may yet come, as the program has only started. */
	bool (*found)(const struct traced_process *p);
	bool (*awaited)(const struct traced_process *p);
	/* Whether it has been read, so that there is something to tell of its kinds. */
	bool (*begun)(const struct traced_process *p);
	/* Why it is not found, in words. */
	void (*refusal)(const struct traced_process *p, struct err *e);
	void (*read)(struct tracer *t, struct traced_process *p, enum source_reading what);

	/* Adds what was read last to the snapshot. */
	void (*snapshot)(const struct traced_process *p, struct books_snapshot *s);
	/* Adds what it knows of something that is held; `goroutine` is room for that of one. */
	void (*describe)(const struct traced_process *p, enum lt_kind kind, struct holding *h,
			 struct goroutine_state *goroutine);
	/* How its kinds are known, all in `arena`. 0 or -ENOMEM. */
	int (*methods)(const struct traced_process *p, struct arena *arena, const char *ret[LT_KIND_MAX]);
	/* False: there is nothing to tell. */
	bool (*notice)(const struct tracer *t, const struct traced_process *p, enum source_notice what,
		       struct err *ret);

	/* Its probes go to `ret`. */
	void (*detach)(struct traced_process *p, struct attachments *ret);
	void (*exec)(struct tracer *t, struct traced_process *p);
	void (*end)(struct tracer *t, struct traced_process *p);
	void (*remove)(struct traced_process *p);
	void (*deinit)(struct traced_process *p);
};

/* All, ends with NULL. */
const struct source *const *sources(void);

/* The same of all of them: */
int sources_mapped(struct tracer *t, const struct traced_process *p);
int sources_look(struct tracer *t, struct traced_process *p, struct err *e);
void sources_read(struct tracer *t, struct traced_process *p, enum source_reading what);
/* Whether any is found that tells of a kind; whether one may yet be. */
bool sources_found(const struct traced_process *p);
bool sources_awaited(const struct traced_process *p);
/* The kinds that only sources tell of; those of which there is something to tell. */
uint32_t sources_kinds(void);
uint32_t sources_begun(const struct traced_process *p);
/* Why none of the sources of these kinds is found. */
void sources_refusal(const struct traced_process *p, uint32_t kinds, struct err *e);
void sources_snapshot(const struct traced_process *p, struct books_snapshot *s);
void sources_describe(const struct traced_process *p, enum lt_kind kind, struct holding *h,
		      struct goroutine_state *goroutine);
int sources_methods(const struct traced_process *p, struct arena *arena, const char *ret[LT_KIND_MAX]);
void sources_detach(struct traced_process *p, struct attachments *ret);
void sources_exec(struct tracer *t, struct traced_process *p);
void sources_end(struct tracer *t, struct traced_process *p);
void sources_remove(struct traced_process *p);
void sources_deinit(struct traced_process *p);

extern const struct source source_go, source_python;
