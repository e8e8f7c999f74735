// SPDX-License-Identifier: Apache-2.0
/* From books with made-up stacks to a report. */
#include <dlfcn.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "leak/recursion.h"
#include "report/build.h"

#define TGID  77
#define S     1000000000ULL
#define NOW   (100 * S)
#define KINDS (1U << LT_KIND_MEMORY | 1U << LT_KIND_FD | 1U << LT_KIND_ZOMBIE)

static const char *const vias[] = { "malloc", "openat" };

struct fixture {
	struct books books;
	struct books_snapshot snapshot;
	struct module_table modules;
	struct left_out left_out;
	struct names *names;
	struct arena arena;
	struct hashmap biases;
	struct report report;
	unsigned int described;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(names_create(&f->left_out, &f->names), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	books_deinit(&f->books);
	module_table_deinit(&f->modules);
	left_out_deinit(&f->left_out);
	names_destroy(f->names);
	arena_deinit(&f->arena);
	hashmap_deinit(&f->biases);
	free(f);
	return 0;
}

static void add_stack(struct fixture *f, uint64_t id, enum lt_kind kind)
{
	struct lt_event_stack e = { .head = { .type = LT_EVENT_STACK, .tgid = TGID },
				    .id = id, .kind = (__u8)kind, .n = 1,
				    .via = kind != LT_KIND_MEMORY, .frames = { 0x1000 + id } };

	books_event(&f->books, &e, offsetof(struct lt_event_stack, frames) + sizeof(e.frames[0]));
}

static void add_held(struct fixture *f, enum lt_kind kind, uint64_t stack, uint32_t tgid,
		     uint64_t id, uint64_t seconds)
{
	struct held h = { .stack = stack, .tgid = tgid, .kind = (uint8_t)kind, .id = id,
			  .ns = seconds * S };

	books_snapshot_held(&f->snapshot, &h);
}

static void acquired(struct fixture *f, uint64_t stack, uint64_t acquired, uint64_t released)
{
	struct lt_totals t = { acquired, acquired, released, released };

	books_snapshot_totals(&f->snapshot, stack, &t);
}

/* Every 50th has a note. Of what was not seen acquired the age is known below 1000. */
static int describe(void *ctx, uint32_t tgid, enum lt_kind kind, uint64_t id, uint64_t acquired_ns,
		    struct arena *arena, struct item *ret)
{
	struct fixture *f = ctx;
	char text[32];

	f->described++;
	snprintf(text, sizeof(text), "%d of %u", (int)id, tgid);
	*ret = (struct item){ .age_seconds = -1, .text = arena_strdup(arena, text),
			      .note = id % 50 ? NULL : "bad" };
	if (acquired_ns)
		ret->age_seconds = (double)((NOW - acquired_ns) / S);
	else if (id < 1000)
		ret->age_seconds = 5000 + (double)id;
	return ret->text ? 0 : -ENOMEM;
}

static struct report *build_as(struct fixture *f, const struct report_request *rq)
{
	struct report_source src = {
		.books = &f->books, .now_ns = NOW, .modules = &f->modules, .via_names = vias,
		.n_via_names = ARRAY_SIZE(vias), .names = f->names, .biases = &f->biases,
		.describe = describe, .describe_ctx = f,
	};

	books_snapshot_end(&f->snapshot);
	assert_int_equal(report_build(&src, rq, &f->arena, &f->report), 0);
	return &f->report;
}

static struct report *build(struct fixture *f, uint32_t kinds, unsigned int top)
{
	struct report_request rq = { .kinds = kinds, .top = top };

