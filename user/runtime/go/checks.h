/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which samples of a Go process's heap have died, by a thread of our own: each time that the process has
 * collected garbage it reads the bits of the spans that have samples, before the next time. It is needed
 * only where not all spans that are taken are seen: else BPF finds what has died when a span is taken.
 */
#pragma once
#include "go/spans.h"
#include "runtime/go/samples.h"

struct go_checks;

struct go_checks_state {
	uint64_t cycles, missed; /* garbage collections since it began; those that nobody could see */
	size_t room;		 /* spans that there is time to check */
	/* of each class, that had samples behind the latest check, which was that of so many garbage collections,
	 * and are likely to keep them: what has come through one may only have been allocated while that was
	 * going on */
	uint32_t spans[LT_GO_CLASSES];
	uint64_t counted;
	uint64_t old;		 /* generations that take a while */
};

/* `rt` and the maps must stay. `cycle_ns`: how long it takes from one garbage collection to the next. 0 or a
 * negative errno. */
int go_checks_begin(const struct go_runtime *rt, struct go_samples_maps *maps, uint64_t cycle_ns,
		    struct go_checks **ret);
/* Nothing, when there are none (NULL). */
void go_checks_end(struct go_checks *c);
/* How it stands; and what was allocated last, of each class, and what is young, on average: these take the
 * place of such shares of the heap. */
int go_checks_tell(struct go_checks *c, struct go_heap *heap, struct go_checks_state *ret);
