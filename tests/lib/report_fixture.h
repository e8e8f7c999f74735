/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of what is held besides memory, for the golden files. */
#pragma once
#include "report/report.h"

#define FIXTURE_START { .tv_sec = 1795255200 } /* 2026-11-21T10:00:00Z */
#define FIXTURE_LIBC                                     \
	.module = "/usr/lib/x86_64-linux-gnu/libc.so.6", \
	.build_id = "c047672cae7964324658491e7dee26748ae5d2f8"
#define FIXTURE_APP .module = "/srv/app/pool", .build_id = "77ab01"

#define FIELD_S(k, s)	 { .key = (k), .string = (s) }
#define FIELD_N(k, n)	 { .key = (k), .number = (n), .has_number = true }
#define FIELD_UNKNOWN(k) { .key = (k) }

static struct report_frame held_connect_frames[] = {
	{ .function = "backend_open", .file = "/srv/app/src/backend.c", .line = 88, FIXTURE_APP,
	  .offset = 0x21a9, .address = 0x55cde0dfe1a9 },
	{ .function = "pool_take", .file = "/srv/app/src/pool.c", .line = 141, FIXTURE_APP,
	  .offset = 0x2203, .address = 0x55cde0dfe203 },
	{ .function = "main", .file = "/srv/app/src/main.c", .line = 30, FIXTURE_APP,
	  .offset = 0x2300, .address = 0x55cde0dfe300 },
	{ .function = "__libc_start_call_main", FIXTURE_LIBC, .offset = 0x2724a,
	  .address = 0x7f0fcd72724a },
};

/* A connection that the peer has closed. */
#define HELD_CLOSED(port, age, ago, words)                                                       \
	{                                                                                        \
		.age_seconds = (age),                                                            \
		.fields = { FIELD_S("protocol", "tcp"), FIELD_S("local", "10.0.0.5:" port),      \
			    FIELD_S("remote", "10.0.0.9:5432"), FIELD_S("state", "CLOSE_WAIT"),  \
			    FIELD_N("receive_queue", 1), FIELD_N("send_queue", 0),               \
			    FIELD_N("peer_closed_seconds", ago) },                               \
		.n_fields = 7, .text = "tcp 10.0.0.5:" port " to 10.0.0.9:5432, CLOSE_WAIT",     \
		.note = "peer closed " words " ago, this side never called close",               \
	}

static struct item held_closed[] = {
	HELD_CLOSED("41234", 320.4, 312, "5m 12s"), HELD_CLOSED("41236", 318, 312, "5m 12s"),
	HELD_CLOSED("41240", 200, 100, "1m 40s"),   HELD_CLOSED("41250", 99.5, 50, "50.0 s"),
	HELD_CLOSED("41262", 42, 3, "3.0 s"),	    HELD_CLOSED("41270", 42, 3, "3.0 s"),
	HELD_CLOSED("41272", 41, 0, "120 ms"),
};

static struct report_note held_closed_notes[] = {
	{ "peer closed up to 5m 12s ago, this side never called close", 7 },
};

static struct item held_before_connections[] = {
	{ .age_seconds = -1,
	  .text = "tcp6 [2001:db8::1]:8080 to [2001:db8:ffff:ffff:ffff:ffff:ffff:9]"
		  ":40000, FIN_WAIT2",
	  .note = "this side has shut down sending, the peer has not closed" },
	{ .age_seconds = -1,
	  .fields = { FIELD_S("protocol", "unix"), FIELD_UNKNOWN("local"),
		      FIELD_S("remote", "/run/dbus/system_bus_socket") },
	  .n_fields = 3,
	  .text = "unix to /run/dbus/system_bus_socket, ESTABLISHED" },
	{ .age_seconds = -1, .text = "socket 44120" },
};

static struct report_note held_before_notes[] = {
	{ "this side has shut down sending, the peer has not closed", 1 },
};

static struct item held_unseen_connections[] = {
	{ .age_seconds = -1, .text = "tcp 127.0.0.1:41000 to 127.0.0.1:6379, ESTABLISHED" },
};

