// SPDX-License-Identifier: Apache-2.0
#include "trace/process_table.h"
#include <errno.h>
#include "trace/process.h"

int process_table_add(struct process_table *t, struct traced_process *p)
{
	int r;

	if (process_table_find(t, p->target.pid))
		return -EEXIST;
	r = hashmap_put(&t->by_pid, (uint64_t)p->target.pid, (uintptr_t)p);
	if (r)
		return r;
	p->next = NULL;
	p->previous = t->last;
	*(t->last ? &t->last->next : &t->first) = p;
	t->last = p;
	t->n++;
	t->n_living++;
	return 0;
}

struct traced_process *process_table_latest(const struct process_table *t, pid_t pid)
{
	const uint64_t *p = hashmap_get(&t->by_pid, (uint64_t)pid);

	return p ? (struct traced_process *)(uintptr_t)*p : NULL;
}

struct traced_process *process_table_find(const struct process_table *t, pid_t pid)
{
	struct traced_process *p = process_table_latest(t, pid);

	return p && p->state != PROCESS_ENDED ? p : NULL;
}

void process_table_retire(struct process_table *t, struct traced_process *p)
{
	t->n_living -= p->state != PROCESS_ENDED;
	p->state = PROCESS_ENDED;
}

void process_table_remove(struct process_table *t, struct traced_process *p)
{
	process_table_retire(t, p);
	if (process_table_latest(t, p->target.pid) == p)
		hashmap_remove(&t->by_pid, (uint64_t)p->target.pid);
	*(p->previous ? &p->previous->next : &t->first) = p->next;
	*(p->next ? &p->next->previous : &t->last) = p->previous;
	p->previous = p->next = NULL;
	t->n--;
}

void process_table_deinit(struct process_table *t)
{
	hashmap_deinit(&t->by_pid);
	*t = (struct process_table){ 0 };
}