	return build_as(f, &rq);
}

static void test_only_the_kinds_asked_for(void **state)
{
	struct fixture *f = *state;
	struct report *r;

	add_stack(f, 1, LT_KIND_FD);
	books_snapshot_begin(&f->snapshot, &f->books, NOW, 0);
	add_held(f, LT_KIND_FD, 1, TGID, 3, 1);
	r = build(f, KINDS, 0);
	assert_int_equal(r->n_resources, 3);
	assert_string_equal(r->resources[0].kind, "memory");
	assert_null(r->resources[0].state);
	assert_int_equal(r->resources[0].n_stacks, 0);
	assert_string_equal(r->resources[1].kind, "fd");
	assert_int_equal(r->resources[1].n_stacks, 1);
	assert_string_equal(r->resources[2].kind, "process");
	assert_string_equal(r->resources[2].state, "zombie");
	assert_int_equal(r->coverage.stacks_complete, 1);
}

static void test_sums_agree(void **state)
{
	struct fixture *f = *state;
	struct report_resource *fds;

	add_stack(f, 1, LT_KIND_FD);
	books_snapshot_begin(&f->snapshot, &f->books, NOW, 0);
	acquired(f, 1, 10, 8);
	for (uint64_t id = 20; id < 22; id++)
		add_held(f, LT_KIND_FD, 1, TGID, id, 40);
	for (uint64_t id = 0; id < 3; id++)
		add_held(f, LT_KIND_FD, BOOKS_BEFORE, TGID, id, 0);
	for (uint64_t id = 0; id < 5; id++)
		add_held(f, LT_KIND_FD, BOOKS_UNSEEN, TGID + 1, id, 50);
	fds = &build(f, KINDS, 0)->resources[1];
	assert_int_equal(fds->before.count, 3);
	assert_int_equal(fds->before.amount, 3);
	assert_int_equal(fds->unseen.count, 5);
	assert_int_equal(fds->outstanding.count,
			 3 + 5 + fds->acquired.count - fds->released.count);
	assert_int_equal(fds->outstanding.amount, 10);
	assert_int_equal(fds->shown.count, 10);
	assert_int_equal(fds->n_stacks_all, 3);
	assert_int_equal(f->report.coverage.stacks_complete, 1);
}

/* How many things have what stacks: one with whole stacks, one with cut ones that end in unknown code. */
static void test_shares(void **state)
{
	struct lt_event_stack e = { .head = { LT_EVENT_STACK, TGID }, .id = 2, .kind = LT_KIND_FD,
				    .n = 1, .stop = LT_STOP_NO_MAPPING,
				    .frames = { 0x7f0000001000 | LT_FRAME_UNKNOWN } };
	struct fixture *f = *state;
	const struct report_coverage *c;

	add_stack(f, 1, LT_KIND_FD);
	books_event(&f->books, &e, offsetof(struct lt_event_stack, frames) + sizeof(e.frames[0]));
	books_snapshot_begin(&f->snapshot, &f->books, NOW, 0);
	acquired(f, 1, 11, 8);
	acquired(f, 2, 7, 2);
	for (uint64_t id = 0; id < 3; id++)
		add_held(f, LT_KIND_FD, 1, TGID, id, 40);
	for (uint64_t id = 10; id < 15; id++)
		add_held(f, LT_KIND_FD, 2, TGID, id, 40);
	c = &build(f, KINDS, 0)->coverage;
	assert_int_equal(c->held.complete, 3);
	assert_int_equal(c->held.truncated, 5);
	assert_int_equal(c->held.unknown, 5);
	assert_int_equal(c->acquired.complete, 11);
	assert_int_equal(c->acquired.truncated, 7);
	assert_null(f->report.resources[1].stacks[0].frames[0].module);
	assert_int_equal(f->report.resources[1].stacks[0].frames[0].address, 0x7f0000001000);
}

/* Last, whatever the order, and never cut. */
static void test_untraced_entries(void **state)
{
	struct report_request rq = { .kinds = KINDS, .top = 1, .per_process = true };
	struct fixture *f = *state;
	struct report_resource *fds;
	struct report_stack *s;

	add_stack(f, 1, LT_KIND_FD);
	add_stack(f, 2, LT_KIND_FD);
	books_snapshot_begin(&f->snapshot, &f->books, NOW, 0);
	add_held(f, LT_KIND_FD, 1, TGID, 20, 40);
	add_held(f, LT_KIND_FD, 2, TGID, 21, 41);
	add_held(f, LT_KIND_FD, 2, TGID, 22, 42);
	for (uint64_t id = 0; id < 7; id++)
		add_held(f, LT_KIND_FD, BOOKS_BEFORE, TGID, id, 0);
	add_held(f, LT_KIND_FD, BOOKS_BEFORE, TGID + 1, 999, 0);
	add_held(f, LT_KIND_FD, BOOKS_BEFORE, TGID + 1, 1001, 0);
	add_held(f, LT_KIND_FD, BOOKS_UNSEEN, TGID, 30, 60);
	fds = &build_as(f, &rq)->resources[1];
	assert_int_equal(fds->n_stacks, 4);
	assert_int_equal(fds->n_stacks_all, 5);
	assert_int_equal(fds->shown.count, 12);
	s = fds->stacks;
	assert_int_equal(s[0].origin, ORIGIN_TRACED);
	assert_int_equal(s[0].outstanding.count, 2);
	assert_string_equal(s[0].via, "openat");
	assert_int_equal(s[0].oldest_seconds, 59);
	assert_int_equal(s[1].origin, ORIGIN_BEFORE);
	assert_int_equal(s[1].pid, TGID);
	assert_int_equal(s[1].outstanding.count, 7);
	assert_null(s[1].via);
	assert_int_equal(s[1].n_frames, 0);
	assert_true(s[1].complete);
	assert_int_equal(s[1].oldest_seconds, 5006);
	assert_int_equal(s[1].youngest_seconds, 5000);
	assert_int_equal(s[2].pid, TGID + 1);
	assert_true(s[2].oldest_seconds < 0); /* not known of all */
	assert_int_equal(s[3].origin, ORIGIN_UNSEEN);
	assert_int_equal(s[3].oldest_seconds, 5030);
	assert_true(s[1].id != s[3].id && s[1].id != s[0].id);
}

static void test_items_are_chosen(void **state)
{
	struct fixture *f = *state;
	struct report_stack *s;

	add_stack(f, 1, LT_KIND_FD);
	add_stack(f, 2, LT_KIND_MEMORY);
	books_snapshot_begin(&f->snapshot, &f->books, NOW, 0);
	for (uint64_t id = 1; id <= 1000; id++)
		add_held(f, LT_KIND_FD, 1, TGID, id, 1 + (id * 7919) % 97);
	books_snapshot_holding(&f->snapshot, 2, 16, S);
	s = build(f, KINDS, 0)->resources[1].stacks;
	assert_int_equal(s->n_items, REPORT_ITEMS_MAX);
	assert_int_equal(s->n_noted, 20);
	assert_int_equal(s->outstanding.count, 1000);
	assert_int_equal(f->described, 1000 + REPORT_ITEMS_MAX);
	for (size_t i = 0; i < s->n_items; i++) {
		assert_int_equal(s->items[i].note != NULL, i < 20);
		if (i && i != 20)
			assert_true(s->items[i].age_seconds <= s->items[i - 1].age_seconds);
	}
	assert_string_equal(s->items[20].text, "97 of 77"); /* acquired at 1 s, as are 194, ... */
	assert_int_equal(f->report.resources[0].stacks->n_items, 0);
}

/* -- the C library's frames ------------------------------------------------------------------- */

/* In the library itself: a sanitizer has functions of the same names. */
static void *libc_symbol(const char *name)
{
	void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD), *at;

