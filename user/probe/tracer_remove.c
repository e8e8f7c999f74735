// SPDX-License-Identifier: Apache-2.0
/* Giving back what is left of processes that have ended, many at a time: tables are gone through once for all. */
#include <errno.h>
#include "base/cleanup.h"
#include "probe/tracer.h"

/* Those that go. */
static int find_those(const struct tracer *t, size_t keep, struct hashmap *ret)
{
	size_t ended = t->processes.n - t->processes.n_living;
	int r = 0;

	process_foreach(p, &t->processes) {
		if (p->state != PROCESS_ENDED || r)
			continue;
		if (ended-- <= keep)
			break;
		r = hashmap_put(ret, (uint64_t)p->target.pid, (uintptr_t)p);
	}
	return r;
}

/* Connections that a process which is still there holds as well are told of as before; only when their peer
 * closed them is forgotten. */
static int drop_books(struct tracer *t, const struct hashmap *those)
{
	_cleanup_(hashmap_deinit) struct hashmap stacks = { 0 };
	struct id_vec connections = { 0 };
	size_t named = t->named.stack;
	int r = books_remove(&t->books, those, &stacks, &named);

	if (r)
		return r;
	t->named.frame = named == t->named.stack ? t->named.frame : 0;
	t->named.stack = named;
	r = ledger_remove(&t->ledger, those, &stacks, &connections);
	vec_foreach(inode, &connections)
		object_forget_socket(&t->object, *inode);
	vec_free(&connections);
	object_forget_threads(&t->object, those);
	return r;
}

static int remove_those(struct tracer *t, const struct hashmap *those)
{
	int r = those->n ? drop_books(t, those) : 0;

	for (size_t i = 0; i < those->cap && !r; i++) {
		struct traced_process *p = (struct traced_process *)(uintptr_t)those->slots[i].value;

		if (!those->slots[i].used || !p)
			continue;
		sources_remove(p);
		unwind_tables_forget(&t->tables, p->target.pid);
		process_remove(t, p);
	}
	return r;
}

int tracer_remove_forgotten(struct tracer *t)
{
	int r;

	for (size_t i = 0; i < t->forgotten.cap; i++)
		if (t->forgotten.slots[i].used)
			t->books.oom += late_stacks_settle(&t->late, t->late.n, (uint32_t)t->forgotten.slots[i].key,
							   &t->object, &t->books.stacks) == -ENOMEM;
	r = remove_those(t, &t->forgotten);
	if (!r)
		hashmap_deinit(&t->forgotten);
	return r;
}

int tracer_remove_ended(struct tracer *t, size_t keep)
{
	_cleanup_(hashmap_deinit) struct hashmap those = { 0 };
	int r = find_those(t, keep, &those);

	return r ? r : remove_those(t, &those);
}

int tracer_remove(struct tracer *t, struct traced_process *ended)
{
	_cleanup_(hashmap_deinit) struct hashmap those = { 0 };
	int r = hashmap_put(&those, (uint64_t)ended->target.pid, (uintptr_t)ended);

	return r ? r : remove_those(t, &those);
}
