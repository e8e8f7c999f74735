/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of one, of three and of many processes, and of a scope of several containers, for the golden files. */
#pragma once
#include "report_fixture.h"

static struct report_frame fleet_frames[] = {
	{ .function = "job_new", .file = "/srv/app/src/job.c", .line = 17, FIXTURE_APP, .offset = 0x31a9 },
	{ .function = "main", .file = "/srv/app/src/main.c", .line = 41, FIXTURE_APP, .offset = 0x3300 },
};

static struct report_frame fleet_own_frames[] = {
	{ .function = "cache_fill", .file = "/srv/app/src/cache.c", .line = 5, FIXTURE_APP, .offset = 0x3401,
	  .address = 0x55cde0dfe401 },
	{ .function = "main", .file = "/srv/app/src/main.c", .line = 43, FIXTURE_APP, .offset = 0x3310,
	  .address = 0x55cde0dfe310 },
};

static pid_t fleet_pids[] = { 4242, 4243, 51007 };

static struct item fleet_items[] = {
	{ .age_seconds = 30, .holder = 51007, .fields = { FIELD_N("fd", 7), FIELD_S("type", "file") }, .n_fields = 2,
	  .text = "7 -> /srv/app/spool/a", .note = "deleted" },
	{ .age_seconds = 29, .holder = 4242, .fields = { FIELD_N("fd", 7), FIELD_S("type", "file") }, .n_fields = 2,
	  .text = "7 -> /srv/app/spool/b" },
};

static struct report_note fleet_notes[] = { { "deleted", 1 } };

static struct report_stack fleet_memory[] = {
	{ .id = 0xa1, .pids = fleet_pids, .n_pids = 3, .n_ended = 1998, .via = "malloc",
	  .outstanding = { 2111, 211100 }, .acquired = { 4123, 412300 }, .released = { 2012, 201200 }, .oldest_seconds = 58, .youngest_seconds = 2,
	  .complete = true, .frames = fleet_frames, .n_frames = 2 },
	{ .id = 0xa2, .pid = 4243, .via = "calloc", .outstanding = { 2, 4096 }, .acquired = { 2, 4096 },
	  .oldest_seconds = 57, .youngest_seconds = 57, .complete = true, .frames = fleet_own_frames, .n_frames = 2 },
};

static struct report_stack fleet_fds[] = {
	{ .id = 0xb1, .pids = (pid_t[]){ 4242, 51007 }, .n_pids = 2, .via = "open", .outstanding = { 2, 2 },
	  .acquired = { 5, 5 }, .released = { 3, 3 }, .oldest_seconds = 30, .youngest_seconds = 29,
	  .complete = true, .frames = fleet_frames, .n_frames = 2, .items = fleet_items, .n_items = 2,
	  .n_items_all = 2, .n_noted = 1, .notes = fleet_notes, .n_notes = 1 },
};

static struct report_stack fleet_listening[] = {
	{ .id = 0xc1, .pids = fleet_pids, .n_pids = 3, .origin = ORIGIN_BEFORE, .outstanding = { 3, 3 },
	  .oldest_seconds = -1, .youngest_seconds = -1, .complete = true },
};

static struct report_resource fleet_resources[] = {
	{ .kind = "memory", .unit = "bytes", .outstanding = { 2113, 215196 }, .acquired = { 4125, 416396 },
	  .released = { 2012, 201200 }, .stacks = fleet_memory, .n_stacks = 2, .n_stacks_all = 2,
	  .shown = { 2113, 215196 } },
	{ .kind = "connection", .state = "listening", .unit = "sockets", .outstanding = { 3, 3 }, .before = { 3, 3 },
	  .stacks = fleet_listening, .n_stacks = 1, .n_stacks_all = 1, .shown = { 3, 3 } },
	{ .kind = "fd", .unit = "descriptors", .outstanding = { 2, 2 }, .acquired = { 5, 5 }, .released = { 3, 3 },
	  .stacks = fleet_fds, .n_stacks = 1, .n_stacks_all = 1, .shown = { 2, 2 } },
};