	assert_non_null(libc);
	at = dlsym(libc, name);
	dlclose(libc);
	return at;
}

/* Makes the C library module 1; `ret_base` is where it begins in this process. */
static void add_libc(struct fixture *f, uintptr_t *ret_base)
{
	struct module *m = calloc(1, sizeof(*m));
	Dl_info info;

	assert_non_null(m);
	assert_true(dladdr(libc_symbol("socket"), &info));
	m->id = 1;
	m->path = realpath(info.dli_fname, NULL);
	m->root = strdup("");
	m->copy = -1;
	m->fd = open(m->path, O_RDONLY | O_CLOEXEC);
	assert_true(m->fd >= 0);
	assert_int_equal(vec_push(&f->modules, m), 0);
	*ret_base = (uintptr_t)info.dli_fbase;
}

/* A stack in the library's function, and another in what called it. */
static void add_library_stack(struct fixture *f, uintptr_t base, uint64_t id, const char *function)
{
	uintptr_t at = (uintptr_t)libc_symbol(function);
	struct lt_event_stack e = { .head = { .type = LT_EVENT_STACK, .tgid = TGID },
				    .id = id,
				    .kind = LT_KIND_FD,
				    .n = 2,
				    .via = 1,
				    .frames = { LT_FRAME(1, at - base + 2), 0x1000 + id } };

	books_event(&f->books, &e, sizeof(e));
}

