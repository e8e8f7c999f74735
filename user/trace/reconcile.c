// SPDX-License-Identifier: Apache-2.0
/*
 * A census takes a while, and the process goes on meanwhile. So only a holding that is older than the
 * census, and yet not in it, has gone; a younger one may have been acquired behind the reader's back.
 * And what is not in the books yet may be acquired this very moment: it is entered when the next census
 * shows it as well.
 */
#include "trace/reconcile.h"
#include <errno.h>
#include <stdlib.h>
#include "proc/taskdir.h"

static int compare_keys(const void *a, const void *b)
{
	const struct lt_holding_key *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static bool keys_have(const struct lt_holding_key *keys, size_t n, const struct lt_holding_key *key)
{
	return n && bsearch(key, keys, n, sizeof(*keys), compare_keys);
}

/* What the process has in the books of these kinds, sorted. */
static int entries_of(const struct object *o, pid_t pid, uint32_t kinds, struct ledger_entries *ret)
{
	struct ledger_maps maps;
	size_t n = 0;
	int r;

	object_ledger_maps(o, &maps);
	r = ledger_list(&maps, kinds, ret);
	vec_foreach(e, ret)
		if (e->key.tgid == (uint32_t)pid)
			ret->items[n++] = *e;
	ret->n = n;
	if (n)
		qsort(ret->items, n, sizeof(*ret->items), compare_keys);
	return r;
}

/* Releases what has gone. */
static int release_gone(struct reconciler *rc, const struct object *o, const struct ledger_entries *entries)
{
	struct ledger_maps maps;

	object_ledger_maps(o, &maps);
	vec_foreach(e, entries) {
		const struct kind *kind = kind_of((enum lt_kind)e->key.kind);
		int r;

		if (!kind || e->holding.ns >= rc->census.began_ns || kind->holds(&rc->census, e->key.id))
			continue;
		r = ledger_release(&maps, e);
		if (r < 0)
			return r;
		rc->released_before += r && e->holding.stack == LT_STACK_BEFORE;
		if (r && e->key.kind == LT_KIND_CONNECTION)
			object_forget_socket(o, e->key.id);
	}
	return 0;
}

/* A child of the census, of whose end BPF tells from now on: that may have come before. */
static int settle_child(const struct ledger_maps *maps, const struct ledger_entry *child)
{
	struct lt_holding_key zombie = child->key;
	struct task_stat t;
	int r = task_stat_read((pid_t)child->key.id, &t);
	bool there = !r && t.ppid == (pid_t)child->key.tgid;

	if (r && r != -ESRCH)
		return r;
	zombie.kind = LT_KIND_ZOMBIE;
	if (there && task_stat_ended(&t) == (child->key.kind == LT_KIND_ZOMBIE))
		return 0;
	r = there ? ledger_put(maps, &zombie, child->holding.stack, child->holding.ns) : 0;
	if (!r || r == -EEXIST)
		r = ledger_release(maps, child);
	return r < 0 ? r : 0;
}

static int enter(const struct reconciler *rc, const struct object *o, const struct lt_holding_key *key,
		 uint32_t stack)
{
	struct ledger_maps maps;
	int r;

	object_ledger_maps(o, &maps);
	r = ledger_put(&maps, key, stack, rc->census.began_ns);
	if (r)
		return r == -EEXIST ? 0 : r;
	if (key->kind != LT_KIND_CHILD && key->kind != LT_KIND_ZOMBIE)
		return 0;
	object_watch_child(o, (pid_t)key->id, (pid_t)key->tgid);
	return settle_child(&maps, &(struct ledger_entry){
		.key = *key, .holding = { .ns = rc->census.began_ns, .stack = stack & 0xffffff } });
}

/* Enters what is in the list and not in the books, or keeps it in mind. */
static int enter_missing(struct reconciler *rc, const struct object *o, const struct lt_holding_key *keys,
			 size_t n, enum reconcile_what what, const struct ledger_entries *entries)
{
	__typeof__(rc->missing) missing = { 0 };
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		if (entries->n && bsearch(&keys[i], entries->items, entries->n,
					  sizeof(*entries->items), compare_keys))
			continue;
		if (what == RECONCILE_BEGIN)
			r = enter(rc, o, &keys[i], LT_STACK_BEFORE);
		else if (keys_have(rc->missing.items, rc->missing.n, &keys[i]))
			r = enter(rc, o, &keys[i], LT_STACK_UNSEEN);
		else
			r = vec_push(&missing, keys[i]);
	}
	vec_free(&rc->missing);
	rc->missing = missing;
	return r;
}

/* All that the census shows, as keys, sorted. */
static int census_keys(const struct census *c, uint32_t kinds, struct lt_holding_key **ret, size_t *ret_n)
{
	struct {
		VEC_OF(struct lt_holding_key);
	} keys = { 0 };
	int r = 0;

	for (int id = 0; id < LT_KIND_MAX && !r; id++) {
		const struct kind *kind = kinds >> id & 1 ? kind_of((enum lt_kind)id) : NULL;
		struct id_vec ids = { 0 };

		if (kind)
			r = kind->list(c, &ids);
		vec_foreach(i, &ids)
			if (!r)
				r = vec_push(&keys, (struct lt_holding_key){ .id = *i, .tgid = (uint32_t)c->pid,
									     .kind = (uint32_t)id });
		vec_free(&ids);
	}
	if (keys.n)
		qsort(keys.items, keys.n, sizeof(*keys.items), compare_keys);
	*ret = keys.items;
	*ret_n = keys.n;
	return r;
}

int reconcile(struct reconciler *rc, const struct object *o, struct census *census, uint32_t kinds,
	      enum reconcile_what what)
{
	struct ledger_entries entries = { 0 };
	struct lt_holding_key *keys = NULL;
	size_t n = 0;
	int r;

	if (rc->counted)
		census_deinit(&rc->census);
	rc->census = *census;
	rc->counted = true;
	r = census_keys(&rc->census, kinds, &keys, &n);
	if (!r)
		r = entries_of(o, rc->census.pid, kinds & LT_KINDS_SYSTEM, &entries);
	if (!r)
		r = release_gone(rc, o, &entries);
	if (!r)
		r = enter_missing(rc, o, keys, n, what, &entries);
	free(keys);
	vec_free(&entries);
	return r ? r : rc->missing.n > 0;
}

int reconcile_find_reaped(const struct object *o, pid_t pid, struct ledger_entries *ret)
{
	size_t n = 0;
	int r = entries_of(o, pid, 1U << LT_KIND_ZOMBIE, ret);

	vec_foreach(e, ret) {
		struct task_stat t;
		int gone = task_stat_read((pid_t)e->key.id, &t);

		if (gone == -ESRCH || (!gone && t.ppid != pid))
			ret->items[n++] = *e;
	}
	ret->n = n;
	return r;
}

void reconciler_deinit(struct reconciler *rc)
{
	if (rc->counted)
		census_deinit(&rc->census);
	vec_free(&rc->missing);
	*rc = (struct reconciler){ 0 };
}
