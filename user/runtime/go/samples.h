/* SPDX-License-Identifier: Apache-2.0 */
/* What BPF has of the heap of a Go process (include/leaktrace/go.h), for the threads that work on it. */
#pragma once
#include <pthread.h>
#include "go/spans.h"
#include "probe/object.h"

struct go_samples_maps {
	int spans, rows, seen; /* descriptors; they stay the object's */
	uint32_t tgid;
	pthread_mutex_t lock; /* of the process's row, for those who change it */
};

void go_samples_init(struct go_samples_maps *m, const struct object *o, pid_t pid);
void go_samples_deinit(struct go_samples_maps *m);
/* Raises the shifts of those classes that have most spans, until these are no more than `room`. Whether it
 * has. */
bool go_samples_make_room(const uint32_t spans[LT_GO_CLASSES], size_t room, uint8_t shift[LT_GO_CLASSES]);

/* -- the row: 0 or a negative errno ------------------------------------------------------------- */

/* All begins anew, with this row. */
int go_samples_begin(const struct go_samples_maps *m, const struct lt_go_heap *row);
int go_samples_row(const struct go_samples_maps *m, struct lt_go_heap *ret);
int go_samples_seen(const struct go_samples_maps *m, struct lt_go_seen *ret);
/* What is taken from now on stands for so many, in parts of LT_GO_ONCE. */
int go_samples_set_times(struct go_samples_maps *m, uint16_t times);
int go_samples_set_shift(struct go_samples_maps *m, const uint8_t shift[LT_GO_CLASSES]);

/* -- samples ------------------------------------------------------------------------------------ */

/* All of the process, in no order. Spans that come meanwhile may be missing. 0 or a negative errno. */
int go_samples_read(const struct go_samples_maps *m, struct go_samples *ret);
int go_samples_put(const struct go_samples_maps *m, const struct go_samples *samples);
/* Writes down what was dropped of samples that were read. The sample of a span that was taken meanwhile is
 * lost, whoever has taken it. */
void go_samples_prune(const struct go_samples_maps *m, const struct go_samples *samples);
/* Forgets the process. */
void go_samples_forget(struct go_samples_maps *m);
