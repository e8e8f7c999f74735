// SPDX-License-Identifier: Apache-2.0
#include "probe/ledger.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "base/cleanup.h"
#include "probe/map.h"

#define BATCH	   4096 /* of a hash map */
#define WINDOW	   16384 /* sets that are mapped at a time: mapped memory counts as resident */

/* What is done with every holding: true takes it out. */
struct holding_visit {
	bool (*each)(void *ctx, uint64_t id, const struct lt_holding *h);
	void *ctx;
};

static void *map_array(int fd, size_t offset, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);

	return p == MAP_FAILED ? NULL : p;
}

static size_t stacks_size(const struct ledger_maps *maps)
{
	return maps->n_stacks * sizeof(struct lt_stack);
}

/* -- holdings in sets ------------------------------------------------------------------------ */

/* A copy of a slot's holding, whole: it is read until it stays the same. */
static bool slot_read(const struct lt_holding_set *set, int way, __u64 *ret_key,
		      struct lt_holding *ret)
{
	struct lt_holding again;

	do {
		*ret_key = __atomic_load_n(&set->keys[way], __ATOMIC_ACQUIRE);
		if (*ret_key == LT_SLOT_FREE || *ret_key == LT_SLOT_CLAIMED)
			return false;
		*ret = set->holdings[way];
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		again = *(const volatile struct lt_holding *)&set->holdings[way];
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (memcmp(ret, &again, sizeof(again)) ||
		 __atomic_load_n(&set->keys[way], __ATOMIC_ACQUIRE) != *ret_key);
	return true;
}

static void set_visit(struct lt_holding_set *set, const struct holding_visit *visit)
{
	for (int way = 0; way < LT_HOLDING_WAYS; way++) {
		struct lt_holding h;
		__u64 key;

		if (slot_read(set, way, &key, &h) && visit->each(visit->ctx, LT_SLOT_KEY(key), &h))
			__atomic_compare_exchange_n(&set->keys[way], &key, LT_SLOT_FREE, false,
						    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
	}
}

static int sets_visit(const struct ledger_maps *maps, const struct holding_visit *visit)
{
	const size_t window = maps->n_sets < WINDOW ? maps->n_sets : WINDOW;
	const size_t size = window * sizeof(struct lt_holding_set);

	for (size_t i = 0; i < maps->n_sets / window; i++) {
		struct lt_holding_set *sets = map_array(maps->outstanding, i * size, size);

		if (!sets)
			return -errno;
		for (size_t k = 0; k < window; k++)
			set_visit(&sets[k], visit);
		munmap(sets, size);
	}
	return 0;
}

/* The set of a key, in a page of its own; set_unmap() gives that back. */
static struct lt_holding_set *set_map(const struct ledger_maps *maps, const struct lt_holding_key *key)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t offset = (size_t)lt_set_number(key, maps->n_sets - 1) * sizeof(struct lt_holding_set);
	char *p = map_array(maps->outstanding, offset & ~(page - 1), page);

	return p ? (struct lt_holding_set *)(void *)(p + (offset & (page - 1))) : NULL;
}

static void set_unmap(struct lt_holding_set *set)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	munmap((void *)((uintptr_t)set & ~(page - 1)), page);
}

/* -- holdings that have spilled -------------------------------------------------------------- */

struct spilled_batch {
	struct lt_holding_key *keys;
	struct lt_holding *holdings;
};

static void spilled_batch_deinit(struct spilled_batch *b)
{
	free(b->keys);
	free(b->holdings);
}

static int spilled_batch_init(struct spilled_batch *b, uint32_t n)
{
	spilled_batch_deinit(b);
	b->keys = calloc(n, sizeof(*b->keys));
	b->holdings = calloc(n, sizeof(*b->holdings));
	return b->keys && b->holdings ? 0 : -ENOMEM;
}

static void spilled_take(const struct ledger_maps *maps, const struct lt_holding_key *key)
{
	struct lt_holding_set *set = map_delete(maps->spilled, key) ? NULL : set_map(maps, key);

	if (!set)
		return;
	__atomic_fetch_sub(&set->spilled, 1, __ATOMIC_ACQ_REL);
	set_unmap(set);
}

static int spilled_visit(const struct ledger_maps *maps, const struct holding_visit *visit)
{
	_cleanup_(spilled_batch_deinit) struct spilled_batch b = { 0 };
	uint64_t cursor = 0;
	uint32_t room = BATCH, n;
	bool first = true;
	int r = spilled_batch_init(&b, room);

	while (!r) {
		n = room;
		r = map_lookup_batch(maps->spilled, first ? NULL : &cursor, &cursor, b.keys, b.holdings, &n)
			    ? -errno : 0;
		if (r == -ENOSPC) { /* one bucket holds more than a batch */
			room *= 2;
			r = spilled_batch_init(&b, room);
			continue;
		}
		for (uint32_t i = 0; i < n && (!r || r == -ENOENT); i++)
			if (visit->each(visit->ctx, b.keys[i].id, &b.holdings[i]))
				spilled_take(maps, &b.keys[i]);
		first = false;
	}
	return r == -ENOENT ? 0 : r;
}