/* The kernel's frames stay, the library's behind them do not; both tell stacks apart. */
static void test_kernel_frames(void **state)
{
	const uint64_t kernel = 0xffffffff80000010; /* before its code: there is no name for that */
	struct fixture *f = *state;
	struct report_stack *s;
	uintptr_t base, at;

	add_libc(f, &base);
	at = (uintptr_t)libc_symbol("fopen");
	for (uint64_t id = 1; id <= 2; id++) {
		struct lt_event_stack e = { .head = { .type = LT_EVENT_STACK, .tgid = TGID },
					    .id = id, .kind = LT_KIND_FD, .n = 4, .via = 1,
					    .frames = { kernel, kernel + id,
							LT_FRAME(1, at - base + 2), 0x1000 } };

		books_event(&f->books, &e, sizeof(e));
	}
	books_snapshot_begin(&f->snapshot, &f->books, NOW, 0);
	add_held(f, LT_KIND_FD, 1, TGID, 20, 40);
	add_held(f, LT_KIND_FD, 2, TGID, 21, 41);
	s = build(f, KINDS, 0)->resources[1].stacks;
	for (int i = 0; i < 2; i++) {
		assert_string_equal(s[i].via, "fopen");
		assert_int_equal(s[i].n_frames, 3);
		assert_string_equal(s[i].frames[0].module, "[kernel]");
		assert_null(s[i].frames[0].function);
		assert_int_equal(s[i].frames[0].address, kernel);
		assert_int_equal(s[i].frames[2].address, 0x1000);
	}
	assert_int_not_equal(s[0].id, s[1].id);
}

static void test_library_function_is_named(void **state)
{
	struct report_request all_frames = { .kinds = KINDS, .all_frames = true };
	struct fixture *f = *state;
	struct report_stack *s;
	uintptr_t base;

	add_libc(f, &base);
	add_library_stack(f, base, 1, "fopen");
	add_library_stack(f, base, 2, "syscall");
	books_snapshot_begin(&f->snapshot, &f->books, NOW, 0);
	add_held(f, LT_KIND_FD, 1, TGID, 20, 40);
	add_held(f, LT_KIND_FD, 2, TGID, 21, 41);
	add_held(f, LT_KIND_FD, 2, TGID, 22, 41);
	s = build(f, KINDS, 0)->resources[1].stacks;
	assert_string_equal(s[0].via, "openat"); /* the system call says more than syscall() */
	assert_int_equal(s[0].n_frames, 1);
	assert_int_equal(s[0].frames[0].address, 0x1002);
	assert_string_equal(s[1].via, "fopen");
	assert_int_equal(s[1].n_frames, 1);
	assert_int_equal(s[1].frames[0].address, 0x1001);
	f->report = (struct report){ 0 };
	s = build_as(f, &all_frames)->resources[1].stacks;
	assert_string_equal(s[1].via, "openat");
	assert_int_equal(s[1].n_frames, 2);
}

/* -- several processes ------------------------------------------------------------------------ */

/* A module of which nothing is to be read; build_id 0: it has none. */
static void add_module(struct fixture *f, const char *path, uint8_t build_id)
{
	struct module *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->id = (uint32_t)f->modules.n + 1;
	m->path = strdup(path);
	m->root = strdup("");
	m->copy = m->fd = -1;
	m->build_id[0] = build_id;
	m->build_id_len = build_id ? 1 : 0;
	assert_int_equal(vec_push(&f->modules, m), 0);
}

static void add_code(struct fixture *f, uint32_t tgid, uint64_t id, enum lt_kind kind, uint64_t first, uint64_t second)
{
	struct lt_event_stack e = { .head = { .type = LT_EVENT_STACK, .tgid = tgid },
				    .id = id, .kind = (__u8)kind, .n = 2,
				    .via = kind != LT_KIND_MEMORY, .frames = { first, second } };

	books_event(&f->books, &e, offsetof(struct lt_event_stack, frames) + 2 * sizeof(e.frames[0]));
}

static void add_blocks(struct fixture *f, uint64_t stack, uint64_t n, uint64_t size, uint64_t seconds)
{
	for (uint64_t i = 0; i < n; i++)
		books_snapshot_holding(&f->snapshot, stack, size, seconds * S);
}

/* The same code in three processes, of which one has the program in another file and another has released all; the
 * program is somewhere else in each. */