static struct report_stack held_connections[] = {
	{ .id = 0x7ab2, .pid = 4242, .via = "connect", .outstanding = { 7, 7 },
	  .acquired = { 50, 50 }, .released = { 43, 43 }, .oldest_seconds = 320.4,
	  .youngest_seconds = 41, .complete = true, .frames = held_connect_frames, .n_frames = 4,
	  .items = held_closed, .n_items = 7, .n_items_all = 7, .n_noted = 7,
	  .notes = held_closed_notes, .n_notes = 1 },
	{ .id = 0x1, .pid = 4242, .origin = ORIGIN_BEFORE, .outstanding = { 3, 3 },
	  .oldest_seconds = -1, .youngest_seconds = -1, .complete = true,
	  .items = held_before_connections, .n_items = 3, .n_items_all = 3, .n_noted = 1,
	  .notes = held_before_notes, .n_notes = 1 },
	{ .id = 0x2, .pid = 4242, .origin = ORIGIN_UNSEEN, .outstanding = { 1, 1 },
	  .oldest_seconds = -1, .youngest_seconds = -1, .complete = true,
	  .items = held_unseen_connections, .n_items = 1, .n_items_all = 1 },
};

static struct item held_listeners[] = {
	{ .age_seconds = -1, .text = "tcp 0.0.0.0:8080, LISTEN" },
};

static struct report_stack held_listening[] = {
	{ .id = 0x3, .pid = 4242, .origin = ORIGIN_BEFORE, .outstanding = { 1, 1 },
	  .oldest_seconds = -1, .youngest_seconds = -1, .complete = true, .items = held_listeners,
	  .n_items = 1, .n_items_all = 1 },
};

