// SPDX-License-Identifier: Apache-2.0
#include "runtime/go/net.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "runtime/go/creates.h"
#include "runtime/go/net_state.h"
#include "runtime/go/program.h"
#include "runtime/go/sites.h"

#define TICK_NS	  500000000ULL
#define LINKS_MAX 64 /* sets of probes: each takes its time to go */

/* -- sites ------------------------------------------------------------------------------------ */

/* The site of a call, added when it is new; -ENOENT: there is no such call. */
static int site_get(struct go_net *n, uint64_t pc, struct site **ret)
{
	uint64_t *index = hashmap_get(&n->by_pc, pc);
	struct site s = { 0 };
	int r;

	if (index && *index == GO_NET_NO_SITE)
		return -ENOENT;
	if (index) {
		*ret = &n->sites.items[*index];
		return 0;
	}
	if (!go_creates_at(&n->rt->image, &n->rt->table, n->newproc, pc - n->rt->bias, &s.call)) {
		r = hashmap_put(&n->by_pc, pc, GO_NET_NO_SITE);
		return r ? r : -ENOENT;
	}
	s.call.pc = pc;
	r = hashmap_put(&n->by_pc, pc, n->sites.n);
	if (!r)
		r = vec_push(&n->sites, s);
	if (!r)
		*ret = &n->sites.items[n->sites.n - 1];
	return r;
}

static void site_allow(struct go_net *n, struct site *s, uint64_t hits)
{
	struct lt_go_key key = go_net_key(n, s->call.pc);
	struct lt_go_site row = { .hits = hits, .limit = hits + LT_GO_RATE };

	bpf_map_update_elem(n->sites_map, &key, &row, BPF_ANY);
}

static int attach_points(struct go_net *n, struct bpf_program *program, const struct plan_points *points,
			 struct attachments *ret)
{
	_cleanup_close_ int fd = module_open_for_probes(n->module);

	return fd < 0 ? fd : go_sites_attach(n->object->kind, program, n->pid, fd, points, ret);
}

/* Attaches to all sites that are to have a probe and have none. */
static int attach_sites(struct go_net *n)
{
	struct plan_points points = { 0 };
	struct site_group g = { 0 };
	int r = 0;

	for (uint32_t i = 0; i < n->sites.n && !r; i++) {
		struct site *s = &n->sites.items[i];
		struct attach_point p = { .offset = s->call.offset };

		if (s->attached || s->hot)
			continue;
		s->attached = true; /* or it is not to be tried again */
		site_allow(n, s, s->hits);
		r = vec_push(&points, p);
		if (!r)
			r = vec_push(&g.sites, i);
	}
	if (!r && points.n)
		r = attach_points(n, n->create, &points, &g.attachments);
	vec_free(&points);
	if (!r && g.sites.n)
		r = vec_push(&n->groups, g);
	if (r || !g.sites.n) {
		attachments_deinit(&g.attachments);
		vec_free(&g.sites);
	}
	return r;
}

/* Takes the probes of a group away; those that are to stay are attached again first. */
static int cool_group(struct go_net *n, size_t index)
{
	struct site_group g = n->groups.items[index];
	int r;

	vec_foreach(i, &g.sites)
		n->sites.items[*i].attached = false;
	n->groups.items[index] = n->groups.items[--n->groups.n];
	r = attach_sites(n);
	attachments_deinit(&g.attachments);
	vec_free(&g.sites);
	return r;
}

/* Looks how often the calls are made. Whether a group has one that is made too often. */
static bool look_at_group(struct go_net *n, const struct site_group *g, uint64_t ns)
{
	bool any = false;

	vec_foreach(i, &g->sites) {
		struct site *s = &n->sites.items[*i];
		struct lt_go_key key = go_net_key(n, s->call.pc);
		struct lt_go_site row;

		if (bpf_map_lookup_elem(n->sites_map, &key, &row))
			continue;
		s->hot = (row.hits - s->hits) * 1000000000ULL / ns > LT_GO_RATE;
		any |= s->hot;
		s->hits = row.hits;
		if (row.hits + LT_GO_RATE != row.limit)
			site_allow(n, s, row.hits);
	}
	return any;
}

/* Those whose goroutines have been seen to hold something. */
static int take_wanted(struct go_net *n)
{
	struct lt_go_key key, *from = NULL;
	int r = 0;

	for (int i = 0; i < LT_GO_SITES && !r && !bpf_map_get_next_key(n->wanted, from, &key); i++) {
		if (key.tgid == (uint32_t)n->pid)
			r = go_net_want(n, key.id);
		from = &key;
	}
	return r;
}

int go_net_want(struct go_net *n, uint64_t created_pc)
{
	struct site *s;
	int r = n->sites.n < LT_GO_SITES ? site_get(n, created_pc, &s) : 0;

	return r == -ENOMEM ? r : 0;
}

