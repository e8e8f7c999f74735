/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that does something now and then, until it is told to stop. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct worker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;
};

/* 0 or a negative errno: then there is nothing to stop. */
int worker_start(struct worker *w, void *(*run)(void *), void *arg);
/* Waits until the thread has ended. */
void worker_stop(struct worker *w);
/* For the thread: whether to go on when the time is over. */
bool worker_wait(struct worker *w, uint64_t ns);
/* For what the thread shares with others. */
void worker_lock(struct worker *w);
void worker_unlock(struct worker *w);
