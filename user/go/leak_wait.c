// SPDX-License-Identifier: Apache-2.0
/*
 * What blocked goroutines wait for. Of channels, struct g has a list of records, one for each (sudog, in
 * src/runtime/runtime2.go). Of what package sync has, the same from Go 1.26 on; before, a semaphore's
 * waiters are found in the runtime's table of all (src/runtime/sema.go), and a Cond's by the Cond, whose
 * address the method Wait has on its stack.
 */
#include <errno.h>
#include <string.h>
#include "go/leak_pass.h"

#define CASES_MAX     65536	 /* of a select */
#define SEMAPHORES    251	 /* places in the table of waiters, of 64 bytes each */
#define SEMAPHORE     64
#define SEMAPHORE_TOP 8		 /* semaRoot.treap */
#define STACK_TOP     1024	 /* bytes of a stack in which Cond.Wait has its frame, with those that it
				    calls */
#define ADDRESS_MIN   4096
/* sync.Cond, the same in 1.19 to 1.25 */
#define COND_SIZE     56
#define COND_HEAD     32	 /* notify.head */
#define COND_CHECKER  48	 /* its own address, once it was used */

static const struct {
	const char *state;
	enum go_wait wait;
} waits[] = {
	{ "chan receive", GO_WAIT_CHANNEL },
	{ "chan send", GO_WAIT_CHANNEL },
	{ "select", GO_WAIT_CHANNEL },
	{ "chan receive (nil chan)", GO_WAIT_NEVER },
	{ "chan send (nil chan)", GO_WAIT_NEVER },
	{ "select (no cases)", GO_WAIT_NEVER },
	{ "semacquire", GO_WAIT_SEMAPHORE },
	{ "sync.Mutex.Lock", GO_WAIT_SEMAPHORE },
	{ "sync.RWMutex.RLock", GO_WAIT_SEMAPHORE },
	{ "sync.RWMutex.Lock", GO_WAIT_SEMAPHORE },
	{ "sync.WaitGroup.Wait", GO_WAIT_SEMAPHORE },
	{ "sync.Cond.Wait", GO_WAIT_COND },
	{ "coroutine", GO_WAIT_UNKNOWN },
	/* within testing/synctest, in the words of 1.24 and of later releases */
	{ "chan receive (synctest)", GO_WAIT_UNKNOWN },
	{ "chan send (synctest)", GO_WAIT_UNKNOWN },
	{ "select (synctest)", GO_WAIT_UNKNOWN },
	{ "chan receive (durable)", GO_WAIT_UNKNOWN },
	{ "chan send (durable)", GO_WAIT_UNKNOWN },
	{ "select (durable)", GO_WAIT_UNKNOWN },
	{ "sync.WaitGroup.Wait (durable)", GO_WAIT_UNKNOWN },
	{ "synctest.Run", GO_WAIT_UNKNOWN },
	{ "synctest.Wait", GO_WAIT_UNKNOWN },
};

struct part_vec {
	VEC_OF(struct memory_part);
};

static void part_vec_deinit(struct part_vec *v)
{
	vec_free(v);
}

enum go_wait go_wait_of(const char *state)
{
	for (size_t i = 0; i < ARRAY_SIZE(waits); i++)
		if (!strcmp(waits[i].state, state))
			return waits[i].wait;
	return GO_WAIT_NONE;
}

static int add_part(struct part_vec *v, uint64_t at, size_t size, size_t owner)
{
	if (!at || at & 7)
		return 0;
	return vec_push(v, (struct memory_part){ .at = at, .size = size, .owner = owner });
}

static int add_target(struct go_pass *p, struct go_waiter *w, uint64_t sudog, uint64_t object)
{
	int r = vec_push(&p->targets, (struct go_target){ sudog, object, w->targets });

	if (!r)
		w->targets = p->targets.n - 1;
	return r;
}

/* From 1.26 on these are a pointer that the garbage collector does not see at times, and the same as a
 * number behind it. */
static uint64_t sudog_pointer(const struct go_pass *p, const struct memory_part *part, uint32_t offset)
{
	return go_field(part->bytes, part->size, offset + (p->rt->minor < 26 ? 0 : 8), 8);
}

