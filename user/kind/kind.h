/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kinds of resources that the system itself can list, besides what BPF has seen of them. Such a census
 * tells what was held before tracing began, finds out what was released or acquired unseen, and
 * describes single holdings. Memory has none.
 *
 * To add a kind: user/kind/KIND.c with one `const struct kind` for each of its rows in LT_KINDS, and a
 * row in the table in kind.c.
 */
#pragma once
#include <leaktrace/types.h>
#include "base/arena.h"
#include "kind/census.h"
#include "kind/item.h"

/* What a goroutine was doing when it was last read. */
struct goroutine_state {
	const char *state;   /* in the words of Go's runtime: "chan send" */
	bool waits;	     /* it does not run, and has not */
	double wait_seconds; /* for so long, at least */
	pid_t tid;	     /* of its thread; 0: none */
};

/* What the books know of a single holding. Times are of CLOCK_MONOTONIC. */
struct holding {
	uint64_t id;
	uint64_t acquired_ns;	 /* 0: before tracing */
	uint64_t peer_closed_ns; /* a connection's peer has closed it; 0: not seen */
	double unclosed_seconds; /* > 0: a response that came on a connection is open for so long */
	uint64_t now_ns;
	const struct goroutine_state *goroutine; /* NULL: not one, or not known */
};

struct kind {
	enum lt_kind id;
	/* Adds the ids of all that the process holds of this kind. 0 or -ENOMEM. NULL: no census tells. */
	int (*list)(const struct census *c, struct id_vec *ret);
	/* Whether it still holds this one, which may be more than list() tells: a connection that was
	 * reset is none any more, but held as long as there is a descriptor of it. */
	bool (*holds)(const struct census *c, uint64_t id);
	/* Describes a holding, all in `arena`. `c` is NULL when the process has ended: what is not known
	 * then stays out. 0 or -ENOMEM. */
	int (*describe)(const struct census *c, const struct holding *h, struct arena *arena,
			struct item *ret);
};

/* NULL for a kind that has no census. */
const struct kind *kind_of(enum lt_kind id);
