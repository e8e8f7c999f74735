// SPDX-License-Identifier: Apache-2.0
/* What has been recorded of single goroutines, functions and connections. */
#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>
#include "go/goroutine.h"
#include "leak/recursion.h"
#include "runtime/go/net_state.h"
#include "runtime/go/program.h"

#define CONNECTIONS_NS 100000000ULL /* so long what was read of them will do */
#define SEVERAL	       0 /* in place of a trace: different code has made them */
#define WRAPPED_MAX    8

static bool read_trace(struct go_net *n, uint64_t id)
{
	if (n->trace.stack.id == id)
		return true;
	if (bpf_map_lookup_elem(n->traces, &id, &n->trace))
		return false;
	n->trace.stack.id = id;
	return n->trace.stack.n <= LT_MAX_FRAMES;
}

static void take_trace(const struct go_net *n, struct go_cause *c)
{
	uint64_t *frames = NULL;
	size_t n_frames = 0;

	if (recursion_fold_event((const uint64_t *)n->trace.stack.frames, n->trace.stack.n, 1, &frames, &n_frames))
		n_frames = 0;
	for (size_t i = 0; i < n_frames && c->n < LT_MAX_FRAMES; i++)
		c->frames[c->n++] = frames[i];
	free(frames);
	c->complete = n->trace.stack.stop == LT_STOP_NONE;
}

/* The last request that has used the connection which the goroutine serves. */
static uint64_t request_of(struct go_net *n, const struct lt_go_made *made)
{
	struct lt_go_key key = go_net_key(n, made->conn);
	struct lt_go_conn conn;

	return made->conn && !bpf_map_lookup_elem(n->conns, &key, &conn) ? conn.request : 0;
}

static bool is_followed(const struct go_net *n, uint64_t created_pc)
{
	const uint64_t *site = hashmap_get(&n->by_pc, created_pc);

	return site && *site != GO_NET_NO_SITE;
}

bool go_net_cause(struct go_net *n, uint64_t goid, uint64_t created_pc, struct go_cause *ret)
{
	struct lt_go_key key = go_net_key(n, goid);
	struct lt_go_made made;
	uint64_t request;

	if (!is_followed(n, created_pc) || bpf_map_lookup_elem(n->made, &key, &made) ||
	    made.created_pc != created_pc)
		return false;
	request = request_of(n, &made);
	ret->n = 0;
	ret->request = request && read_trace(n, request);
	if (ret->request)
		ret->frames[ret->n++] = LT_FRAME(n->module->id, created_pc - n->rt->bias);
	else if (!made.trace || !read_trace(n, made.trace))
		return false;
	take_trace(n, ret);
	return true;
}

/* Goroutines have this function as their outermost one, and were made by the code of this trace. */
static void add_started(struct go_net *n, uint64_t function, uint64_t trace)
{
	uint64_t *known = hashmap_get(&n->started, function);

	if (!known)
		hashmap_put(&n->started, function, trace);
	else if (*known != trace)
		*known = SEVERAL;
}

/* Those that start in what the compiler makes to call a function have that as their outermost: Go leaves
 * the other out of its traces. */
static void add_start(struct go_net *n, uint64_t entry, uint64_t trace)
{
	struct go_function f;
	uint64_t callees[WRAPPED_MAX];
	size_t n_callees;

	add_started(n, entry, trace);
	if (!gopclntab_at(&n->rt->table, entry, &f) || f.id != n->rt->layout->wrapper)
		return;
	n_callees = go_program_callees(n->rt, &f, callees, WRAPPED_MAX);
	for (size_t i = 0; i < n_callees; i++)
		add_started(n, callees[i], trace);
}

static void read_starts(struct go_net *n)
{
	struct lt_go_key key, *from = NULL;
	struct lt_go_start s;

	hashmap_deinit(&n->started);
	for (int i = 0; i < LT_GO_STARTS && !bpf_map_get_next_key(n->starts, from, &key); i++) {
		from = &key;
		if (key.tgid == (uint32_t)n->pid && !bpf_map_lookup_elem(n->starts, &key, &s))
			add_start(n, key.id - n->rt->bias, s.others ? SEVERAL : s.trace);
	}
	n->starts_read = true;
}

bool go_net_started(struct go_net *n, const uint64_t *pcs, size_t n_pcs, struct go_cause *ret)
{
	const struct gopclntab *table = &n->rt->table;
	struct go_function f;
	uint64_t *trace;

	if (!n->starts_read)
		read_starts(n);
	if (n_pcs && gopclntab_at(table, pcs[n_pcs - 1] - 1 - n->rt->bias, &f) &&
	    gopclntab_is_named(&f, "runtime.goexit"))
		n_pcs--;
	if (!n->started.n || !n_pcs || !gopclntab_at(table, pcs[n_pcs - 1] - 1 - n->rt->bias, &f))
		return false;
	trace = hashmap_get(&n->started, f.entry);
	*ret = (struct go_cause){ 0 };
	if (!trace || *trace == SEVERAL || !read_trace(n, *trace))
		return false;
	take_trace(n, ret);
	return true;
}

/* Reads all of them: by inode there is no other way. Who cannot be remembered is not known. */
static void read_connections(struct go_net *n)
{
	struct lt_go_key key, *from = NULL;
	struct lt_go_conn c;

	n->connections.n = 0;
	hashmap_deinit(&n->by_inode);
	for (int i = 0; i < LT_GO_CONNS && !bpf_map_get_next_key(n->conns, from, &key); i++) {
		from = &key;
		if (key.tgid != (uint32_t)n->pid || bpf_map_lookup_elem(n->conns, &key, &c) || !c.inode)
			continue;
		if (!hashmap_put(&n->by_inode, c.inode, n->connections.n) && vec_push(&n->connections, c))
			hashmap_deinit(&n->by_inode);
	}
}

/*
 * The goroutine that reads from a connection waits in a select statement from the time that a response
 * has begun until its body has been closed or read to its end; at other times it waits for what comes.
 */
static bool response_is_open(const struct go_net *n, const struct lt_go_conn *c)
{
	const struct go_layout *l = n->rt->layout;
	uint8_t reason = 0;

	return c->g && go_read_word(n->rt, c->g + l->g.goid) == c->reader &&
	       go_status_waits((uint32_t)go_read_word(n->rt, c->g + l->g.atomicstatus)) &&
	       !memory_read(&n->rt->memory, c->g + l->g.waitreason, &reason, sizeof(reason)) &&
	       reason < n->rt->n_reasons && !strcmp(n->rt->reasons[reason], "select");
}

double go_net_unclosed_seconds(struct go_net *n, uint64_t inode, uint64_t now_ns)
{
	const struct lt_go_conn *c;
	uint64_t *index;

	if (!n->connections_ns || now_ns - n->connections_ns > CONNECTIONS_NS) {
		read_connections(n);
		n->connections_ns = now_ns;
	}
	index = hashmap_get(&n->by_inode, inode);
	c = index ? &n->connections.items[*index] : NULL;
	return c && c->ns && c->ns < now_ns && response_is_open(n, c) ? (double)(now_ns - c->ns) / 1e9 : 0;
}
