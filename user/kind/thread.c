// SPDX-License-Identifier: Apache-2.0
#include "kind/fields.h"
#include "kind/kinds.h"

static int thread_list(const struct census *c, struct id_vec *ret)
{
	int r = vec_reserve(ret, c->threads.n);

	for (size_t i = 0; !r && i < c->threads.n; i++)
		r = vec_push(ret, (uint64_t)c->threads.items[i].tid);
	return r;
}

static bool thread_holds(const struct census *c, uint64_t id)
{
	return census_thread(c, (pid_t)id);
}

static int thread_describe(const struct census *c, const struct holding *h, struct arena *arena,
			   struct item *ret)
{
	const struct census_thread *t = c ? census_thread(c, (pid_t)h->id) : NULL;
	struct item i = item_make(h);
	const char *name = t ? arena_strdup(arena, t->name) : NULL;

	if (t && !name)
		return -ENOMEM;
	item_number(&i, "tid", h->id, true);
	item_string(&i, "name", name);
	i.text = name ? arena_printf(arena, "%d (%s)", (int)h->id, name)
		      : arena_printf(arena, "%d", (int)h->id);
	return item_finish(&i, ret);
}

const struct kind kind_thread = {
	.id = LT_KIND_THREAD,
	.list = thread_list,
	.holds = thread_holds,
	.describe = thread_describe,
};

/* What has ended leaves no trace that the system would show. */
static int unjoined_list(const struct census *c, struct id_vec *ret)
{
	return 0;
}

static bool unjoined_holds(const struct census *c, uint64_t id)
{
	return true;
}

static int unjoined_describe(const struct census *c, const struct holding *h, struct arena *arena,
			     struct item *ret)
{
	struct item i = item_make(h);

	item_number(&i, "tid", h->id, true);
	i.text = arena_printf(arena, "%d", (int)h->id);
	i.note = "ended, never joined or detached: its stack is not given back";
	return item_finish(&i, ret);
}

const struct kind kind_unjoined = {
	.id = LT_KIND_UNJOINED,
	.list = unjoined_list,
	.holds = unjoined_holds,
	.describe = unjoined_describe,
};