/* In the order of the resources: memory, listening, descriptors. */
static struct process_share fleet_shares[][3] = {
	{ { .outstanding = { 53, 5300 }, .acquired = { 60, 6000 }, .released = { 7, 700 } },
	  { .outstanding = { 1, 1 }, .before = { 1, 1 } },
	  { .outstanding = { 1, 1 }, .acquired = { 2, 2 }, .released = { 1, 1 } } },
	{ { .outstanding = { 43, 8196 }, .acquired = { 50, 8896 }, .released = { 7, 700 } },
	  { .outstanding = { 1, 1 }, .before = { 1, 1 } },
	  { .acquired = { 2, 2 }, .released = { 2, 2 } } },
	{ { .outstanding = { 19, 1900 }, .acquired = { 19, 1900 } },
	  { .outstanding = { 1, 1 }, .before = { 1, 1 } },
	  { .outstanding = { 1, 1 }, .acquired = { 1, 1 } } },
	{ { .outstanding = { 1998, 199800 }, .acquired = { 3996, 399600 }, .released = { 1998, 199800 } } },
};

#define FLEET_PROCESS(n)                                                                         \
	.comm = "worker", .exe = "/srv/app/worker", .started = { .tv_sec = 1795255100 + (n) },   \
	.shares = fleet_shares[n]

static struct report_process fleet_processes[] = {
	{ .pid = 4242, .ns_pid = 4242, .state = "traced", .seconds = 60, .unseen_ms = -1, FLEET_PROCESS(0) },
	{ .pid = 4243, .ns_pid = 7, .state = "traced", .seconds = 20, .unseen_ms = 12.5, .cgroup = "/a/b",
	  .container = "5f8e0c2b7a1d9c", FLEET_PROCESS(1) },
	{ .pid = 51007, .state = "ended", .seconds = 0.9, .unseen_ms = -1,
	  .ended = { .tv_sec = 1795255230, .tv_nsec = 500000000 }, FLEET_PROCESS(2) },
	{ .pid = -1, .n_ended = 1998, .comm = "job", .state = "ended", .seconds = -1, .unseen_ms = -1,
	  .shares = fleet_shares[3] },
};

#define FLEET_COVERAGE                                                                             \
	{ .exact = true, .sample_bytes = 1, .overhead_percent = 0.3, .overhead_core_percent = 0.2, \
	  .probe_hits = 307, .unmatched_known = true, .stacks_complete = 7 }

static const struct report fleet = {
	.target = { .pids = fleet_pids, .n_pids = 3, .processes = fleet_processes, .n_processes = 4 },
	.window = { FIXTURE_START, 60 },
	.coverage = FLEET_COVERAGE,
	.resources = fleet_resources,
	.n_resources = 3,
};

/* -- one of them alone ------------------------------------------------------------------------ */

static struct report_stack lonely_memory[] = {
	{ .id = 0xa1, .pid = 4242, .via = "malloc", .outstanding = { 53, 5300 }, .acquired = { 60, 6000 },
	  .released = { 7, 700 }, .oldest_seconds = 58, .youngest_seconds = 3, .complete = true,
	  .frames = fleet_frames, .n_frames = 2 },
};

static struct report_resource lonely_resources[] = {
	{ .kind = "memory", .unit = "bytes", .outstanding = { 53, 5300 }, .acquired = { 60, 6000 },
	  .released = { 7, 700 }, .stacks = lonely_memory, .n_stacks = 1, .n_stacks_all = 1, .shown = { 53, 5300 } },
};

static const struct report lonely = {
	.target = { .pids = fleet_pids, .n_pids = 1, .comm = "worker", .exe = "/srv/app/worker",
		    .processes = fleet_processes, .n_processes = 1 },
	.window = { FIXTURE_START, 60 },
	.coverage = FLEET_COVERAGE,
	.resources = lonely_resources,
	.n_resources = 1,
};

/* -- of two containers, and of none ----------------------------------------------------------- */

static pid_t scoped_pids[] = { 4242, 4243, 51007 };