#define HELD_FILE(n, age)                                                                        \
	{                                                                                        \
		.age_seconds = (age),                                                            \
		.fields = { FIELD_N("fd", n), FIELD_S("type", "file"),                           \
			    FIELD_S("target", "/srv/app/spool/2026-11-21/job-" #n ".part") },    \
		.n_fields = 3, .text = #n " -> /srv/app/spool/2026-11-21/job-" #n ".part",       \
	}

static struct item held_files[] = {
	HELD_FILE(17, 3599), HELD_FILE(18, 3598), HELD_FILE(19, 3000),
	HELD_FILE(20, 59.94), HELD_FILE(21, 12), HELD_FILE(22, 11),
};

static struct item held_before_files[] = {
	{ .age_seconds = -1, .fields = { FIELD_N("fd", 0), FIELD_S("type", "char"),
					 FIELD_S("target", "/dev/null") },
	  .n_fields = 3, .text = "0 -> /dev/null" },
	{ .age_seconds = -1, .fields = { FIELD_N("fd", 1), FIELD_UNKNOWN("type"),
					 FIELD_UNKNOWN("target") },
	  .n_fields = 3, .text = "1" },
};

static struct report_stack held_fds[] = {
	{ .id = 0xf1,
	  .pid = 4242,
	  .via = "fopen",
	  .outstanding = { 3011, 3011 },
	  .acquired = { 3050, 3050 },
	  .released = { 39, 39 },
	  .oldest_seconds = 3599,
	  .youngest_seconds = 0.2,
	  .complete = true,
	  .frames = held_connect_frames + 1,
	  .n_frames = 3,
	  .items = held_files,
	  .n_items = 6,
	  .n_items_all = 3011 },
	{ .id = 0xf2,
	  .pid = 4242,
	  .origin = ORIGIN_BEFORE,
	  .outstanding = { 190, 190 },
	  .oldest_seconds = -1,
	  .youngest_seconds = -1,
	  .complete = true,
	  .items = held_before_files,
	  .n_items = 2,
	  .n_items_all = 190 },
};

static struct item held_running[] = {
	{ .age_seconds = 86400, .fields = { FIELD_N("tid", 4242), FIELD_S("name", "pool") },
	  .n_fields = 2, .text = "4242 (pool)" },
	{ .age_seconds = 86399, .text = "4243 (worker 1)" },
};

static struct report_stack held_threads[] = {
	{ .id = 0x11, .pid = 4242, .origin = ORIGIN_BEFORE, .outstanding = { 2, 2 },
	  .oldest_seconds = 86400, .youngest_seconds = 86399, .complete = true,
	  .items = held_running, .n_items = 2, .n_items_all = 2 },
};

#define UNJOINED "ended, never joined or detached: its stack is not given back"

static struct item held_ended[] = {
	{ .age_seconds = 12, .fields = { FIELD_N("tid", 4301) }, .n_fields = 1, .text = "4301",
	  .note = UNJOINED },
	{ .age_seconds = 11, .fields = { FIELD_N("tid", 4302) }, .n_fields = 1, .text = "4302",
	  .note = UNJOINED },
};

static struct report_note held_ended_notes[] = { { UNJOINED, 13 } };

static struct report_stack held_unjoined[] = {
	{ .id = 0x12, .pid = 4242, .via = "pthread_create", .outstanding = { 13, 13 },
	  .acquired = { 13, 13 }, .oldest_seconds = 12, .youngest_seconds = 1, .complete = true,
	  .frames = held_connect_frames + 2, .n_frames = 2, .items = held_ended, .n_items = 2,
	  .n_items_all = 13, .n_noted = 13, .notes = held_ended_notes, .n_notes = 1 },
};

static struct item held_dead[] = {
	{ .age_seconds = 600, .fields = { FIELD_N("pid", 5001), FIELD_S("name", "sh"),
					  FIELD_S("state", "zombie") },
	  .n_fields = 3, .text = "5001 (sh), zombie", .note = "ended, never waited for" },
};

static struct report_note held_dead_notes[] = { { "ended, never waited for", 1 } };

static struct report_stack held_zombies[] = {
	{ .id = 0x13, .pid = 4242, .via = "posix_spawn", .outstanding = { 1, 1 },
	  .acquired = { 1, 1 }, .oldest_seconds = 600, .youngest_seconds = 600, .complete = true,
	  .frames = held_connect_frames + 2, .n_frames = 2, .items = held_dead, .n_items = 1,
	  .n_items_all = 1, .n_noted = 1, .notes = held_dead_notes, .n_notes = 1 },
};

static struct report_resource held_resources[] = {
	{ .kind = "memory", .unit = "bytes", .acquired = { 9211, 900000 },
	  .released = { 9211, 900000 } },
	{ .kind = "connection", .state = "open", .unit = "connections", .outstanding = { 11, 11 },
	  .acquired = { 50, 50 }, .released = { 43, 43 }, .before = { 3, 3 }, .unseen = { 1, 1 },
	  .stacks = held_connections, .n_stacks = 3, .n_stacks_all = 3, .shown = { 11, 11 } },
	{ .kind = "connection", .state = "listening", .unit = "sockets", .outstanding = { 1, 1 },
	  .before = { 1, 1 }, .stacks = held_listening, .n_stacks = 1, .n_stacks_all = 1,
	  .shown = { 1, 1 } },
	{ .kind = "fd", .unit = "descriptors", .outstanding = { 3201, 3201 },
	  .acquired = { 3050, 3050 }, .released = { 39, 39 }, .before = { 190, 190 },
	  .stacks = held_fds, .n_stacks = 2, .n_stacks_all = 2, .shown = { 3201, 3201 } },
	{ .kind = "thread", .state = "running", .unit = "threads", .outstanding = { 2, 2 },
	  .before = { 2, 2 }, .stacks = held_threads, .n_stacks = 1, .n_stacks_all = 1,
	  .shown = { 2, 2 } },
	{ .kind = "thread", .state = "unjoined", .unit = "threads", .outstanding = { 13, 13 },
	  .acquired = { 13, 13 }, .stacks = held_unjoined, .n_stacks = 1, .n_stacks_all = 1,
	  .shown = { 13, 13 } },
	{ .kind = "process", .state = "zombie", .unit = "processes", .outstanding = { 1, 1 },
	  .acquired = { 1, 1 }, .stacks = held_zombies, .n_stacks = 1, .n_stacks_all = 1,
	  .shown = { 1, 1 } },
	{ .kind = "process", .state = "running", .unit = "processes" },
};

static pid_t held_pid[] = { 4242 };

static const struct report held = {
	.target = { .pids = held_pid, .n_pids = 1, .comm = "pool", .exe = "/srv/app/pool" },
	.window = { FIXTURE_START, 3600.0 },
	.coverage = { .exact = true,
		      .sample_bytes = 1,
		      .overhead_percent = 0.3,
		      .overhead_core_percent = 0.27,
		      .syscall_ns = 57.2,
		      .probe_hits = 48034,
		      .unmatched_known = true,
		      .unmatched_releases = 5,
		      .stacks_complete = 6 },
	.resources = held_resources,
	.n_resources = ARRAY_SIZE(held_resources),
};

/* -- nothing held ----------------------------------------------------------------------------- */

static struct report_resource quiet_resources[] = {
	{ .kind = "memory", .unit = "bytes" },
	{ .kind = "connection", .state = "open", .unit = "connections" },
	{ .kind = "connection", .state = "listening", .unit = "sockets" },
	{ .kind = "fd", .unit = "descriptors", .acquired = { 12, 12 }, .released = { 12, 12 } },
	{ .kind = "thread", .state = "running", .unit = "threads" },
	{ .kind = "thread", .state = "unjoined", .unit = "threads" },
	{ .kind = "process", .state = "zombie", .unit = "processes" },
	{ .kind = "process", .state = "running", .unit = "processes", .acquired = { 2, 2 },
	  .released = { 2, 2 } },
};

static const struct report quiet = {
	.target = { .pids = held_pid, .n_pids = 1, .comm = "pool", .ended = "ended" },
	.window = { FIXTURE_START, 2.5 },
	.coverage = { .exact = true, .sample_bytes = 1, .overhead_percent = 0, .probe_hits = 24,
		      .unmatched_known = true, .stacks_complete = 1 },
	.resources = quiet_resources, .n_resources = ARRAY_SIZE(quiet_resources),
};

/* -- foreign text in items -------------------------------------------------------------------- */

static struct item vile_items[] = {
	{ .age_seconds = 1e18,
	  .fields = { FIELD_N("fd", UINT64_MAX), FIELD_S("type", "\033[2J"),
		      FIELD_S("target", "/tmp/\xe2\x80\xae\n#1 \xff\x7f") },
	  .n_fields = 3,
	  .text = "3 -> /tmp/\xe2\x80\xae\n#1   100.0 %\033[2J \xff\x7f" },
	{ .age_seconds = 0,
	  .text = "4 -> "
		  "/a/path/without/any/blank/that/is/much/longer/than/any/terminal/is/wide/and/so/"
		  "must/be/cut/in/the/middle/to/leave/the/end/of/it/to/be/seen/by/those/who/look/"
		  "file",
	  .note = "deleted\nby\033[31m nobody, which is a note so long that it is broken into as "
		  "many "
		  "lines as it needs to be read on a terminal of any width" },
	{ .age_seconds = -1, .text = "" },
	{ .age_seconds = -1 },
	{ .age_seconds = 5, .text = "caf\xc3\xa9 \xf0\x9f\x92\xa7", .note = "" },
	{ .age_seconds = 5, .text = "never shown" },
};

static struct report_note vile_notes[] = {
	{ "deleted\nby\033[31m nobody, which is a note so long that it is broken into as many "
	  "lines "
	  "as it needs to be read on a terminal of any width",
	  1 },
	{ "", 1 },
};

static struct report_stack vile_stacks[] = {
	{ .id = 0x66, .pid = 7, .via = "\033[1mopen", .outstanding = { UINT64_MAX, UINT64_MAX },
	  .acquired = { 1, 1 }, .oldest_seconds = 1e18, .complete = true, .items = vile_items,
	  .n_items = 6, .n_items_all = 6, .n_noted = 2, .notes = vile_notes, .n_notes = 2 },
	{ .id = 0x67, .pid = 8, .origin = ORIGIN_BEFORE, .oldest_seconds = -1,
	  .youngest_seconds = -1, .complete = true },
};

static struct report_resource vile_resources[] = {
	{ .kind = "fd", .unit = "descriptors", .outstanding = { UINT64_MAX, UINT64_MAX },
	  .acquired = { 1, 1 }, .before = { 1, 1 }, .unseen = { UINT64_MAX - 1, UINT64_MAX - 1 },
	  .stacks = vile_stacks, .n_stacks = 2, .n_stacks_all = 3 },
};

static pid_t vile_pids[] = { 7, 8 };

static const struct report vile = {
	.target = { .pids = vile_pids, .n_pids = 2, .comm = "x" },
	.window = { FIXTURE_START, 1 },
	.coverage = { .exact = true, .sample_bytes = 1, .overhead_percent = -1,
		      .overhead_core_percent = -1 },
	.resources = vile_resources, .n_resources = 1,
};
