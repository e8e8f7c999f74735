/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the tables that BPF keeps the books in, while it writes them (bpf/ledger.bpf.h). */
#pragma once
#include "leak/books.h"

/* Where the maps are; file descriptors stay the caller's. */
struct ledger_maps {
	int outstanding, spilled, stacks;
};

/* Brings a snapshot of all totals and of everything that is outstanding into the books. */
int ledger_snapshot(const struct ledger_maps *maps, struct books *books, uint64_t now_ns,
		    uint64_t older_ns);
/* Drops everything that a process has outstanding; nothing of it may be traced meanwhile. */
int ledger_forget(const struct ledger_maps *maps, uint32_t tgid);
