/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread that takes probes away, so that nobody has to wait for it: the kernel takes tens of milliseconds, for
 * one as for many at the same time. So what comes while it is at it goes with the next lot.
 */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include "probe/attach.h"

struct detacher {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake, idle;
	struct attachments next; /* the lot that is to go next */
	bool started, busy, stop;
};

void detacher_init(struct detacher *d);
/* Has all that is in `a` taken away, which is empty then. Should there be no memory or no thread, it is done at
 * once. */
void detacher_take(struct detacher *d, struct attachments *a);
/* Waits until all that it has been given so far has been taken away. */
void detacher_wait(struct detacher *d);
/* The same; there is nothing more to come. */
void detacher_deinit(struct detacher *d);