static uint64_t sudog_field(const struct memory_part *part, uint32_t offset)
{
	return go_field(part->bytes, part->size, offset, 8);
}

/* -- by struct g ------------------------------------------------------------------------------ */

static bool has_list(const struct go_pass *p, const struct go_waiter *w)
{
	return w->wait == GO_WAIT_CHANNEL ||
	       (p->rt->minor >= 26 && (w->wait == GO_WAIT_SEMAPHORE || w->wait == GO_WAIT_COND));
}

/* The records that were read, one of a goroutine; `next` gets those behind them. */
static int follow_list(struct go_pass *p, const struct part_vec *now, struct part_vec *next)
{
	const struct go_layout *l = p->rt->layout;
	struct go_waiter *w;
	bool channel;
	int r = 0;

	next->n = 0;
	vec_foreach(part, now) {
		w = &p->waiters.items[part->owner];
		channel = w->wait == GO_WAIT_CHANNEL;
		if (!part->bytes || sudog_field(part, l->sudog.g) != w->address) {
			w->wait = GO_WAIT_UNKNOWN; /* it runs meanwhile */
			continue;
		}
		r = add_target(p, w, part->at,
			       sudog_pointer(p, part, channel ? l->sudog.c : l->sudog.elem));
		if (!r && channel)
			r = add_part(next, sudog_field(part, l->sudog.waitlink), l->sudog.size,
				     part->owner);
		if (r)
			return r;
	}
	return 0;
}

static int find_listed(struct go_pass *p)
{
	_cleanup_(part_vec_deinit) struct part_vec now = { 0 }, next = { 0 };
	struct part_vec swap;
	int r = 0;

	for (size_t i = 0; !r && i < p->waiters.n; i++)
		if (has_list(p, &p->waiters.items[i]))
			r = add_part(&now, p->waiters.items[i].waiting, p->rt->layout->sudog.size, i);
	for (unsigned int i = 0; !r && now.n && i < CASES_MAX; i++) {
		r = memory_gather(&p->rt->memory, now.items, now.n, &p->buffer);
		if (!r)
			r = follow_list(p, &now, &next);
		swap = now;
		now = next;
		next = swap;
	}
	return r;
}

/* -- by the table of semaphores --------------------------------------------------------------- */

/* The goroutine of a record, when it waits that way and it is not known yet for what. */
static struct go_waiter *waiter_of(const struct go_pass *p, const struct memory_part *sudog,
				   enum go_wait wait)
{
	const uint64_t *i = hashmap_get(&p->by_address, sudog_field(sudog, p->rt->layout->sudog.g));
	struct go_waiter *w = i ? &p->waiters.items[*i] : NULL;

	return w && w->wait == wait && w->targets == GO_NO_TARGET ? w : NULL;
}

/* A tree of records, one for each semaphore, with a list of those that wait for the same. */
static int follow_tree(struct go_pass *p, const struct part_vec *now, struct part_vec *next)
{
	const struct go_layout *l = p->rt->layout;
	struct go_waiter *w;
	int r = 0;

	next->n = 0;
	vec_foreach(part, now) {
		if (!part->bytes)
			continue;
		w = waiter_of(p, part, GO_WAIT_SEMAPHORE);
		if (w)
			r = add_target(p, w, part->at, sudog_pointer(p, part, l->sudog.elem));
		if (!r)
			r = add_part(next, sudog_field(part, l->sudog.prev), part->size, 0);
		if (!r)
			r = add_part(next, sudog_field(part, l->sudog.next), part->size, 0);
		if (!r)
			r = add_part(next, sudog_field(part, l->sudog.waitlink), part->size, 0);
		if (r)
			return r;
	}
	return 0;
}