static void three_processes(struct fixture *f)
{
	add_module(f, "/srv/app", 7);
	add_module(f, "/other/root/srv/app", 7);
	add_code(f, 11, 1, LT_KIND_MEMORY, LT_FRAME(1, 0x100), LT_FRAME(1, 0x200));
	add_code(f, 13, 2, LT_KIND_MEMORY, LT_FRAME(1, 0x100), LT_FRAME(1, 0x200));
	add_code(f, 17, 3, LT_KIND_MEMORY, LT_FRAME(2, 0x100), LT_FRAME(2, 0x200));
	add_code(f, 11, 4, LT_KIND_MEMORY, LT_FRAME(1, 0x100), LT_FRAME(1, 0x300));
	books_snapshot_begin(&f->snapshot, &f->books, NOW, 0);
	acquired(f, 1, 29, 12);
	acquired(f, 2, 31, 31);
	acquired(f, 3, 23, 4);
	acquired(f, 4, 53, 0);
	add_blocks(f, 1, 17, 3, 60);
	add_blocks(f, 3, 19, 5, 40);
	add_blocks(f, 4, 53, 2, 50);
}

static void test_same_code_is_one_stack(void **state)
{
	struct fixture *f = *state;
	struct report_resource *memory;
	struct report_stack *s;

	three_processes(f);
	memory = &build(f, KINDS, 1)->resources[0];
	assert_int_equal(memory->n_stacks_all, 2);
	assert_int_equal(memory->n_stacks, 1); /* alone, that of 53 blocks has more than any of its parts */
	assert_int_equal(memory->outstanding.count, 17 + 19 + 53);
	s = memory->stacks;
	assert_int_equal(s->pid, 0);
	assert_int_equal(s->n_pids, 3);
	assert_int_equal(s->pids[0], 11);
	assert_int_equal(s->pids[1], 13);
	assert_int_equal(s->pids[2], 17);
	assert_int_equal(s->outstanding.count, 17 + 19);
	assert_int_equal(s->outstanding.amount, 17 * 3 + 19 * 5);
	assert_int_equal(s->acquired.count, 29 + 31 + 23);
	assert_int_equal(s->released.count, 12 + 31 + 4);
	assert_int_equal(s->oldest_seconds, 60);
	assert_int_equal(s->youngest_seconds, 40);
	assert_string_equal(s->frames[0].module, "/srv/app");
	assert_int_equal(s->frames[1].offset, 0x200);
}

static void test_per_process_splits(void **state)
{
	struct report_request rq = { .kinds = KINDS, .per_process = true };
	struct fixture *f = *state;
	struct report_resource *memory;
	const pid_t pids[] = { 11, 17, 11 };
	const uint64_t counts[] = { 53, 19, 17 }, amounts[] = { 106, 95, 51 };

	three_processes(f);
	memory = &build_as(f, &rq)->resources[0];
	assert_int_equal(memory->n_stacks, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(memory->stacks[i].pid, pids[i]);
		assert_int_equal(memory->stacks[i].n_pids, 0);
		assert_int_equal(memory->stacks[i].outstanding.count, counts[i]);
		assert_int_equal(memory->stacks[i].outstanding.amount, amounts[i]);
	}
	assert_int_equal(memory->stacks[1].id, memory->stacks[2].id); /* of the same code */
}

/* Where code is in the process is told of one process; of several it would be true of one only. */
static void test_addresses(void **state)
{
	struct report_request rq = { .kinds = KINDS, .per_process = true };
	struct fixture *f = *state;
	const struct report_stack *s;

	three_processes(f);
	assert_int_equal(hashmap_put(&f->biases, REPORT_BIAS_KEY(11, 1), 0x5000), 0);
	assert_int_equal(hashmap_put(&f->biases, REPORT_BIAS_KEY(13, 1), 0x7000), 0);
	s = build(f, KINDS, 0)->resources[0].stacks;
	assert_int_equal(s[0].n_pids, 3);
	assert_int_equal(s[0].frames[0].address, 0);
	assert_int_equal(s[1].pid, 11);
	assert_int_equal(s[1].frames[1].address, 0x5300);
	f->report = (struct report){ 0 };
	s = build_as(f, &rq)->resources[0].stacks;
	assert_int_equal(s[1].pid, 17); /* where it is there is not known */
	assert_int_equal(s[1].frames[0].address, 0);
	assert_int_equal(s[2].pid, 11);
	assert_int_equal(s[2].frames[0].address, 0x5100);
}