static int holdings_visit(const struct ledger_maps *maps, const struct holding_visit *visit)
{
	int r = sets_visit(maps, visit);

	return r ? r : spilled_visit(maps, visit);
}

/* -- what is asked of them ------------------------------------------------------------------- */

struct snapshot {
	struct books_snapshot *books;
	const struct lt_stack *stacks;
	uint32_t n_stacks;
};

static uint64_t stack_id(const struct snapshot *s, uint32_t number)
{
	if (number == LT_STACK_BEFORE)
		return BOOKS_BEFORE;
	if (number == LT_STACK_UNSEEN)
		return BOOKS_UNSEEN;
	return number < s->n_stacks ? s->stacks[number].id : 0;
}

static bool snapshot_each(void *ctx, uint64_t id, const struct lt_holding *h)
{
	struct snapshot *s = ctx;
	struct held held = { .stack = stack_id(s, h->stack), .tgid = h->tgid, .kind = h->kind, .id = id, .ns = h->ns };

	if (h->kind == LT_KIND_MEMORY)
		books_snapshot_holding(s->books, held.stack, h->amount, h->ns);
	else
		books_snapshot_held(s->books, &held);
	return false;
}

/* BPF counts amounts of memory only. */
static void snapshot_totals(struct books_snapshot *books, const struct lt_stack *stack)
{
	const struct stack *known = stack_table_get(&books->books->stacks, stack->id);
	struct lt_totals t = stack->totals;

	if (known && !(LT_KINDS_MEMORY >> known->kind & 1)) {
		t.acquired_amount = t.acquired;
		t.released_amount = t.released;
	}
	books_snapshot_totals(books, stack->id, &t);
}

int ledger_snapshot(const struct ledger_maps *maps, struct books_snapshot *books)
{
	struct lt_stack *stacks = map_array(maps->stacks, 0, stacks_size(maps));
	struct snapshot s = { .books = books, .stacks = stacks, .n_stacks = maps->n_stacks };
	struct holding_visit visit = { .each = snapshot_each, .ctx = &s };
	int r;

	if (!stacks)
		return -errno;
	for (size_t i = 0; i < maps->n_stacks; i++)
		if (stacks[i].id)
			snapshot_totals(books, &stacks[i]);
	r = holdings_visit(maps, &visit);
	munmap(stacks, stacks_size(maps));
	return r;
}

/* Books a release in the stack's totals. */
static void stack_released(struct lt_stack *stacks, uint32_t n_stacks, const struct lt_holding *h)
{
	struct lt_totals *t;

	if (h->stack >= n_stacks)
		return;
	t = &stacks[h->stack].totals;
	__atomic_fetch_add(&t->released, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&t->released_amount, h->amount, __ATOMIC_RELAXED);
}

struct forget {
	struct lt_stack *stacks;
	uint32_t n_stacks;
	uint32_t tgid, kinds;
	uint64_t before_ns;
};

static bool forget_each(void *ctx, uint64_t id, const struct lt_holding *h)
{
	const struct forget *f = ctx;

	if (h->tgid != f->tgid || !(f->kinds >> h->kind & 1) || h->ns >= f->before_ns)
		return false;
	stack_released(f->stacks, f->n_stacks, h);
	return true;
}

int ledger_forget(const struct ledger_maps *maps, uint32_t tgid, uint32_t kinds, uint64_t before_ns)
{
	struct forget f = { map_array(maps->stacks, 0, stacks_size(maps)), maps->n_stacks, tgid, kinds, before_ns };
	struct holding_visit visit = { .each = forget_each, .ctx = &f };
	int r;

	if (!f.stacks)
		return -errno;
	r = holdings_visit(maps, &visit);
	munmap(f.stacks, stacks_size(maps));
	return r;
}

struct removal {
	const struct hashmap *pids;
	struct id_vec *connections;
	int r;
};

static bool remove_each(void *ctx, uint64_t id, const struct lt_holding *h)
{
	struct removal *m = ctx;

	if (!hashmap_get(m->pids, h->tgid))
		return false;
	if (h->kind == LT_KIND_CONNECTION && vec_push(m->connections, id))
		m->r = -ENOMEM;
	return true;
}

/* Nothing refers to their numbers any more. */
static int stacks_remove(const struct ledger_maps *maps, const struct hashmap *ids)
{
	struct lt_stack *stacks = ids->n ? map_array(maps->stacks, 0, stacks_size(maps)) : NULL;

	if (!stacks)
		return ids->n ? -errno : 0;
	for (struct lt_stack *s = stacks; s < stacks + maps->n_stacks; s++) {
		if (!s->id || !hashmap_get(ids, s->id))
			continue;
		s->totals = (struct lt_totals){ 0 };
		__atomic_store_n(&s->id, 0, __ATOMIC_RELEASE);
	}
	munmap(stacks, stacks_size(maps));
	return 0;
}

