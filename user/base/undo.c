// SPDX-License-Identifier: Apache-2.0
#include "base/undo.h"
#include <time.h>

#define PATIENCE_NS 300000000 /* for a thread that hangs between begin and end */

void undo_begin(struct undo_list *l)
{
	if (l)
		pthread_mutex_lock(&l->lock);
}

void undo_end(struct undo_list *l)
{
	if (l)
		pthread_mutex_unlock(&l->lock);
}

int undo_add(struct undo_list *l, undo_fn *run, uintptr_t what, uint64_t more)
{
	return l ? vec_push(l, (struct undo){ run, what, more }) : 0;
}

void undo_drop(struct undo_list *l, undo_fn *run, uintptr_t what, uint64_t more)
{
	for (size_t i = l ? l->n : 0; i-- > 0;) {
		const struct undo *u = &l->items[i];

		if (u->run != run || u->what != what || u->more != more)
			continue;
		l->items[i] = l->items[--l->n];
		return;
	}
}

void undo_all(struct undo_list *l)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += PATIENCE_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_timedlock(&l->lock, &until);
	while (l->n) {
		const struct undo *u = &l->items[--l->n];

		u->run(u->what, u->more);
	}
}

void undo_list_deinit(struct undo_list *l)
{
	vec_free(l);
	pthread_mutex_destroy(&l->lock);
}