static int find_semaphores(struct go_pass *p)
{
	_cleanup_(part_vec_deinit) struct part_vec now = { 0 }, next = { 0 };
	uint8_t table[SEMAPHORES * SEMAPHORE];
	struct part_vec swap;
	uint64_t top;
	size_t seen = 0;
	int r = 0;

	if (!p->rt->at.semtable ||
	    memory_read(&p->rt->memory, p->rt->at.semtable, table, sizeof(table)))
		return 0;
	for (unsigned int i = 0; !r && i < SEMAPHORES; i++) {
		memcpy(&top, table + i * SEMAPHORE + SEMAPHORE_TOP, 8);
		r = add_part(&now, top, p->rt->layout->sudog.size, 0);
	}
	/* all of them are goroutines' of the process; what changes meanwhile may lead in circles */
	for (; !r && now.n && seen <= 2 * p->waiters.n + SEMAPHORES; seen += now.n) {
		r = memory_gather(&p->rt->memory, now.items, now.n, &p->buffer);
		if (!r)
			r = follow_tree(p, &now, &next);
		swap = now;
		now = next;
		next = swap;
	}
	return r;
}

/* -- by Cond.Wait's frame --------------------------------------------------------------------- */

/* Words on the stacks of those that wait that may be the address of a Cond. */
static int find_candidates(struct go_pass *p, struct part_vec *ret)
{
	_cleanup_(part_vec_deinit) struct part_vec stacks = { 0 };
	_cleanup_(hashmap_deinit) struct hashmap seen = { 0 };
	uint64_t word, size;
	int r = 0;

	for (size_t i = 0; !r && i < p->waiters.n; i++) {
		const struct go_waiter *w = &p->waiters.items[i];

		size = w->high - w->sp < STACK_TOP ? w->high - w->sp : STACK_TOP;
		if (w->wait == GO_WAIT_COND && w->sp > w->low && w->sp < w->high)
			r = add_part(&stacks, w->sp, size, i);
	}
	if (!r)
		r = memory_gather(&p->rt->memory, stacks.items, stacks.n, &p->buffer);
	vec_foreach(part, &stacks) {
		for (size_t i = 0; !r && part->bytes && i + 8 <= part->size; i += 8) {
			memcpy(&word, part->bytes + i, 8);
			if (word < ADDRESS_MIN || word & 7 || hashmap_get(&seen, word))
				continue;
			r = hashmap_put(&seen, word, 1);
			if (!r)
				r = add_part(ret, word, COND_SIZE, 0);
		}
	}
	return r;
}

static int follow_cond(struct go_pass *p, uint64_t cond, uint64_t sudog)
{
	uint8_t bytes[256];
	struct memory_part part = { .size = p->rt->layout->sudog.size, .bytes = bytes };
	struct go_waiter *w;
	int r;

	for (size_t i = 0; sudog && i <= p->waiters.n; i++) {
		if (part.size > sizeof(bytes) || memory_read(&p->rt->memory, sudog, bytes, part.size))
			return 0;
		w = waiter_of(p, &part, GO_WAIT_COND);
		r = w ? add_target(p, w, sudog, cond) : 0;
		if (r)
			return r;
		sudog = sudog_field(&part, p->rt->layout->sudog.next);
	}
	return 0;
}

static int find_conds(struct go_pass *p)
{
	_cleanup_(part_vec_deinit) struct part_vec candidates = { 0 };
	int r = find_candidates(p, &candidates);

	if (!r && candidates.n)
		r = memory_gather(&p->rt->memory, candidates.items, candidates.n, &p->buffer);
	vec_foreach(part, &candidates)
		if (!r && part->bytes && sudog_field(part, COND_CHECKER) == part->at + COND_CHECKER)
			r = follow_cond(p, part->at, sudog_field(part, COND_HEAD));
	return r;
}

/* A select of nil channels only has no record; all others have one. */
static void check(struct go_pass *p)
{
	const char *state;

	vec_foreach(w, &p->waiters) {
		if (w->wait < GO_WAIT_CHANNEL || w->targets != GO_NO_TARGET)
			continue;
		state = w->reason < p->rt->n_reasons ? p->rt->reasons[w->reason] : "";
		w->wait = !strcmp(state, "select") && !w->waiting ? GO_WAIT_NEVER : GO_WAIT_UNKNOWN;
	}
}

int go_pass_find_targets(struct go_pass *p)
{
	int r = find_listed(p);

	if (!r && p->rt->minor < 26)
		r = find_semaphores(p);
	if (!r && p->rt->minor < 26)
		r = find_conds(p);
	check(p);
	return r;
}
