/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes for the heap of a Go process that keeps no profile, and what comes of them: see go/spans.h. A
 * program that takes spans often is looked at in turns (runtime/go/turns.h), and then it has to be found
 * out after each garbage collection what has died (runtime/go/checks.h).
 */
#pragma once
#include "go/spans.h"
#include "probe/object.h"
#include "proc/module.h"

struct go_heap_probes;

/*
 * Attaches them to the process whose runtime is `rt`, which is part of the module, and must stay; `via`
 * names the stacks' allocating function in the books. The stacks come as LT_EVENT_STACK of the kind
 * LT_KIND_GO_HEAP. What need not be attached anew goes to `attached`. 0, or a negative errno with words:
 * -ENOENT, -EOPNOTSUPP: this program cannot be probed so.
 */
int go_heap_attach(const struct object *o, const struct go_runtime *rt, const struct module *m, pid_t pid,
		   uint8_t via, struct attachments *attached, struct go_heap_probes **ret, struct err *e);
/* What each stack has now: `stack` of a record is the id of a stack in the books. 0 or a negative errno, as
 * go_heap_read_spans(). */
int go_heap_read(struct go_heap_probes *p, struct go_heap *heap);
/* To be called now and then: when the points are hit too often they are looked at in turns from then on. */
void go_heap_watch(struct go_heap_probes *p);
/* Takes no turns any more; what is attached goes to `ret`. */
void go_heap_stop(struct go_heap_probes *p, struct attachments *ret);
/* Forgets the process, which is not probed any more. */
void go_heap_close(struct go_heap_probes *p);
/* How exact it is, in words. */
const char *go_heap_probes_words(const struct go_heap_probes *p, const struct go_heap *heap, char *buf,
				 size_t size);
