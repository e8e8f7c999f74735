// SPDX-License-Identifier: Apache-2.0
/* Letting processes go; and giving back what is left of those that have ended, many at a time: tables are gone
 * through once for all. */
#include <bpf/libbpf.h>
#include <errno.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "leak/ended.h"
#include "trace/tracer.h"

#define ENDED_MAX  256 /* of which reports tell one by one; then ... */
#define ENDED_KEPT 64  /* ... only so many are left */

/* -- letting go ------------------------------------------------------------------------------ */

void tracer_release(struct tracer *t, struct traced_process *p)
{
	if (p->state == PROCESS_TRACED) { /* its last books are right */
		process_reconcile(t, p, RECONCILE_GOING);
		process_reap(t, p);
		sources_read(t, p, SOURCE_READ_NOW);
	}
	p->left = true;
	p->told = false;
	process_end(t, p);
	p->cpu_whole = true; /* as long as it was traced */
}

/* -- who goes ---------------------------------------------------------------------------------- */

/* Those that go (pid -> struct traced_process). */
static int find_those(const struct tracer *t, size_t keep, uint64_t older_ns, struct hashmap *ret)
{
	const uint64_t now_ns = clock_now();
	size_t ended = t->processes.n - t->processes.n_living;
	int r = 0;

	process_foreach(p, &t->processes) {
		if (p->state != PROCESS_ENDED || r)
			continue;
		if (ended-- <= keep)
			break;
		if (now_ns - p->ended_ns >= older_ns) /* else it may have held what is not that old */
			r = hashmap_put(ret, (uint64_t)p->target.pid, (uintptr_t)p);
	}
	return r;
}

/* -- adding up ---------------------------------------------------------------------------------- */

static int find_groups(struct tracer *t, const struct hashmap *those, struct hashmap *ret)
{
	int r = 0;

	for (size_t i = 0; i < those->cap && !r; i++) {
		const struct traced_process *p = (struct traced_process *)(uintptr_t)those->slots[i].value;
		uint32_t group;

		if (!those->slots[i].used)
			continue;
		group = ended_groups_find(&t->ended, p);
		r = group ? hashmap_put(ret, those->slots[i].key, group) : -ENOMEM;
	}
	return r;
}

/* What is missing for want of memory has been counted. */
static int add_up(struct tracer *t, const struct hashmap *those)
{
	_cleanup_(hashmap_deinit) struct hashmap groups = { 0 };
	int r = find_groups(t, those, &groups);

	if (!r)
		r = tracer_read_books(t, clock_now(), 0);
	if (r)
		return r;
	books_add_up(&t->books, &groups);
	for (size_t i = 0; i < groups.cap; i++) {
		const struct hashmap_slot *slot = &groups.slots[i];

		if (slot->used)
			ended_groups_add(&t->ended, (uint32_t)slot->value,
					 (struct traced_process *)(uintptr_t)*hashmap_get(those, slot->key));
	}
	return 0;
}

/* -- giving back -------------------------------------------------------------------------------- */

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
	t->jits.scanned = 0; /* each stack says whether it has been looked at */
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

	if (!t->forgotten.n)
		return 0;
	ring_buffer__consume(t->ring); /* what they have said must not come after them */
	for (size_t i = 0; i < t->forgotten.cap; i++)
		if (t->forgotten.slots[i].used)
			t->books.oom += late_stacks_settle(&t->late, t->late.n, (uint32_t)t->forgotten.slots[i].key,
							   &t->object, &t->books.stacks) == -ENOMEM;
	r = remove_those(t, &t->forgotten);
	if (!r)
		hashmap_deinit(&t->forgotten);
	return r;
}

static int remove_ended(struct tracer *t, size_t keep, uint64_t older_ns)
{
	_cleanup_(hashmap_deinit) struct hashmap those = { 0 };
	int r = find_those(t, keep, older_ns, &those);

	if (!r && those.n)
		r = add_up(t, &those);
	return r ? r : remove_those(t, &those);
}

int tracer_remove_ended(struct tracer *t, size_t keep)
{
	return remove_ended(t, keep, 0);
}

void tracer_limit_ended(struct tracer *t)
{
	if (t->processes.n - t->processes.n_living >= ENDED_MAX)
		remove_ended(t, ENDED_KEPT, t->options.older_ns);
}

int tracer_told(struct tracer *t)
{
	int r = tracer_remove_ended(t, 0);

	if (!r)
		books_give_back(&t->books);
	return r;
}

int tracer_remove(struct tracer *t, struct traced_process *ended)
{
	_cleanup_(hashmap_deinit) struct hashmap those = { 0 };
	int r = hashmap_put(&those, (uint64_t)ended->target.pid, (uintptr_t)ended);

	if (!r)
		r = add_up(t, &those);
	return r ? r : remove_those(t, &those);
}
