/* SPDX-License-Identifier: Apache-2.0 */
/* Probes for the heap of a Go process that keeps no profile, and what comes of them: see go/spans.h. */
#pragma once
#include "go/spans.h"
#include "probe/object.h"
#include "proc/module.h"

/*
 * Attaches them to the process whose runtime is `rt`, which is part of the module; `via` names the stacks' allocating function in the
 * books. The stacks come as LT_EVENT_STACK of the kind LT_KIND_GO_HEAP. 0, or a negative errno with words:
 * -ENOENT, -EOPNOTSUPP: this program cannot be probed so.
 */
int go_heap_attach(const struct object *o, const struct go_runtime *rt, const struct module *m, pid_t pid,
		   uint8_t via, struct attachments *ret, struct err *e);
/* What each stack has now: `stack` of a record is the id of a stack in the books. 0 or a negative errno, as
 * go_heap_read_spans(). */
int go_heap_read(const struct object *o, struct go_runtime *rt, pid_t pid, struct go_heap *heap);
/* Forgets the process, which is not probed any more. */
void go_heap_forget(const struct object *o, pid_t pid);
