// SPDX-License-Identifier: Apache-2.0
#include "kind/fields.h"
#include "kind/kinds.h"

/* As in /proc/PID/status. */
static const char *state_name(char state)
{
	static const struct {
		char state;
		const char *name;
	} table[] = {
		{ 'R', "running" }, { 'S', "sleeping" },     { 'D', "disk sleep" },
		{ 'T', "stopped" }, { 't', "tracing stop" }, { 'Z', "zombie" },
		{ 'X', "dead" },    { 'I', "idle" },	     { 'P', "parked" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].state == state)
			return table[i].name;
	return NULL;
}

static int list(const struct census *c, bool zombie, struct id_vec *ret)
{
	int r = 0;

	for (size_t i = 0; !r && i < c->children.n; i++)
		if (c->children.items[i].zombie == zombie)
			r = vec_push(ret, (uint64_t)c->children.items[i].pid);
	return r;
}

static int child_list(const struct census *c, struct id_vec *ret)
{
	return list(c, false, ret);
}

static int zombie_list(const struct census *c, struct id_vec *ret)
{
	return list(c, true, ret);
}

static bool child_holds(const struct census *c, uint64_t id)
{
	const struct census_child *child = census_child(c, (pid_t)id);

	return child && !child->zombie;
}

static bool zombie_holds(const struct census *c, uint64_t id)
{
	const struct census_child *child = census_child(c, (pid_t)id);

	return child && child->zombie;
}

static int describe(const struct census *c, const struct holding *h, struct arena *arena,
		    const char *note, struct item *ret)
{
	const struct census_child *child = c ? census_child(c, (pid_t)h->id) : NULL;
	const char *name = child ? arena_strdup(arena, child->name) : NULL;
	const char *state = child ? state_name(child->state) : NULL;
	struct item i = item_make(h);

	if (child && !name)
		return -ENOMEM;
	item_number(&i, "pid", h->id, true);
	item_string(&i, "name", name);
	item_string(&i, "state", state);
	i.text = name && state ? arena_printf(arena, "%d (%s), %s", (int)h->id, name, state)
			       : arena_printf(arena, "%d", (int)h->id);
	i.note = note;
	return item_finish(&i, ret);
}

static int child_describe(const struct census *c, const struct holding *h, struct arena *arena,
			  struct item *ret)
{
	return describe(c, h, arena, NULL, ret);
}

static int zombie_describe(const struct census *c, const struct holding *h, struct arena *arena,
			   struct item *ret)
{
	return describe(c, h, arena, "ended, never waited for", ret);
}

const struct kind kind_child = {
	.id = LT_KIND_CHILD,
	.list = child_list,
	.holds = child_holds,
	.describe = child_describe,
};

const struct kind kind_zombie = {
	.id = LT_KIND_ZOMBIE,
	.list = zombie_list,
	.holds = zombie_holds,
	.describe = zombie_describe,
};
