// SPDX-License-Identifier: Apache-2.0
#include "probe/worker.h"
#include <signal.h>
#include <time.h>
#include "base/clock.h"

#define SECOND 1000000000ULL

static void worker_deinit(struct worker *w)
{
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
}

/* Signals are for the thread that was there before. */
int worker_start(struct worker *w, void *(*run)(void *), void *arg)
{
	pthread_condattr_t attr;
	sigset_t all, old;
	int r;

	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	pthread_condattr_destroy(&attr);
	w->stop = false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&w->thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r)
		worker_deinit(w);
	return r;
}

void worker_stop(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	worker_deinit(w);
}

bool worker_wait(struct worker *w, uint64_t ns)
{
	const uint64_t until = clock_now() + ns;
	const struct timespec at = { .tv_sec = (time_t)(until / SECOND), .tv_nsec = (long)(until % SECOND) };
	bool go_on;

	pthread_mutex_lock(&w->lock);
	while (!w->stop && clock_now() < until)
		pthread_cond_timedwait(&w->wake, &w->lock, &at);
	go_on = !w->stop;
	pthread_mutex_unlock(&w->lock);
	return go_on;
}

void worker_lock(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
}

void worker_unlock(struct worker *w)
{
	pthread_mutex_unlock(&w->lock);
}
