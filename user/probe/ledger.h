/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the tables that BPF keeps the books in, while it writes them (bpf/ledger.bpf.h). */
#pragma once
#include "kind/census.h"
#include "leak/books.h"

/* Where the maps are; file descriptors stay the caller's. */
struct ledger_maps {
	int outstanding, spilled, stacks;
	uint32_t n_sets, n_stacks; /* that there are in them; powers of two */
};

struct ledger_entry {
	struct lt_holding_key key;
	struct lt_holding holding;
};

struct ledger_entries {
	VEC_OF(struct ledger_entry);
};

/* Adds all totals and everything that is outstanding to a snapshot of the books. */
int ledger_snapshot(const struct ledger_maps *maps, struct books_snapshot *books);
/* Drops what a process has acquired before that time and has outstanding, of the kinds (bits of enum lt_kind); nothing of
 * that may be released meanwhile. */
int ledger_forget(const struct ledger_maps *maps, uint32_t tgid, uint32_t kinds, uint64_t before_ns);
/*
 * Nobody asks for these processes (pid -> anything), which have ended, any more: what they have outstanding is
 * dropped, and the slots of their stacks, of these ids, are given back. Of connections the inode numbers are added to
 * `ret_connections`. 0 or a negative errno.
 */
int ledger_remove(const struct ledger_maps *maps, const struct hashmap *pids, const struct hashmap *stacks,
		  struct id_vec *ret_connections);
/* Adds to `ret` everything that is outstanding of the kinds. */
int ledger_list(const struct ledger_maps *maps, uint32_t kinds, struct ledger_entries *ret);
/* Books one as held since `ns`, at LT_STACK_BEFORE or LT_STACK_UNSEEN. -EEXIST: it is in the books. */
int ledger_put(const struct ledger_maps *maps, const struct lt_holding_key *key, uint32_t stack,
	       uint64_t ns);
/* Books the release of the entry, unless it has been released or replaced meanwhile. 1: it was booked,
 * 0: not; or a negative errno. */
int ledger_release(const struct ledger_maps *maps, const struct ledger_entry *entry);