int ledger_remove(const struct ledger_maps *maps, const struct hashmap *pids, const struct hashmap *stacks,
		  struct id_vec *ret_connections)
{
	struct removal m = { pids, ret_connections, 0 };
	struct holding_visit visit = { .each = remove_each, .ctx = &m };
	int r = holdings_visit(maps, &visit);

	if (!r)
		r = stacks_remove(maps, stacks);
	return r ? r : m.r;
}

struct list {
	struct ledger_entries *entries;
	uint32_t kinds;
	int r;
};

static bool list_each(void *ctx, uint64_t id, const struct lt_holding *h)
{
	struct list *l = ctx;
	struct ledger_entry e = { { .id = id, .tgid = h->tgid, .kind = h->kind }, *h };

	if (l->kinds >> h->kind & 1 && vec_push(l->entries, e))
		l->r = -ENOMEM;
	return false;
}

int ledger_list(const struct ledger_maps *maps, uint32_t kinds, struct ledger_entries *ret)
{
	struct list l = { ret, kinds, 0 };
	struct holding_visit visit = { .each = list_each, .ctx = &l };
	int r = holdings_visit(maps, &visit);

	return r ? r : l.r;
}

/* -- single holdings ------------------------------------------------------------------------- */

/* The slot that has the key's holding, with that in `ret`, or -1. */
static int set_find(const struct lt_holding_set *set, const struct lt_holding_key *key,
		    struct lt_holding *ret)
{
	for (int way = 0; way < LT_HOLDING_WAYS; way++) {
		__u64 there;

		if (slot_read(set, way, &there, ret) && there == LT_SLOT_KEY(key->id) &&
		    ret->tgid == key->tgid && ret->kind == key->kind)
			return way;
	}
	return -1;
}

/* As lt_holding_put() in bpf/ledger.bpf.h. */
static int set_put(const struct ledger_maps *maps, struct lt_holding_set *set,
		   const struct lt_holding_key *key, const struct lt_holding *h)
{
	for (int way = 0; way < LT_HOLDING_WAYS; way++) {
		__u64 there = LT_SLOT_FREE;

		if (!__atomic_compare_exchange_n(&set->keys[way], &there, LT_SLOT_CLAIMED, false,
						 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		set->holdings[way] = *h;
		__atomic_store_n(&set->keys[way], LT_SLOT_KEY(key->id), __ATOMIC_RELEASE);
		return 0;
	}
	__atomic_fetch_add(&set->spilled, 1, __ATOMIC_ACQ_REL);
	if (!map_update(maps->spilled, key, h, BPF_NOEXIST))
		return 0;
	__atomic_fetch_sub(&set->spilled, 1, __ATOMIC_ACQ_REL);
	return -errno;
}

int ledger_put(const struct ledger_maps *maps, const struct lt_holding_key *key, uint32_t stack,
	       uint64_t ns)
{
	struct lt_holding h = { .amount = 1, .ns = ns, .tgid = key->tgid }, there;
	struct lt_holding_set *set = set_map(maps, key);
	int r = -EEXIST;

	if (!set)
		return -errno;
	h.kind = (__u8)key->kind;
	h.stack = stack & 0xffffff;
	if (set_find(set, key, &there) < 0 &&
	    (!set->spilled || map_lookup(maps->spilled, key, &there)))
		r = set_put(maps, set, key, &h);
	set_unmap(set);
	return r;
}

/* Takes the entry out, should it still be the same. */
static int set_take(const struct ledger_maps *maps, struct lt_holding_set *set,
		    const struct ledger_entry *entry)
{
	struct lt_holding there;
	int way = set_find(set, &entry->key, &there);
	__u64 key = LT_SLOT_KEY(entry->key.id);

	if (way >= 0)
		return there.ns == entry->holding.ns &&
		       __atomic_compare_exchange_n(&set->keys[way], &key, LT_SLOT_FREE, false,
						   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
	if (!set->spilled || map_lookup(maps->spilled, &entry->key, &there) ||
	    there.ns != entry->holding.ns || map_delete(maps->spilled, &entry->key))
		return 0;
	__atomic_fetch_sub(&set->spilled, 1, __ATOMIC_ACQ_REL);
	return 1;
}

int ledger_release(const struct ledger_maps *maps, const struct ledger_entry *entry)
{
	struct lt_holding_set *set = set_map(maps, &entry->key);
	struct lt_stack *stacks;
	int r;

	if (!set)
		return -errno;
	r = set_take(maps, set, entry);
	set_unmap(set);
	if (r != 1)
		return r;
	stacks = map_array(maps->stacks, 0, stacks_size(maps));
	if (!stacks)
		return -errno;
	stack_released(stacks, maps->n_stacks, &entry->holding);
	munmap(stacks, stacks_size(maps));
	return 1;
}
