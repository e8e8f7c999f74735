/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The two tables that the books are kept in. They are arrays: a lookup in an array costs no call,
 * one in a hash map costs four, and calls are dear where returns are guarded against speculation.
 *
 * Holdings: a key's holding is in one of the slots of the set that it hashes to or, when they were
 * all taken, in the hash map `spilled`; it is never moved. A slot is claimed, filled, and only then
 * given its key, so whoever finds the key finds a whole holding. Who takes a holding out exchanges
 * the key for none, which only one of those who release the same id at once can do.
 *
 * Stacks: open addressing by the stack's id. A slot that has an id keeps it, so its number stands for the stack,
 * until user space gives up all that its process had. A stack that had to go past that slot may be given it then,
 * as a second one: the totals of a stack are the sum of its slots.
 */
#pragma once
#include "maps.bpf.h"

#define LT_STACK_PROBES 64
#define LT_STACK_TRIES	8

/* -- holdings ------------------------------------------------------------------------------- */

static __always_inline struct lt_holding_set *lt_set_of(const struct lt_holding_key *key)
{
	u32 i = lt_set_number(key, config.set_mask);

	return bpf_map_lookup_elem(&outstanding, &i);
}

/* Global functions, as all that is rarely called: they are verified once. */
__weak __noinline int lt_spilled_put(struct lt_holding_set *set, const struct lt_holding_key *key,
				     const struct lt_holding *h)
{
	struct lt_holding_key k; /* copies: before 6.4 a map takes no other memory than the stack */
	struct lt_holding copy;

	if (!set || !key || !h)
		return -1;
	k = *key;
	copy = *h;
	__sync_fetch_and_add(&set->spilled, 1);
	if (!bpf_map_update_elem(&spilled, &k, &copy, BPF_NOEXIST))
		return 0;
	__sync_fetch_and_add(&set->spilled, -1);
	return -1;
}

__weak __noinline int lt_spilled_take(struct lt_holding_set *set, const struct lt_holding_key *key,
				      struct lt_holding *ret)
{
	struct lt_holding_key k;
	struct lt_holding *h;

	if (!set || !key || !ret)
		return -1;
	k = *key;
	h = bpf_map_lookup_elem(&spilled, &k);
	if (!h)
		return -1;
	*ret = *h;
	if (bpf_map_delete_elem(&spilled, &k))
		return -1;
	__sync_fetch_and_add(&set->spilled, -1);
	return 0;
}

/* Puts a holding in, of which the key is not in yet. -1: there is no place left. */
static __always_inline int lt_holding_put(const struct lt_holding_key *key,
					  const struct lt_holding *h)
{
	struct lt_holding_set *set = lt_set_of(key);

	if (!set)
		return -1;
	for (int i = 0; i < LT_HOLDING_WAYS; i++) {
		if (set->keys[i] != LT_SLOT_FREE ||
		    __sync_val_compare_and_swap(&set->keys[i], LT_SLOT_FREE, LT_SLOT_CLAIMED) !=
			    LT_SLOT_FREE)
			continue;
		set->holdings[i] = *h;
		barrier(); /* and x86 keeps stores in order */
		*(volatile u64 *)&set->keys[i] = LT_SLOT_KEY(key->id);
		return 0;
	}
	return lt_spilled_put(set, key, h);
}

/* Whether the key's holding is in. */
static __always_inline bool lt_holding_find(const struct lt_holding_key *key)
{
	struct lt_holding_set *set = lt_set_of(key);
	struct lt_holding_key k = *key;

	if (!set)
		return false;
	for (int i = 0; i < LT_HOLDING_WAYS; i++)
		if (set->keys[i] == LT_SLOT_KEY(key->id) && set->holdings[i].tgid == key->tgid &&
		    set->holdings[i].kind == key->kind)
			return true;
	return set->spilled && bpf_map_lookup_elem(&spilled, &k);
}

/* Who holds the connection of this inode number, of whoever has that in common; 0: nobody that is
 * found at once. */
static __always_inline u32 lt_connection_holder(u64 inode)
{
	struct lt_holding_key key = { .id = inode, .kind = LT_KIND_CONNECTION };
	struct lt_holding_set *set = lt_set_of(&key);

	if (!set)
		return 0;
	for (int i = 0; i < LT_HOLDING_WAYS; i++)
		if (set->keys[i] == LT_SLOT_KEY(inode) && set->holdings[i].kind == LT_KIND_CONNECTION)
			return set->holdings[i].tgid;
	return 0;
}

/* Takes the key's holding out, into `ret`. -1: there is none. */
static __always_inline int lt_holding_take(const struct lt_holding_key *key, struct lt_holding *ret)
{
	struct lt_holding_set *set = lt_set_of(key);
	u64 mine = LT_SLOT_KEY(key->id);

	if (!set)
		return -1;
	for (int i = 0; i < LT_HOLDING_WAYS; i++) {
		struct lt_holding *h = &set->holdings[i];

		if (set->keys[i] != mine || h->tgid != key->tgid || h->kind != key->kind)
			continue;
		*ret = *h;
		barrier();
		return __sync_val_compare_and_swap(&set->keys[i], mine, LT_SLOT_FREE) == mine ? 0 : -1;
	}
	return set->spilled ? lt_spilled_take(set, key, ret) : -1;
}

/* -- stacks --------------------------------------------------------------------------------- */

static __always_inline struct lt_stack *lt_stack_at(u32 number)
{
	return bpf_map_lookup_elem(&stacks, &number);
}

/* The number of the slot of a stack's id or, should it have none, of the one that is free for it; -1 when
 * none is left. */
__weak __noinline int lt_stack_search(u64 id)
{
	u32 at = (u32)id, step = (u32)(id >> 32) | 1;

	for (int i = 0; i < LT_STACK_PROBES; i++, at += step) {
		struct lt_stack *s = lt_stack_at(at & config.stack_mask);

		if (s && (!s->id || s->id == id))
			return at & config.stack_mask;
	}
	return -1;
}

/* The same, and the slot is the id's from then on. A try fails only where another id is given it at the same
 * moment. */
__weak __noinline int lt_stack_add(u64 id)
{
	for (int i = 0; i < LT_STACK_TRIES; i++) {
		int number = lt_stack_search(id);
		struct lt_stack *s = lt_stack_at(number);
		u64 there;

		if (!s)
			return -1;
		there = __sync_val_compare_and_swap(&s->id, 0, id);
		if (!there || there == id)
			return number;
	}
	return -1;
}

/* The slot of a stack's id and its number. With `add` it is given one, should it have none; NULL when it has
 * none or none is left. */
static __always_inline struct lt_stack *lt_stack_find(u64 id, int add, u32 *ret_number)
{
	u32 number = (u32)id & config.stack_mask;
	struct lt_stack *s = lt_stack_at(number);

	*ret_number = number;
	if (s && s->id == id) /* as nearly always */
		return s;
	number = add ? lt_stack_add(id) : lt_stack_search(id);
	s = lt_stack_at(number);
	if (!s || s->id != id)
		return 0;
	*ret_number = number;
	return s;
}
