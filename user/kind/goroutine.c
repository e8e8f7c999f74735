// SPDX-License-Identifier: Apache-2.0
/* Goroutines, as they were last read from the process's memory: see runtime/go/golang.h. */
#include "base/units.h"
#include "kind/fields.h"
#include "kind/kinds.h"

/* "goroutine 18, chan send for at least 9.8s"; it may have waited before anybody looked. */
static const char *goroutine_text(const struct holding *h, struct arena *arena)
{
	const struct goroutine_state *g = h->goroutine;
	const unsigned long long id = h->id;

	if (!g)
		return arena_printf(arena, "goroutine %llu", id);
	if (!g->waits)
		return arena_printf(arena, "goroutine %llu, %s", id, g->state);
	return arena_printf(arena, "goroutine %llu, %s for at least %s", id, g->state,
			    units_duration(g->wait_seconds).s);
}

static int goroutine_describe(const struct census *c, const struct holding *h, struct arena *arena,
			      struct item *ret)
{
	const struct goroutine_state *g = h->goroutine;
	struct item i = item_make(h);
	const char *state = g ? arena_strdup(arena, g->state) : NULL;

	if (g && !state)
		return -ENOMEM;
	item_number(&i, "id", h->id, true);
	item_string(&i, "state", state);
	item_seconds(&i, "wait_seconds", g && g->waits ? g->wait_seconds : -1);
	item_number(&i, "tid", g ? (uint64_t)g->tid : 0, g && g->tid);
	i.text = goroutine_text(h, arena);
	return item_finish(&i, ret);
}

const struct kind kind_goroutine = {
	.id = LT_KIND_GOROUTINE,
	.describe = goroutine_describe,
};