/* What looks alike in two processes and may be something else. */
static void test_what_is_not_the_same(void **state)
{
	static const struct {
		uint64_t frames[2][2];
		enum lt_kind kinds[2];
		uint8_t stop;
	} cases[] = {
		{ { { LT_FRAME(1, 16), 0x1000 }, { LT_FRAME(1, 16), 0x1000 } }, { LT_KIND_FD, LT_KIND_FD }, 0 },
		{ { { LT_FRAME(1, 16), 0x1000 | LT_FRAME_UNKNOWN }, { LT_FRAME(1, 16), 0x1000 | LT_FRAME_UNKNOWN } },
		  { LT_KIND_FD, LT_KIND_FD }, 0 },
		{ { { LT_FRAME(1, 16), LT_FRAME(9, 16) }, { LT_FRAME(1, 16), LT_FRAME(9, 16) } },
		  { LT_KIND_FD, LT_KIND_FD }, 0 },
		{ { { LT_FRAME(1, 16), LT_FRAME(2, 16) }, { LT_FRAME(1, 16), LT_FRAME(3, 16) } },
		  { LT_KIND_FD, LT_KIND_FD }, 0 },
		{ { { LT_FRAME(1, 16), LT_FRAME(1, 32) }, { LT_FRAME(1, 16), LT_FRAME(1, 33) } },
		  { LT_KIND_FD, LT_KIND_FD }, 0 },
		{ { { LT_FRAME(1, 16), LT_FRAME(1, 32) }, { LT_FRAME(1, 16), LT_FRAME(1, 32) } },
		  { LT_KIND_FD, LT_KIND_FD }, LT_STOP_TOO_DEEP },
		{ { { LT_FRAME(1, 16), LT_FRAME(1, 32) }, { LT_FRAME(1, 16), LT_FRAME(1, 32) } },
		  { LT_KIND_FD, LT_KIND_MEMORY }, 0 },
	};
	struct fixture *f = *state;

	add_module(f, "/srv/app", 7);
	add_module(f, "/srv/lib", 0); /* two files of the same name, in two containers */
	add_module(f, "/srv/lib", 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t n = 0;

		books_deinit(&f->books);
		for (uint32_t k = 0; k < 2; k++)
			add_code(f, 11 + k, 1 + k, cases[i].kinds[k], cases[i].frames[k][0], cases[i].frames[k][1]);
		vec_foreach(s, &f->books.stacks)
			s->stop = cases[i].stop;
		books_snapshot_begin(&f->snapshot, &f->books, NOW, 0);
		add_blocks(f, 1, 2, 1, 50);
		add_blocks(f, 2, 3, 1, 50);
		f->report = (struct report){ 0 };
		build(f, KINDS, 0);
		for (size_t k = 0; k < f->report.n_resources; k++)
			n += f->report.resources[k].n_stacks;
		if (n != 2)
			fail_msg("case %zu: %zu stacks", i, n);
	}
}

/* Recursion is folded: how deep it was is part of what the code has done. */
static void test_recursion_in_several_processes(void **state)
{
	const uint64_t times[] = { 70, 70, 71 };
	struct fixture *f = *state;

	add_module(f, "/srv/app", 7);
	for (uint32_t k = 0; k < 3; k++) {
		add_code(f, 11 + k, 1 + k, LT_KIND_MEMORY, LT_FRAME(1, 16), LT_FRAME(1, 32));
		f->books.stacks.items[k].frames[1] = FRAME_REPEAT(1, times[k]);
	}
	books_snapshot_begin(&f->snapshot, &f->books, NOW, 0);
	add_blocks(f, 1, 3, 1, 50);
	add_blocks(f, 2, 5, 1, 50);
	add_blocks(f, 3, 7, 1, 50);
	assert_int_equal(build(f, KINDS, 0)->resources[0].n_stacks, 2);
	assert_int_equal(f->report.resources[0].stacks[0].outstanding.count, 3 + 5);
	assert_int_equal(f->report.resources[0].stacks[1].pid, 13);
}

