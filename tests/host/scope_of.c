// SPDX-License-Identifier: Apache-2.0
/*
 * usage: scope_of cgroup PATH | scope_of container NAME
 * Prints the scope that it makes on this host: a line for each group with its hierarchy ("v2" for version 2), path and
 * id, and one with the processes that are in it, each asked for by itself as well. Exit status 1 with the reason on
 * standard error when there is none.
 */
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"
#include "container/container.h"
#include "container/scope.h"

static int make_scope(const char *how, const char *name, struct container_list *l, struct scope *s, struct err *e)
{
	struct container_choice chosen = { 0 };
	int r = container_list_find("", l, e);

	if (r || !strcmp(how, "cgroup"))
		return r ?: scope_of_cgroup(&l->hierarchies, name, s, e);
	r = container_list_choose(l, name, &chosen, e);
	if (!r)
		r = scope_of_containers(&l->hierarchies, &chosen, s, e);
	vec_free(&chosen);
	return r;
}

static int print_scope(const struct scope *s, const struct container_list *l)
{
	struct number_vec pids = { 0 };
	int r = scope_members(s, &pids);

	vec_foreach(g, s)
		printf("%s %s %llu\n", *g->hierarchy ? g->hierarchy : "v2", g->path, (unsigned long long)g->id);
	printf("pids");
	vec_foreach(pid, &pids) {
		const struct container *c = container_list_of_pid(l, (pid_t)*pid);

		printf(" %llu", (unsigned long long)*pid);
		if (scope_has(s, (pid_t)*pid) != 1)
			printf("(is not in it)");
		if (c)
			printf("=%s", c->words.name ? c->words.name : c->id);
	}
	printf("\n");
	vec_free(&pids);
	return r;
}

int main(int argc, char **argv)
{
	struct container_list l = { 0 };
	struct scope s = { 0 };
	struct err e = { "" };
	int r;

	if (argc != 3)
		return 2;
	r = make_scope(argv[1], argv[2], &l, &s, &e);
	if (!r)
		r = print_scope(&s, &l);
	else
		fprintf(stderr, "%s\n", e.text);
	scope_deinit(&s);
	container_list_deinit(&l);
	return r ? 1 : 0;
}
