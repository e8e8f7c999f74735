/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Switching on the heap profile of a Go program that keeps none: the one thing that is ever written to
 * another process, and only when it is asked for. runtime.MemProfileRate becomes 524288, Go's own default,
 * and 0 again in the end. From then on the runtime samples what it allocates (go/heap.h).
 */
#pragma once
#include "base/err.h"
#include "base/undo.h"
#include "go/runtime.h"

struct go_heap_rate {
	int memory;  /* of the process, as it was: what it runs after exec is another; -1: nothing is written */
	uint64_t at; /* where it was written */
	struct undo_list *undo;
};

#define GO_HEAP_RATE_NONE ((struct go_heap_rate){ .memory = -1 })

/*
 * Writes it. 0; -EALREADY: the program has a rate of its own, nothing is written; -EOPNOTSUPP: the variable
 * was not found, or is not what it should be; or another negative errno. `e` says it in words. From then on
 * `list`, which may be NULL, knows of it.
 */
int go_heap_rate_begin(const struct go_runtime *rt, struct undo_list *list, struct go_heap_rate *ret,
		       struct err *e);
/* Undoes it, unless the program has set a rate itself meanwhile, or has gone. 0 or a negative errno. */
int go_heap_rate_end(struct go_heap_rate *r);
