// SPDX-License-Identifier: Apache-2.0
#include "probe/ledger.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "base/cleanup.h"

#define BATCH	   4096 /* of a hash map */
#define WINDOW	   16384 /* sets that are mapped at a time: mapped memory counts as resident */
#define STACKS_SIZE (LT_MAX_STACKS * sizeof(struct lt_stack))

/* What is done with every holding: true takes it out. */
struct holding_visit {
	bool (*each)(void *ctx, const struct lt_holding *h);
	void *ctx;
};

static void *map_array(int fd, size_t offset, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);

	return p == MAP_FAILED ? NULL : p;
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

		if (slot_read(set, way, &key, &h) && visit->each(visit->ctx, &h))
			__atomic_compare_exchange_n(&set->keys[way], &key, LT_SLOT_FREE, false,
						    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
	}
}

static int sets_visit(int fd, const struct holding_visit *visit)
{
	size_t size = WINDOW * sizeof(struct lt_holding_set);

	for (size_t i = 0; i < LT_HOLDING_SETS / WINDOW; i++) {
		struct lt_holding_set *sets = map_array(fd, i * size, size);

		if (!sets)
			return -errno;
		for (size_t k = 0; k < WINDOW; k++)
			set_visit(&sets[k], visit);
		munmap(sets, size);
	}
	return 0;
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

static int spilled_visit(int fd, const struct holding_visit *visit)
{
	_cleanup_(spilled_batch_deinit) struct spilled_batch b = { 0 };
	uint64_t cursor = 0;
	uint32_t room = BATCH, n;
	bool first = true;
	int r = spilled_batch_init(&b, room);

	while (!r) {
		n = room;
		r = bpf_map_lookup_batch(fd, first ? NULL : &cursor, &cursor, b.keys, b.holdings, &n,
					 NULL) ? -errno : 0;
		if (r == -ENOSPC) { /* one bucket holds more than a batch */
			room *= 2;
			r = spilled_batch_init(&b, room);
			continue;
		}
		for (uint32_t i = 0; i < n && (!r || r == -ENOENT); i++)
			if (visit->each(visit->ctx, &b.holdings[i]))
				bpf_map_delete_elem(fd, &b.keys[i]);
		first = false;
	}
	return r == -ENOENT ? 0 : r;
}

static int holdings_visit(const struct ledger_maps *maps, const struct holding_visit *visit)
{
	int r = sets_visit(maps->outstanding, visit);

	return r ? r : spilled_visit(maps->spilled, visit);
}

/* -- what is asked of them ------------------------------------------------------------------- */

struct snapshot {
	struct books_snapshot books;
	const struct lt_stack *stacks;
};

static bool snapshot_each(void *ctx, const struct lt_holding *h)
{
	struct snapshot *s = ctx;

	if (h->stack < LT_MAX_STACKS)
		books_snapshot_holding(&s->books, s->stacks[h->stack].id, h->amount, h->ns);
	return false;
}

int ledger_snapshot(const struct ledger_maps *maps, struct books *books, uint64_t now_ns,
		    uint64_t older_ns)
{
	struct lt_stack *stacks = map_array(maps->stacks, 0, STACKS_SIZE);
	struct snapshot s = { .stacks = stacks };
	struct holding_visit visit = { .each = snapshot_each, .ctx = &s };
	int r;

	if (!stacks)
		return -errno;
	books_snapshot_begin(&s.books, books, now_ns, older_ns);
	for (size_t i = 0; i < LT_MAX_STACKS; i++)
		if (stacks[i].id)
			books_snapshot_totals(&s.books, stacks[i].id, &stacks[i].totals);
	r = holdings_visit(maps, &visit);
	books_snapshot_end(&s.books);
	munmap(stacks, STACKS_SIZE);
	return r;
}

struct forget {
	struct lt_stack *stacks;
	uint32_t tgid;
};

static bool forget_each(void *ctx, const struct lt_holding *h)
{
	const struct forget *f = ctx;
	struct lt_totals *t;

	if (h->tgid != f->tgid || h->stack >= LT_MAX_STACKS)
		return false;
	t = &f->stacks[h->stack].totals;
	__atomic_fetch_add(&t->released, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&t->released_amount, h->amount, __ATOMIC_RELAXED);
	return true;
}

int ledger_forget(const struct ledger_maps *maps, uint32_t tgid)
{
	struct forget f = { .stacks = map_array(maps->stacks, 0, STACKS_SIZE), .tgid = tgid };
	struct holding_visit visit = { .each = forget_each, .ctx = &f };
	int r;

	if (!f.stacks)
		return -errno;
	r = holdings_visit(maps, &visit);
	munmap(f.stacks, STACKS_SIZE);
	return r;
}