static struct report_process scoped_processes[] = {
	{ .pid = 4242, .ns_pid = 1, .state = "traced", .seconds = 60, .unseen_ms = -1, .cgroup = "/docker/5f8e",
	  .container = "5f8e0c2b7a1d9c", .container_name = "shop/web-7d4/app", FLEET_PROCESS(0) },
	{ .pid = 4243, .ns_pid = 7, .state = "traced", .seconds = 20, .unseen_ms = 12.5, .cgroup = "/docker/0b1c",
	  .container = "0b1c", FLEET_PROCESS(1) },
	{ .pid = 51007, .ns_pid = 51007, .state = "left", .seconds = 0.9, .unseen_ms = -1, .cgroup = "/b",
	  .ended = { .tv_sec = 1795255230, .tv_nsec = 500000000 }, FLEET_PROCESS(2) },
	{ .pid = -1, .n_ended = 1998, .comm = "job", .state = "ended", .seconds = -1, .unseen_ms = -1,
	  .shares = fleet_shares[3] },
	{ .pid = 77, .comm = "old", .exe = "/srv/old", .state = "refused", .refused = true, .cgroup = "/b",
	  .why = "a 32-bit process", .seconds = -1, .unseen_ms = -1, .shares = fleet_shares[0] },
};

static struct report_untraced scoped_untraced[] = {
	{ "process", "a 32-bit process", 1 },
	{ "process", "it ended before it could be traced", 1117 },
	{ "memory", "no known allocator (glibc, jemalloc) is mapped", 2 },
};

static const char *const scoped_names[] = { "/docker", "/b" };

static const struct report scoped = {
	.target = { .pids = scoped_pids, .n_pids = 3, .processes = scoped_processes, .n_processes = 5,
		    .scope = { "cgroup", scoped_names, 2, "cgroups /docker, /b" } },
	.window = { FIXTURE_START, 60 },
	.coverage = { .exact = true, .sample_bytes = 1, .overhead_percent = 0.3, .overhead_core_percent = 0.2,
		      .probe_hits = 307, .unmatched_known = true, .stacks_complete = 7, .untraced = scoped_untraced,
		      .n_untraced = 3 },
	.resources = fleet_resources,
	.n_resources = 3,
};

static const char *const awaited_names[] = { "web" };

/* Of a scope that nobody is in yet. */
static const struct report awaited = {
	.target = { .scope = { "container", awaited_names, 1, "container web" } },
	.window = { FIXTURE_START, 60 },
	.coverage = { .exact = true, .sample_bytes = 1, .overhead_percent = -1, .overhead_core_percent = -1,
		      .unmatched_known = true },
};

/* -- more than there is room for, with names that somebody has chosen ------------------------- */

#define CROWD 57

static struct process_share crowd_shares[CROWD][1];
static struct report_process crowd_processes[CROWD];
static pid_t crowd_pids[CROWD];

static struct report_resource crowd_resources[] = {
	{ .kind = "memory", .state = "go", .unit = "bytes" },
};

static struct report crowd = {
	.target = { .pids = crowd_pids, .n_pids = CROWD, .processes = crowd_processes, .n_processes = CROWD },
	.window = { FIXTURE_START, 5 },
	.coverage = FLEET_COVERAGE,
	.resources = crowd_resources,
	.n_resources = 1,
};

static void crowd_fill(void)
{
	for (size_t i = 0; i < CROWD; i++) {
		const struct tally now = { i, 1000 * i };

		crowd_pids[i] = (pid_t)(100 + i);
		crowd_shares[i][0] = (struct process_share){ .outstanding = now, .before = { 7, 7000 } };
		crowd_processes[i] = (struct report_process){
			.pid = crowd_pids[i],
			.comm = i % 2 ? "\033[2J\xff" : NULL,
			.container = i % 3 ? NULL : "caf\xc3\xa9\n and more than twelve",
			.seconds = 5,
			.unseen_ms = -1,
			.shares = crowd_shares[i],
		};
		crowd_resources[0].outstanding.count += now.count;
		crowd_resources[0].outstanding.amount += now.amount;
	}
}