/* Twice in one process, where the system has mapped a file twice, is no reason to put it together. */
static void test_one_process_stays_as_it_is(void **state)
{
	struct fixture *f = *state;

	add_module(f, "/srv/app", 7);
	add_module(f, "/srv/copy", 7);
	add_code(f, 11, 1, LT_KIND_MEMORY, LT_FRAME(1, 16), LT_FRAME(1, 32));
	add_code(f, 11, 2, LT_KIND_MEMORY, LT_FRAME(2, 16), LT_FRAME(2, 32));
	add_code(f, 13, 3, LT_KIND_MEMORY, LT_FRAME(2, 16), LT_FRAME(2, 99));
	books_snapshot_begin(&f->snapshot, &f->books, NOW, 0);
	add_blocks(f, 1, 2, 1, 50);
	add_blocks(f, 2, 3, 1, 50);
	add_blocks(f, 3, 5, 1, 50);
	assert_int_equal(build(f, KINDS, 0)->resources[0].n_stacks, 3);
}

/* Each says whose it is; those with a note first, whoever holds them, then the oldest. */
static void test_items_of_several_processes(void **state)
{
	struct fixture *f = *state;
	struct report_stack *s;

	add_module(f, "/srv/app", 7);
	for (uint32_t k = 0; k < 2; k++)
		add_code(f, 11 + 2 * k, 1 + k, LT_KIND_FD, LT_FRAME(1, 16), LT_FRAME(1, 32));
	books_snapshot_begin(&f->snapshot, &f->books, NOW, 0);
	add_held(f, LT_KIND_FD, 1, 11, 3, 10);
	add_held(f, LT_KIND_FD, 2, 13, 5, 9);
	add_held(f, LT_KIND_FD, 2, 13, 50, 20);
	for (uint64_t id = 0; id < 7; id++)
		add_held(f, LT_KIND_FD, BOOKS_BEFORE, 11, 100 + id, 0);
	for (uint64_t id = 0; id < 2; id++)
		add_held(f, LT_KIND_FD, BOOKS_BEFORE, 13, 200 + id, 0);
	s = build(f, KINDS, 0)->resources[1].stacks;
	assert_int_equal(f->report.resources[1].n_stacks, 2);
	assert_int_equal(f->report.resources[1].n_stacks_all, 2);
	assert_int_equal(s[0].n_items, 3);
	assert_string_equal(s[0].items[0].text, "50 of 13");
	assert_int_equal(s[0].items[0].holder, 13);
	assert_string_equal(s[0].items[1].text, "5 of 13");
	assert_string_equal(s[0].items[2].text, "3 of 11");
	assert_int_equal(s[0].items[2].holder, 11);
	assert_int_equal(s[1].origin, ORIGIN_BEFORE);
	assert_int_equal(s[1].outstanding.count, 7 + 2);
	assert_int_equal(s[1].n_pids, 2);
	assert_int_equal(s[1].n_items, 9);
	assert_string_equal(s[1].items[0].text, "200 of 13");
	assert_int_equal(s[1].oldest_seconds, 5201);
	assert_int_equal(s[1].youngest_seconds, 5100);
}

/* What cannot be known of a part cannot be known of all. */
static void test_ages_of_several_processes(void **state)
{
	struct held_sum sum = { .count = 3, .amount = 3 };
	struct fixture *f = *state;
	struct report_stack *s;

	add_module(f, "/srv/app", 7);
	for (uint32_t k = 0; k < 2; k++)
		add_code(f, 11 + 2 * k, 1 + k, LT_KIND_MEMORY, LT_FRAME(1, 16), LT_FRAME(1, 32));
	books_snapshot_begin(&f->snapshot, &f->books, NOW, 0);
	add_blocks(f, 1, 5, 1, 50);
	books_snapshot_sum(&f->snapshot, 2, &sum);
	s = build(f, KINDS, 0)->resources[0].stacks;
	assert_int_equal(s->outstanding.count, 5 + 3);
	assert_true(s->oldest_seconds < 0 && s->youngest_seconds < 0);
}