int go_net_tick(struct go_net *n, uint64_t now_ns)
{
	uint64_t ns = now_ns - n->tick_ns;
	int r = 0;

	if (ns < TICK_NS || n->detached)
		return 0;
	n->tick_ns = now_ns;
	n->starts_read = false;
	for (size_t i = n->groups.n; i-- && !r;)
		if (look_at_group(n, &n->groups.items[i], ns))
			r = cool_group(n, i);
	if (!r)
		r = take_wanted(n);
	return r || n->groups.n >= LINKS_MAX ? r : attach_sites(n);
}

/* -- life ------------------------------------------------------------------------------------- */

static int find_maps(struct go_net *n)
{
	const struct {
		const char *name;
		int *fd;
	} maps[] = {
		{ "go_programs", &n->programs }, { "go_made", &n->made },
		{ "go_traces", &n->traces },	 { "go_conns", &n->conns },
		{ "go_sites", &n->sites_map },	 { "go_wanted", &n->wanted },
		{ "go_starts", &n->starts },
	};

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		*maps[i].fd = object_map(n->object, maps[i].name);
		if (*maps[i].fd < 0)
			return -ENOENT;
	}
	n->create = object_program(n->object, "go_create");
	return n->create ? 0 : -ENOENT;
}

static int attach_client(struct go_net *n)
{
	static const struct go_probe probes[] = {
		{ "net/http.(*persistConn).roundTrip", NULL, LT_GO_ROUND_TRIP, true, false },
		{ "net/http.(*persistConn).readLoop", NULL, LT_GO_READ_LOOP, true, false },
		{ "net/http.(*persistConn).writeLoop", NULL, LT_GO_WRITE_LOOP, true, false },
	};
	struct plan_points points = { 0 };
	struct err e;
	int r = go_sites_plan(&n->rt->image, &n->rt->table, probes, ARRAY_SIZE(probes), &points, &e);

	if (!r)
		r = attach_points(n, object_program(n->object, "go_client"), &points, &n->client);
	vec_free(&points);
	return r;
}

static int attach_rare(struct go_net *n)
{
	struct go_creates rare = { 0 };
	int r = go_creates_rare(&n->rt->image, &n->rt->table, &rare);

	vec_foreach(c, &rare) {
		struct site s = { .call = { c->pc + n->rt->bias, c->offset } };

		if (!r)
			r = hashmap_put(&n->by_pc, s.call.pc, n->sites.n);
		if (!r)
			r = vec_push(&n->sites, s);
	}
	vec_free(&rare);
	return r ? r : attach_sites(n);
}

int go_net_open(const struct object *o, pid_t pid, const struct go_runtime *rt, const struct module *m,
		struct go_net **ret)
{
	struct go_net *n = calloc(1, sizeof(*n));
	uint32_t tgid = (uint32_t)pid;
	struct lt_go_program row;
	int r;

	if (!n)
		return -ENOMEM;
	*n = (struct go_net){ .object = o, .rt = rt, .module = m, .pid = pid, .programs = -1,
			      .detached = true, .newproc = go_creates_newproc(&rt->table) };
	r = find_maps(n);
	if (!r)
		r = go_program_row(rt, &row);
	if (!r && bpf_map_update_elem(n->programs, &tgid, &row, BPF_ANY))
		r = -errno;
	if (!r) {
		n->detached = false;
		object_set_go(o, true);
		r = attach_client(n);
	}
	if (!r)
		r = attach_rare(n);
	if (r)
		go_net_close(n);
	else
		*ret = n;
	return r;
}

void go_net_detach(struct go_net *n, struct attachments *to)
{
	if (!n)
		return;
	n->detached = true;
	attachments_move(&n->client, to);
	attachments_deinit(&n->client);
	vec_foreach(g, &n->groups) {
		attachments_move(&g->attachments, to);
		attachments_deinit(&g->attachments);
		vec_free(&g->sites);
	}
	n->groups.n = 0;
}

static void forget_in(const struct go_net *n, int map)
{
	struct lt_go_key key, next;
	bool more = map >= 0 && !bpf_map_get_next_key(map, NULL, &next);

	for (int i = 0; more && i < LT_GO_MADE; i++) {
		key = next;
		more = !bpf_map_get_next_key(map, &key, &next);
		if (key.tgid == (uint32_t)n->pid)
			bpf_map_delete_elem(map, &key);
	}
}

void go_net_forget(const struct go_net *n)
{
	const int maps[] = { n ? n->made : -1, n ? n->starts : -1, n ? n->conns : -1, n ? n->sites_map : -1,
			     n ? n->wanted : -1 };

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		forget_in(n, maps[i]);
}

void go_net_close(struct go_net *n)
{
	uint32_t tgid = n ? (uint32_t)n->pid : 0;
	struct attachments all = { 0 };

	if (!n)
		return;
	if (n->programs >= 0)
		bpf_map_delete_elem(n->programs, &tgid);
	if (!n->detached) /* its process id will be another program's */
		go_net_forget(n);
	go_net_detach(n, &all);
	attachments_deinit(&all);
	vec_free(&n->groups);
	vec_free(&n->sites);
	vec_free(&n->connections);
	hashmap_deinit(&n->by_inode);
	hashmap_deinit(&n->started);
	hashmap_deinit(&n->by_pc);
	free(n);
}
