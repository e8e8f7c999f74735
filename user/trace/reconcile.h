/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The books of a process against the census of what the system itself shows. What was held when tracing
 * began is entered; what has gone without a probe seeing it is released; what two censuses show and no
 * probe has seen acquired is entered as that.
 */
#pragma once
#include "kind/kind.h"
#include "probe/object.h"

/* Of one process. */
struct reconciler {
	struct census census; /* the latest */
	bool counted;	      /* there is one */
	struct {
		VEC_OF(struct lt_holding_key);
	} missing; /* in the latest census, but not in the books: perhaps only just acquired */
	uint64_t released_before; /* of what was held before tracing, as censuses have found */
};

enum reconcile_what {
	RECONCILE_BEGIN,  /* what is there and not in the books was held before tracing */
	RECONCILE_GOING,  /* later */
};

/*
 * Settles the books by the census, which it takes over. 0; 1: something is missing, a second time will
 * tell; or a negative errno.
 */
int reconcile(struct reconciler *rc, const struct object *o, struct census *census, uint32_t kinds,
	      enum reconcile_what what);
/* Finds the zombies of a process that are in the books but have been waited for, of which BPF learns
 * some milliseconds late. They are added to `ret`, to be released if the process still lives then: its
 * end, too, takes its zombies away. */
int reconcile_find_reaped(const struct object *o, pid_t pid, struct ledger_entries *ret);
void reconciler_deinit(struct reconciler *rc);
