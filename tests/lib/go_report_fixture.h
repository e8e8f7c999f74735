/* SPDX-License-Identifier: Apache-2.0 */
/* A report of a Go server: producers that nobody reads from any more, and its heap. */
#pragma once
#include "report_fixture.h"

#define SERVER .module = "/srv/api", .build_id = "7a11"

static struct report_frame go_handler[] = {
	{ .function = "main.newProducer", .file = "/src/api/producer.go", .line = 31, SERVER,
	  .offset = 0x4a1f20, .address = 0x4a1f20 },
	{ .function = "main.(*server).handle", .file = "/src/api/server.go", .line = 77, SERVER,
	  .offset = 0x4a2210, .address = 0x4a2210 },
};

static struct report_frame go_sending[] = {
	{ .function = "main.newProducer.func1", .file = "/src/api/producer.go", .line = 34, SERVER,
	  .offset = 0x4a1ff0, .address = 0x4a1ff0 },
};

static struct report_frame go_sleeping[] = {
	{ .function = "time.Sleep", .file = "/usr/lib/go/src/time/sleep.go", .line = 315, SERVER,
	  .offset = 0x45f110, .address = 0x45f110 },
	{ .function = "main.(*cache[...]).expire", .file = "/src/api/cache.go", .line = 12, SERVER,
	  .offset = 0x4a3300, .address = 0x4a3300 },
};

static struct report_frame go_main[] = {
	{ .function = "main.main", .file = "/src/api/main.go", .line = 9, SERVER,
	  .offset = 0x4a0010, .address = 0x4a0010 },
};

static struct item go_producers[] = {
	{ .age_seconds = 9.8, .text = "goroutine 18, chan send for at least 9.1 s",
	  .fields = { { .key = "id", .number = 18, .has_number = true },
		      { .key = "state", .string = "chan send" },
		      { .key = "wait_seconds", .real = 9.1, .has_real = true },
		      { .key = "tid" } },
	  .n_fields = 4 },
};

static struct report_stack go_groups[] = {
	{ .id = 0x60, .pid = 4242, .via = "go", .outstanding = { 41, 41 }, .acquired = { 53, 53 },
	  .released = { 12, 12 }, .oldest_seconds = 9.8, .youngest_seconds = 0.2,
	  .verdict = VERDICT_LOST, .complete = true, .state = "chan send", .frames = go_handler,
	  .n_frames = ARRAY_SIZE(go_handler), .place = go_sending,
	  .n_place = ARRAY_SIZE(go_sending), .items = go_producers, .n_items = 1,
	  .n_items_all = 41 },
	{ .id = 0x61, .pid = 4242, .via = "go", .outstanding = { 1, 1 }, .before = { 1, 1 },
	  .oldest_seconds = -1, .youngest_seconds = -1, .complete = true, .state = "sleep",
	  .frames = go_main, .n_frames = 1, .place = go_sleeping,
	  .n_place = ARRAY_SIZE(go_sleeping) },
};

static struct report_stack go_heap[] = {
	{ .id = 0x70, .pid = 4242, .via = "runtime.mallocgc", .outstanding = { 300, 4915200 },
	  .acquired = { 264, 4325376 }, .before = { 36, 589824 }, .oldest_seconds = -1,
	  .youngest_seconds = -1, .complete = true, .frames = go_handler,
	  .n_frames = ARRAY_SIZE(go_handler) },
	{ .id = 0x71, .pid = 4242, .via = "runtime.mallocgc", .outstanding = { 16, 524288 },
	  .released = { 16, 524288 }, .before = { 32, 1048576 }, .oldest_seconds = -1,
	  .youngest_seconds = -1, .complete = true, .frames = go_main, .n_frames = 1 },
};

static struct report_resource go_resources[] = {
	{ .kind = "memory", .state = "go", .unit = "bytes", .method = "as the program's own heap profile has it: one sample in 512 KiB",
	  .outstanding = { 316, 5439488 }, .acquired = { 264, 4325376 }, .released = { 16, 524288 },
	  .before = { 68, 1638400 }, .stacks = go_heap, .n_stacks = 2, .n_stacks_all = 2,
	  .shown = { 316, 5439488 } },
	{ .kind = "goroutine", .unit = "goroutines", .outstanding = { 42, 42 }, .acquired = { 53, 53 },
	  .released = { 12, 12 }, .before = { 1, 1 }, .stacks = go_groups, .n_stacks = 2,
	  .n_stacks_all = 2, .shown = { 42, 42 } },
};

static const struct report go = {
	.target = { .pids = held_pid, .n_pids = 1, .comm = "api", .exe = "/srv/api" },
	.window = { FIXTURE_START, 10.0 },
	.coverage = { .exact = true, .sample_bytes = 1, .overhead_percent = 0, .unmatched_known = true,
		      .stacks_complete = 4 },
	.resources = go_resources,
	.n_resources = ARRAY_SIZE(go_resources),
};
