/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must not stay when leaktrace ends at once, in the middle of anything: what was written to another
 * process, a command that waits for us, a file with half of its content. Whoever does such a thing adds how
 * it is undone, and drops that when it has been done.
 *
 *	undo_begin(l);
 *	r = undo_add(l, undo_it, fd, 0);	first, as it may fail
 *	if (!r)
 *		do_it();
 *	undo_end(l);
 *
 * Another thread may call undo_all() at any moment; what stands between begin and end is whole to it. A list
 * that is NULL is none.
 */
#pragma once
#include <pthread.h>
#include <stdint.h>
#include "base/vec.h"

/* Called once, perhaps while the thread that added it is anywhere in its work: its arguments are all that it
 * may rely on. */
typedef void undo_fn(uintptr_t what, uint64_t more);

struct undo {
	undo_fn *run;
	uintptr_t what;
	uint64_t more;
};

struct undo_list {
	pthread_mutex_t lock;
	VEC_OF(struct undo);
};

#define UNDO_LIST_NONE ((struct undo_list){ .lock = PTHREAD_MUTEX_INITIALIZER })

void undo_begin(struct undo_list *l);
void undo_end(struct undo_list *l);
/* Between begin and end. 0 or -ENOMEM. */
int undo_add(struct undo_list *l, undo_fn *run, uintptr_t what, uint64_t more);
/* Between begin and end: it has been undone, or is to stay. */
void undo_drop(struct undo_list *l, undo_fn *run, uintptr_t what, uint64_t more);
/* Undoes all, the latest first, and keeps the lock: nothing more is begun. To be followed by _exit(). */
void undo_all(struct undo_list *l);
/* Forgets the list, without undoing anything. */
void undo_list_deinit(struct undo_list *l);