/* What each process has of it is in its row, in all as much as there is; one that only the books know gets a row. */
static void test_shares_of_processes(void **state)
{
	struct report_process known[] = {
		{ .pid = 13, .comm = "second", .seconds = 5 },
		{ .pid = 11, .comm = "first", .seconds = 0.5 },
	};
	struct fixture *f = *state;
	struct report_process *p;
	double count, amount;
	uint64_t sum = 0;

	three_processes(f);
	add_code(f, 11, 5, LT_KIND_FD, LT_FRAME(1, 0x100), LT_FRAME(1, 0x400));
	add_held(f, LT_KIND_FD, 5, 11, 3, 10);
	for (uint64_t id = 0; id < 7; id++)
		add_held(f, LT_KIND_FD, BOOKS_BEFORE, 13, 100 + id, 0);
	for (uint64_t id = 0; id < 5; id++)
		add_held(f, LT_KIND_FD, BOOKS_UNSEEN, 13, 200 + id, 0);
	f->report.target.processes = known;
	f->report.target.n_processes = ARRAY_SIZE(known);
	build(f, KINDS, 1);
	p = f->report.target.processes;
	assert_int_equal(f->report.target.n_processes, 3);
	assert_string_equal(p[0].comm, "second");
	assert_int_equal(p[0].shares[0].acquired.count, 31);
	assert_int_equal(p[0].shares[0].released.count, 31);
	assert_int_equal(p[0].shares[0].outstanding.count, 0);
	assert_int_equal(p[0].shares[1].outstanding.count, 7 + 5);
	assert_int_equal(p[0].shares[1].before.count, 7);
	assert_int_equal(p[0].shares[1].unseen.amount, 5);
	assert_true(report_process_rate(&p[0], 1, &count, &amount));
	assert_true(count == 1 && amount == 1); /* 5 in 5 s */
	assert_string_equal(p[1].comm, "first");
	assert_int_equal(p[1].shares[0].outstanding.count, 17 + 53);
	assert_int_equal(p[1].shares[0].outstanding.amount, 17 * 3 + 53 * 2);
	assert_int_equal(p[1].shares[0].acquired.count, 29 + 53);
	assert_int_equal(p[1].shares[1].outstanding.count, 1);
	assert_false(report_process_rate(&p[1], 0, &count, &amount));
	assert_int_equal(p[2].pid, 17);
	assert_null(p[2].comm);
	assert_int_equal(p[2].shares[0].outstanding.amount, 19 * 5);
	for (size_t i = 0; i < 3; i++)
		sum += p[i].shares[0].outstanding.amount;
	assert_int_equal(sum, f->report.resources[0].outstanding.amount);
}

/* As many stacks as there can be, half of them the same in two processes. */
static void test_many_stacks(void **state)
{
	enum { N = 262144, DEPTH = 30 };
	struct fixture *f = *state;
	struct lt_event_stack *e = calloc(1, sizeof(*e) + DEPTH * sizeof(e->frames[0]));
	struct timespec begin, end;

	assert_non_null(e);
	add_module(f, "/srv/app", 7);
	e->head.type = LT_EVENT_STACK;
	e->kind = LT_KIND_MEMORY;
	e->n = DEPTH;
	for (uint64_t id = 1; id <= N; id++) {
		e->head.tgid = 11 + (id & 1);
		e->id = id;
		for (uint64_t k = 0; k < DEPTH; k++)
			e->frames[k] = LT_FRAME(1, 0x1000 + k * ((id + 1) / 2));
		books_event(&f->books, e, offsetof(struct lt_event_stack, frames) + DEPTH * sizeof(e->frames[0]));
	}
	free(e);
	books_snapshot_begin(&f->snapshot, &f->books, NOW, 0);
	for (uint64_t id = 1; id <= N; id++)
		add_blocks(f, id, 1, 1, 50);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	build(f, KINDS, 10);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	assert_int_equal(f->report.resources[0].n_stacks_all, N / 2);
	assert_int_equal(f->report.resources[0].stacks[0].outstanding.count, 2);
	assert_true(end.tv_sec - begin.tv_sec < 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_only_the_kinds_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sums_agree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shares, setup, teardown),
		cmocka_unit_test_setup_teardown(test_untraced_entries, setup, teardown),
		cmocka_unit_test_setup_teardown(test_items_are_chosen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kernel_frames, setup, teardown),
		cmocka_unit_test_setup_teardown(test_library_function_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(test_same_code_is_one_stack, setup, teardown),
		cmocka_unit_test_setup_teardown(test_per_process_splits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_not_the_same, setup, teardown),
		cmocka_unit_test_setup_teardown(test_recursion_in_several_processes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_process_stays_as_it_is, setup, teardown),
		cmocka_unit_test_setup_teardown(test_items_of_several_processes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ages_of_several_processes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shares_of_processes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_stacks, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
