/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ways to attach the entry and return programs to a process's functions, best first:
 *
 *   session  one uprobe_multi link runs one program at entry and return; a call that turns out to be
 *            nested skips its return probe (kernel 6.13)
 *   multi    uprobe_multi links, one for the entries and one for the returns (6.6; from 6.10 on for
 *            processes with threads)
 *   perf     one perf event for each probe (any kernel with BPF cookies, 5.15); it lasts as long as the
 *            thread that it is bound to, and is the only one for a process whose first thread has ended
 *
 * To add one: a row in the table in attach.c. Which one a host has is found by trying.
 */
#pragma once
#include <bpf/libbpf.h>
#include <leaktrace/probe.h>
#include "base/vec.h"

struct attach_point {
	uint64_t offset; /* in the file */
	struct lt_cookie cookie;
	bool returns; /* follow calls to their return: sp_delta must be 0 */
};

/* Points in one file, for one process. */
struct attach_request {
	pid_t pid;
	int fd; /* the file */
	const struct attach_point *points;
	size_t n;
};

struct attach_programs {
	struct bpf_program *enter, *leave, *session;
};

/* Everything that is attached for one process; closing it detaches. */
struct attachments {
	VEC_OF(int); /* uprobe_multi links */
	struct {
		VEC_OF(struct bpf_link *);
	} perf;
};

struct attach_kind {
	const char *name;
	bool by_space; /* programs run for whoever shares the process's memory, not for its threads alone */
	bool by_thread; /* bound to the first thread that runs, task_proc(); gone when that ends */
	bool session; /* uses programs->session for functions that return, and needs it loaded */
	unsigned int enter_type, session_type; /* expected_attach_type, set before loading */
	int (*attach)(const struct attach_programs *programs, const struct attach_request *request,
		      struct attachments *ret);
};

/* All kinds, best first, NULL-terminated. */
const struct attach_kind *const *attach_kinds(void);
/* The one that is `by_space`, which every kernel has. */
const struct attach_kind *attach_kind_by_space(void);
/* The name of the only kind that works with the process as it is; NULL: any does. */
const char *attach_kind_needed(pid_t pid);
/* All that is in `from` goes to `to`, as far as memory allows. */
void attachments_move(struct attachments *from, struct attachments *to);
void attachments_deinit(struct attachments *a);
