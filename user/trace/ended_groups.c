// SPDX-License-Identifier: Apache-2.0
#include "trace/ended_groups.h"
#include <string.h>
#include "leak/books.h"
#include "trace/process.h"

uint32_t ended_groups_find(struct ended_groups *g, const struct traced_process *p)
{
	const char *comm = p->target.comm ? p->target.comm : "";
	const bool last = g->n == ENDED_GROUPS_MAX - 1;
	struct ended_group made = { 0 };

	vec_foreach(group, g)
		if (group->comm && !strcmp(group->comm, comm))
			return BOOKS_GROUP | (uint32_t)(group - g->items);
	if (g->n == ENDED_GROUPS_MAX)
		return BOOKS_GROUP | (ENDED_GROUPS_MAX - 1);
	made.comm = last ? NULL : strdup(comm);
	if ((!last && !made.comm) || vec_push(g, made)) {
		free(made.comm);
		return 0;
	}
	return BOOKS_GROUP | (uint32_t)(g->n - 1);
}

void ended_groups_add(struct ended_groups *g, uint32_t group, const struct traced_process *p)
{
	g->items[group & ~BOOKS_GROUP].n++;
	g->cpu_ns += p->cpu_ns - p->cpu_start_ns;
	g->cpu_not_whole |= !p->cpu_whole;
	g->n_unseen += p->unseen_ns > 0;
	if (p->unseen_ns > g->unseen_most_ns)
		g->unseen_most_ns = p->unseen_ns;
	g->released_before += p->reconciler.released_before;
	g->probes_away += p->probes_away;
	g->of_sources |= sources_begun(p);
	g->allocator |= p->allocator;
}

void ended_groups_deinit(struct ended_groups *g)
{
	vec_foreach(group, g)
		free(group->comm);
	vec_free(g);
}
