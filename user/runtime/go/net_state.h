/* SPDX-License-Identifier: Apache-2.0 */
/* What user/runtime/go/net.c and go_net_ask.c share. */
#pragma once
#include <leaktrace/go_net.h>
#include "base/hashmap.h"
#include "runtime/go/creates.h"
#include "runtime/go/net.h"

#define GO_NET_NO_SITE UINT64_MAX /* no call that is followed returns there */

/* A creating call. */
struct site {
	struct go_create call; /* its pc as in the process */
	uint64_t hits;	       /* up to the last tick */
	bool attached, hot;    /* hot: it is made too often */
};

/* Probes that were attached at once, and go at once. */
struct site_group {
	struct attachments attachments;
	struct {
		VEC_OF(uint32_t);
	} sites;
};

struct go_net {
	const struct object *object;
	const struct go_runtime *rt;
	const struct module *module;
	pid_t pid;
	bool detached;
	uint64_t newproc, tick_ns;
	int programs, made, starts, traces, conns, sites_map, wanted; /* maps; they stay the object's */
	struct bpf_program *create;
	struct attachments client;
	struct {
		VEC_OF(struct site);
	} sites;
	struct hashmap by_pc; /* -> index in sites, or GO_NET_NO_SITE */
	struct {
		VEC_OF(struct site_group);
	} groups;
	struct lt_go_trace trace; /* read last */
	struct {
		VEC_OF(struct lt_go_conn);
	} connections; /* as of connections_ns */
	struct hashmap by_inode; /* -> index in them */
	uint64_t connections_ns;
	struct hashmap started; /* function's entry, in the file -> trace, as of the last tick */
	bool starts_read;
};

static inline struct lt_go_key go_net_key(const struct go_net *n, uint64_t id)
{
	return (struct lt_go_key){ .id = id, .tgid = (uint32_t)n->pid };
}
