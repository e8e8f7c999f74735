// SPDX-License-Identifier: Apache-2.0
#include "probe/detacher.h"
#include <signal.h>

void detacher_init(struct detacher *d)
{
	*d = (struct detacher){ .stop = false };
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->wake, NULL);
	pthread_cond_init(&d->idle, NULL);
}

static bool is_empty(const struct attachments *a)
{
	return !a->n && !a->perf.n;
}

static void *run(void *arg)
{
	struct detacher *d = arg;
	struct attachments lot;

	pthread_mutex_lock(&d->lock);
	while (!d->stop || !is_empty(&d->next)) {
		if (is_empty(&d->next)) {
			d->busy = false;
			pthread_cond_broadcast(&d->idle);
			pthread_cond_wait(&d->wake, &d->lock);
			continue;
		}
		lot = d->next;
		d->next = (struct attachments){ 0 };
		pthread_mutex_unlock(&d->lock);
		attachments_deinit(&lot);
		pthread_mutex_lock(&d->lock);
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

/* Signals are for the thread that was there before. */
static bool start(struct detacher *d)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	d->started = d->started || !pthread_create(&d->thread, NULL, run, d);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return d->started;
}

void detacher_take(struct detacher *d, struct attachments *a)
{
	if (!is_empty(a) && start(d)) {
		pthread_mutex_lock(&d->lock);
		attachments_move(a, &d->next);
		d->busy = true;
		pthread_cond_signal(&d->wake);
		pthread_mutex_unlock(&d->lock);
	}
	attachments_deinit(a); /* what is left: mostly nothing */
}

void detacher_wait(struct detacher *d)
{
	pthread_mutex_lock(&d->lock);
	while (d->busy)
		pthread_cond_wait(&d->idle, &d->lock);
	pthread_mutex_unlock(&d->lock);
}

void detacher_deinit(struct detacher *d)
{
	pthread_mutex_lock(&d->lock);
	d->stop = true;
	pthread_cond_signal(&d->wake);
	pthread_mutex_unlock(&d->lock);
	if (d->started)
		pthread_join(d->thread, NULL);
	pthread_cond_destroy(&d->wake);
	pthread_cond_destroy(&d->idle);
	pthread_mutex_destroy(&d->lock);
}
