// SPDX-License-Identifier: Apache-2.0
/*
 * Reports made here against the files in tests/golden, which are read by people and by the schema's
 * validator as well. UPDATE_GOLDEN=1 rewrites them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "report/shorten.h"
#include "report/writer.h"
#include "go_report_fixture.h"
#include "processes_fixture.h"
#include "report_fixture.h"

#define LIBC                                             \
	.module = "/usr/lib/x86_64-linux-gnu/libc.so.6", \
	.build_id = "c047672cae7964324658491e7dee26748ae5d2f8"
#define SRV   .module = "/srv/server", .build_id = "5d3cab12"
#define START { .tv_sec = 1795255200 } /* 2026-11-21T10:00:00Z */

static struct report_frame leak_frames[] = {
	{ .function = "leaky", .file = "/src/leak.c", .line = 6, SRV, .offset = 0x11a9,
	  .address = 0x55cde0dfe1a9 },
	{ .function = "append", .file = "/src/list.h", .line = 88, .inlined = true, SRV,
	  .offset = 0x1203, .address = 0x55cde0dfe203 },
	{ .function = "handle_request", .file = "/src/server.c", .line = 120, SRV,
	  .offset = 0x1203, .address = 0x55cde0dfe203 },
	{ .function = "main", .file = "/src/server.c", .line = 300, SRV, .offset = 0x1300,
	  .address = 0x55cde0dfe300 },
	{ .function = "__libc_start_call_main", LIBC, .offset = 0x2724a, .address = 0x7f0fcd72724a },
	{ .function = "_start", SRV, .offset = 0x10b1, .address = 0x55cde0dfe0b1 },
};

static struct report_frame walk_frames[] = {
	{ .function = "xmalloc", .file = "/src/util.c", .line = 9, SRV, .offset = 0x1400,
	  .address = 0x55cde0dfe400 },
	{ .function = "walk", .file = "/src/tree.c", .line = 31, SRV, .offset = 0x1500,
	  .address = 0x55cde0dfe500 },
	{ .function = "walk", .file = "/src/tree.c", .line = 31, SRV, .offset = 0x1500,
	  .address = 0x55cde0dfe500 },
	{ .function = "walk", .file = "/src/tree.c", .line = 31, SRV, .offset = 0x1500,
	  .address = 0x55cde0dfe500 },
	{ .module = "/opt/vendor/libblob.so", .offset = 0x9f10, .address = 0x7f0fcd009f10 },
	{ .address = 0x7f0fcd900010 },
};

static struct report_stack leak_stacks[] = {
	{ .id = 0x9f2c41d07be35a18, .pid = 4242, .via = "malloc", .outstanding = { 129, 16529 },
	  .acquired = { 129, 16529 }, .oldest_seconds = 4.8, .youngest_seconds = 0.0314,
	  .verdict = VERDICT_GROWING, .complete = true, .frames = leak_frames,
	  .n_frames = ARRAY_SIZE(leak_frames) },
	{ .id = 0x1, .pid = 4242, .via = "calloc", .outstanding = { 1, 9254 },
	  .acquired = { 9001, 9000000 }, .released = { 9000, 8990746 }, .oldest_seconds = 312,
	  .youngest_seconds = 312, .stop = "the module carries no unwind information for the address",
	  .frames = walk_frames, .n_frames = ARRAY_SIZE(walk_frames) },
};

static struct report_resource leak_memory = {
	.kind = "memory", .unit = "bytes", .outstanding = { 211, 27008 },
	.acquired = { 9211, 9900000 }, .released = { 9000, 9872992 }, .stacks = leak_stacks,
	.n_stacks = 2, .n_stacks_all = 33, .shown = { 130, 25783 },
};

#define OWN(words, bytes)                                                                          \
	{ .pid = 4242, .via = "malloc", .outstanding = { 1, (bytes) }, .acquired = { 1, (bytes) },         \
	  .oldest_seconds = 9, .complete = true, .furniture = (words) }

/* What the runtimes keep is last, and what is of one sort together. */
static struct report_stack furnished_stacks[] = {
	{ .pid = 4242, .via = "malloc", .outstanding = { 3, 177 }, .acquired = { 3, 177 }, .oldest_seconds = 9,
	  .complete = true, .frames = leak_frames, .n_frames = ARRAY_SIZE(leak_frames) },
	OWN("what libstdc++ keeps for exceptions", 72704),
	OWN("a buffer of stdio", 4096),
	OWN("tables of the dynamic loader", 1200),
	OWN("a buffer of stdio", 1024),
};

static struct report_resource furnished_memory = {
	.kind = "memory", .unit = "bytes", .outstanding = { 7, 79201 }, .acquired = { 7, 79201 },
	.stacks = furnished_stacks, .n_stacks = 5, .n_furniture = 4, .n_stacks_all = 5, .shown = { 7, 79201 },
};

static pid_t one_pid[] = { 4242 };

static const struct report furnished = {
	.target = { .pids = one_pid, .n_pids = 1, .comm = "server", .exe = "/srv/server" },
	.window = { START, 10.0 },
	.coverage = { .exact = true, .sample_bytes = 1, .overhead_percent = 1.7, .probe_hits = 7,
		      .unmatched_known = true, .stacks_complete = 5 },
	.resources = &furnished_memory,
	.n_resources = 1,
};

static const struct report leak = {
	.target = { .pids = one_pid, .n_pids = 1, .comm = "server", .exe = "/srv/server" },
	.window = { START, 10.0 },
	.coverage = { .exact = true, .sample_bytes = 1, .overhead_percent = 1.7,
		      .overhead_core_percent = 0.52,
		      .probe_hits = 120034, .unmatched_known = true, .unmatched_releases = 12,
		      .unseen_processes = 7, .unseen_most_ms = 53.1,
		      .untraced_children = 1031, .brief_children = 1001, .refused_children = 3,
		      .refused_why = "pid 77: a 32-bit process; leaktrace traces 64-bit processes only",
		      .stacks_complete = 41, .stacks_truncated = 1,
		      .held = { 1720, 81, 12 }, .acquired = { 9000, 211, 12 },
		      .stops = { [LT_STOP_NO_TABLE] = 1 } },
	.resources = &leak_memory, .n_resources = 1,
};

/* -- recursion -------------------------------------------------------------------------------- */

static struct report_frame direct_frames[] = {
	{ .function = "node_new", .file = "/src/tree.c", .line = 9, SRV, .offset = 0x1400,
	  .address = 0x55cde0dfe400 },
	{ .function = "insert", .file = "/src/tree.c", .line = 31, SRV, .offset = 0x1500,
	  .address = 0x55cde0dfe500, .repeats = 744, .cycle = 1 },
	{ .function = "main", .file = "/src/server.c", .line = 300, SRV, .offset = 0x1300,
	  .address = 0x55cde0dfe300 },
};

/* One that is not deep is counted as well, with what is left of a cycle that did not come to its end. */
static struct report_frame cycle_frames[] = {
	{ .function = "node_new", .file = "/src/tree.c", .line = 9, SRV, .offset = 0x1400,
	  .address = 0x55cde0dfe400 },
	{ .function = "walk", .file = "/src/tree.c", .line = 31, SRV, .offset = 0x1600,
	  .address = 0x55cde0dfe600 },
	{ .function = "walk", .file = "/src/tree.c", .line = 31, SRV, .offset = 0x1600,
	  .address = 0x55cde0dfe600 },
	{ .function = "value", .file = "/src/parse.c", .line = 31, .inlined = true, SRV, .offset = 0x1500,
	  .address = 0x55cde0dfe500 },
	{ .function = "list", .file = "/src/parse.c", .line = 40, SRV, .offset = 0x1500,
	  .address = 0x55cde0dfe500, .repeats = 371, .cycle = 2 },
	{ .function = "value", .file = "/src/parse.c", .line = 31, .inlined = true, SRV, .offset = 0x1500,
	  .address = 0x55cde0dfe500 },
	{ .function = "main", .file = "/src/server.c", .line = 300, SRV, .offset = 0x1300,
	  .address = 0x55cde0dfe300 },
};

static struct report_stack deep_stacks[] = {
	{ .id = 0xd1, .pid = 4242, .via = "malloc", .outstanding = { 13, 1300 }, .acquired = { 13, 1300 },
	  .oldest_seconds = 9, .complete = true, .frames = direct_frames,
	  .n_frames = ARRAY_SIZE(direct_frames) },
	{ .id = 0xd2, .pid = 4242, .via = "malloc", .outstanding = { 7, 70 }, .acquired = { 7, 70 },
	  .oldest_seconds = 9, .complete = true, .frames = cycle_frames,
	  .n_frames = ARRAY_SIZE(cycle_frames) },
};

static struct report_resource deep_memory = {
	.kind = "memory", .unit = "bytes", .outstanding = { 20, 1370 }, .acquired = { 20, 1370 },
	.stacks = deep_stacks, .n_stacks = 2, .n_stacks_all = 2, .shown = { 20, 1370 },
};

static const struct report deep = {
	.target = { .pids = one_pid, .n_pids = 1, .comm = "server", .exe = "/srv/server" },
	.window = { START, 10.0 },
	.coverage = { .exact = true, .sample_bytes = 1, .overhead_percent = 1.7, .probe_hits = 20,
		      .unmatched_known = true, .stacks_complete = 2 },
	.resources = &deep_memory,
	.n_resources = 1,
};

/* -- nothing to show -------------------------------------------------------------------------- */

static struct report_resource clean_memory = {
	.kind = "memory", .unit = "bytes", .acquired = { 9211, 900000 }, .released = { 9211, 900000 },
};

static const struct report clean = {
	.target = { .pids = one_pid, .n_pids = 1, .comm = "server", .exe = "/srv/server",
		    .ended = "exited with status 0" },
	.window = { START, 0.75 },
	.coverage = { .exact = true, .sample_bytes = 1, .overhead_percent = 0.04,
		      .overhead_core_percent = 0.016,
		      .probe_hits = 18422, .unmatched_known = true, .stacks_complete = 7 },
	.resources = &clean_memory, .n_resources = 1,
};

static struct report_resource idle_memory = { .kind = "memory", .unit = "bytes" };

static const struct report idle = {
	.target = { .pids = one_pid, .n_pids = 1 },
	.window = { START, 90061 },
	.coverage = { .exact = true, .sample_bytes = 1, .overhead_percent = -1,
		      .overhead_core_percent = -1,
		      .unmatched_known = true },
	.resources = &idle_memory, .n_resources = 1,
};

static struct report_resource filtered_memory = {
	.kind = "memory", .unit = "bytes", .acquired = { 10, 1000 }, .released = { 8, 800 },
};

static const struct report filtered = {
	.target = { .pids = one_pid, .n_pids = 1, .comm = "server" },
	.window = { START, 60 },
	.filter = "held for longer than 30.0 s; of 1.0 KiB or more",
	.coverage = { .exact = true, .sample_bytes = 1, .overhead_percent = -1,
		      .overhead_core_percent = 0.04, .probe_hits = 18 },
	.resources = &filtered_memory, .n_resources = 1,
};

/* -- foreign names, losses, long names -------------------------------------------------------- */

static struct report_frame hostile_frames[] = {
	{ .function = "evil\033[2J\033]0;owned\007name", .file = "/tmp/\n#1 100 % fake\r.c",
	  .line = 1, .module = "/tmp/\xe2\x80\xae" "dne.so", .offset = 0x10 },
	{ .function = "latin\xe9 \xed\xa0\x80 \xf0\x9f\x92\xa7 caf\xc3\xa9 \"quoted\" \\back",
	  .file = "/tmp/\x7f\xc2\x9b.c", .line = 4294967295U, .module = "/tmp/a\tb.so" },
	{ .function = "std::vector<std::map<std::basic_string<char, std::char_traits<char>, "
		      "std::allocator<char> >, std::shared_ptr<app::Session> > >::_M_realloc_insert<"
		      "std::map<std::basic_string<char>, int> const&>(__gnu_cxx::__normal_iterator<"
		      "std::map<int, int>*, std::vector<int> >, std::map<int, int> const&)",
	  .file = "/usr/include/x86_64-linux-gnu/c++/12/bits/very/deep/directory/vector.tcc",
	  .line = 459, .inlined = true, .module = "/usr/lib/libwith-a-very-long-name-indeed.so.1.2.3" },
	{ .function = "<alloc::vec::Vec<T,A> as core::iter::traits::collect::Extend<T>>::extend",
	  .file = "/rustc/9fc6b43126469e3858e2fe86cafb4f0fd5068869/library/alloc/src/vec/mod.rs",
	  .line = 2924, .module = "/srv/rust" },
	{ .function = "(anonymous namespace)::operator<<(std::ostream&, (anonymous namespace)::T)",
	  .module = "/srv/rust", .offset = 0xffffffffffffffff },
	{ .function = "", .file = "", .module = "" },
	{ 0 },
};

static struct report_stack hostile_stacks[] = {
	{ .id = UINT64_MAX, .pid = 7, .via = "\033[31mmalloc", .outstanding = { UINT64_MAX, UINT64_MAX },
	  .acquired = { UINT64_MAX, UINT64_MAX }, .released = { 1, 1 }, .oldest_seconds = 1e18,
	  .verdict = VERDICT_LOST, .stop = "for\033[31m a\nreason",
	  .frames = hostile_frames, .n_frames = ARRAY_SIZE(hostile_frames) },
	{ .id = 0, .pid = 8, .via = "", .complete = true, .verdict = VERDICT_YOUNG },
};

static struct report_stack fd_stacks[] = {
	{ .id = 3, .pid = 7, .via = "accept4", .outstanding = { 1031, 1031 },
	  .acquired = { 2000, 2000 }, .released = { 969, 969 }, .oldest_seconds = 3599.7,
	  .verdict = VERDICT_HELD, .complete = true, .frames = leak_frames, .n_frames = 1 },
};

static struct report_resource hostile_resources[] = {
	{ .kind = "memory", .unit = "bytes", .outstanding = { UINT64_MAX, UINT64_MAX },
	  .acquired = { UINT64_MAX, UINT64_MAX }, .released = { 1, 1 }, .stacks = hostile_stacks,
	  .n_stacks = 2, .n_stacks_all = 3, .shown = { UINT64_MAX - 1, UINT64_MAX - 1 } },
	{ .kind = "fd", .unit = "descriptors", .outstanding = { 1031, 1031 },
	  .acquired = { 2000, 2000 }, .released = { 969, 969 }, .stacks = fd_stacks,
	  .n_stacks = 1, .n_stacks_all = 1, .shown = { 1031, 1031 } },
};

static pid_t many_pids[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };

static const struct report hostile = {
	.target = { .pids = many_pids, .n_pids = ARRAY_SIZE(many_pids), .comm = "ev\033il\n",
		    .exe = "/tmp/\033[2Jx", .cgroup = "/sys/fs/cgroup/a\nb", .container = "web-1",
		    .ended = "killed by signal 11 (Segmentation fault)" },
	.window = { START, 3661.5 },
	.coverage = { .sample_bytes = 524288, .overhead_percent = 12.345,
		      .overhead_core_percent = 24.69, .probe_hits = 1,
		      .lost = { 3, 2, 0, 1 }, .stacks_complete = 0, .stacks_truncated = 6,
		      .stops = { [LT_STOP_NO_MAPPING] = 1, [LT_STOP_TOO_DEEP] = 5 } },
	.resources = hostile_resources, .n_resources = 2,
};

/* -- golden files ----------------------------------------------------------------------------- */

static const struct golden {
	const char *file, *format;
	const struct report *report, *next;
	struct report_style style;
} goldens[] = {
	{ "leak.txt", "text", &leak, NULL, { 0 } },
	{ "leak-80.txt", "text", &leak, NULL, { .width = 80 } },
	{ "leak-colour.txt", "text", &leak, NULL, { .colour = true, .width = 100 } },
	{ "leak.json", "json", &leak, NULL, { 0 } },
	{ "leak.jsonl", "json", &leak, &clean, { .one_line = true } },
	{ "furnished.txt", "text", &furnished, NULL, { 0 } },
	{ "furnished-60.txt", "text", &furnished, NULL, { .width = 60 } },
	{ "furnished.json", "json", &furnished, NULL, { 0 } },
	{ "deep.txt", "text", &deep, NULL, { 0 } },
	{ "deep-60.txt", "text", &deep, NULL, { .width = 60 } },
	{ "deep.json", "json", &deep, NULL, { 0 } },
	{ "clean.txt", "text", &clean, NULL, { 0 } },
	{ "idle.txt", "text", &idle, NULL, { 0 } },
	{ "idle.json", "json", &idle, NULL, { 0 } },
	{ "filtered.txt", "text", &filtered, NULL, { .width = 80 } },
	{ "filtered.json", "json", &filtered, NULL, { 0 } },
	{ "hostile.txt", "text", &hostile, NULL, { 0 } },
	{ "hostile-100.txt", "text", &hostile, NULL, { .width = 100 } },
	{ "hostile-60.txt", "text", &hostile, NULL, { .width = 60 } },
	{ "hostile-24.txt", "text", &hostile, NULL, { .width = 24 } },
	{ "hostile.json", "json", &hostile, NULL, { 0 } },
	{ "held.txt", "text", &held, NULL, { 0 } },
	{ "held-80.txt", "text", &held, NULL, { .width = 80 } },
	{ "held-colour.txt", "text", &held, NULL, { .colour = true, .width = 120 } },
	{ "held.json", "json", &held, NULL, { 0 } },
	{ "go.txt", "text", &go, NULL, { 0 } },
	{ "go-80.txt", "text", &go, NULL, { .width = 80 } },
	{ "go.json", "json", &go, NULL, { 0 } },
	{ "lonely.txt", "text", &lonely, NULL, { .width = 100 } },
	{ "lonely.json", "json", &lonely, NULL, { 0 } },
	{ "fleet.txt", "text", &fleet, NULL, { .width = 100 } },
	{ "fleet-60.txt", "text", &fleet, NULL, { .width = 60 } },
	{ "fleet.json", "json", &fleet, NULL, { 0 } },
	{ "scoped.txt", "text", &scoped, NULL, { .width = 100 } },
	{ "scoped.json", "json", &scoped, NULL, { 0 } },
	{ "awaited.txt", "text", &awaited, NULL, { .width = 100 } },
	{ "awaited.json", "json", &awaited, NULL, { 0 } },
	{ "crowd.txt", "text", &crowd, NULL, { .width = 100 } },
	{ "quiet.txt", "text", &quiet, NULL, { 0 } },
	{ "quiet.json", "json", &quiet, NULL, { 0 } },
	{ "vile.txt", "text", &vile, NULL, { 0 } },
	{ "vile-100.txt", "text", &vile, NULL, { .width = 100 } },
	{ "vile.json", "json", &vile, NULL, { 0 } },
};

/* The report as written; the caller frees it. */
static char *written(const char *format, const struct report *r, const struct report *next,
		     const struct report_style *style)
{
	const struct report_writer *w = report_writer_by_name(format);
	char *s = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&s, &n);

	assert_non_null(w);
	assert_non_null(f);
	assert_int_equal(w->write(r, style, f), 0);
	if (next)
		assert_int_equal(w->write(next, style, f), 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(strlen(s), n);
	return s;
}

static char *read_file(const char *path)
{
	struct strbuf b = { 0 };
	FILE *f = fopen(path, "re");
	char buf[4096];
	size_t n;

	if (!f)
		fail_msg("%s cannot be read; run from the top of the tree", path);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		strbuf_add(&b, buf, n);
	fclose(f);
	return strbuf_steal(&b);
}

static void golden_check(const struct golden *g)
{
	_cleanup_free_ char *got = written(g->format, g->report, g->next, &g->style), *want = NULL;
	char path[256];

	snprintf(path, sizeof(path), "tests/golden/%s", g->file);
	if (getenv("UPDATE_GOLDEN")) {
		FILE *f = fopen(path, "we");

		assert_non_null(f);
		assert_true(fputs(got, f) >= 0);
		assert_int_equal(fclose(f), 0);
	}
	want = read_file(path);
	if (strcmp(got, want))
		print_message("%s differs; UPDATE_GOLDEN=1 rewrites it\n", path);
	assert_string_equal(got, want);
}

static void test_golden_files(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(goldens); i++)
		golden_check(&goldens[i]);
}

/* -- what holds for every report -------------------------------------------------------------- */

static const struct report *const all[] = { &leak, &furnished, &deep, &clean, &idle, &filtered, &hostile,
					   &held, &quiet, &vile, &go, &lonely, &fleet, &crowd, &scoped, &awaited };

/* Only whole code points, and of the control characters only the newline. */
static void assert_printable(const char *s)
{
	uint32_t c;

	while ((c = utf8_next(&s)))
		if (c == UTF8_INVALID || (c < 0x20 && c != '\n') || (c >= 0x7f && c < 0xa0) ||
		    c == 0x202e)
			fail_msg("U+%04X in the output", c);
}

static void test_text_is_safe_and_fits(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		for (unsigned int width = 84; width <= 160; width++) {
			struct report_style style = { .width = width };
			_cleanup_free_ char *s = written("text", all[i], NULL, &style);

			assert_printable(s);
			for (char *line = strtok(s, "\n"); line; line = strtok(NULL, "\n"))
				if (utf8_columns(line) > width)
					fail_msg("wider than %u: %s", width, line);
		}
	}
}

static void test_line_numbers_survive_any_width(void **state)
{
	for (unsigned int width = 1; width < 120; width++) {
		struct report_style style = { .width = width };
		_cleanup_free_ char *s = written("text", &hostile, NULL, &style);

		assert_non_null(strstr(s, ":4294967295"));
		assert_non_null(strstr(s, ":459"));
		assert_non_null(strstr(s, ":2924"));
		assert_non_null(strstr(s, "+0xffffffffffffffff"));
	}
}

static void test_json_is_one_line(void **state)
{
	struct report_style style = { .one_line = true };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		_cleanup_free_ char *s = written("json", all[i], NULL, &style);

		assert_printable(s);
		assert_ptr_equal(strchr(s, '\n'), s + strlen(s) - 1);
	}
}

static void test_full_disk_is_an_error(void **state)
{
	for (size_t i = 0; report_writers()[i]; i++) {
		struct report_style style = { 0 };
		FILE *f = fopen("/dev/full", "we");

		assert_non_null(f);
		assert_int_equal(report_writers()[i]->write(&leak, &style, f), -EIO);
		fclose(f);
	}
}

static void test_writers_are_found(void **state)
{
	assert_ptr_equal(report_writer_by_name("json"), &report_writer_json);
	assert_ptr_equal(report_writer_by_path("a.b/c.json"), &report_writer_json);
	assert_ptr_equal(report_writer_by_path("c.txt"), &report_writer_text);
	assert_null(report_writer_by_name("jso"));
	assert_null(report_writer_by_name(""));
	assert_null(report_writer_by_path("json"));
	assert_null(report_writer_by_path(".json"));
	assert_null(report_writer_by_path("c.json.gz"));
}

/* -- names ------------------------------------------------------------------------------------ */

static const struct {
	void (*shorten)(struct strbuf *, const char *, size_t);
	const char *text;
	size_t width;
	const char *want;
} names[] = {
	{ shorten_middle, "abcdefghij", 10, "abcdefghij" },
	{ shorten_middle, "abcdefghij", 9, "ab...ghij" },
	{ shorten_middle, "abcdefghij", 3, "abc" },
	{ shorten_middle, "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 4, "...\xc3\xa9" },
	{ shorten_function, "f(int, char const*)", 0, "f(int, char const*)" },
	{ shorten_function, "f(int, char const*)", 18, "f(...)" },
	{ shorten_function, "f<a<b, c>, d>::g(int)", 20, "f<a<...>, d>::g(int)" },
	{ shorten_function, "f<a<b, c>, d>::g(int)", 19, "f<...>::g(int)" },
	{ shorten_function, "f<a<b, c>, d>::g(int)", 8, "f...int)" },
	{ shorten_function, "a::operator<<(std::ostream&)", 20, "a::operator<<(...)" },
	{ shorten_function, "f(int (*)(int) -> int, long)", 20, "f(...)" },
	{ shorten_function, "f<unclosed, and, long", 8, "f<..." },
	{ shorten_function, ">>>>)))", 4, "...)" },
	{ shorten_path, "/usr/src/a/b/c.c", 16, "/usr/src/a/b/c.c" },
	{ shorten_path, "/usr/src/a/b/c.c", 15, "/usr/.../b/c.c" },
	{ shorten_path, "/usr/src/a/b/c.c", 9, ".../b/c.c" },
	{ shorten_path, "/usr/src/a/b/c.c", 7, ".../c.c" },
	{ shorten_path, "/usr/src/a/b/long.c", 6, "long.c" },
	{ shorten_path, "/usr/src/a/b/long.c", 5, "....c" },
	{ shorten_path, "/", 1, "/" },
	{ shorten_path, "", 1, "" },
};

static void test_names_are_shortened(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(strbuf_deinit) struct strbuf b = { 0 };

		names[i].shorten(&b, names[i].text, names[i].width);
		assert_string_equal(b.s ? b.s : "", names[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_files),
		cmocka_unit_test(test_text_is_safe_and_fits),
		cmocka_unit_test(test_line_numbers_survive_any_width),
		cmocka_unit_test(test_json_is_one_line),
		cmocka_unit_test(test_full_disk_is_an_error),
		cmocka_unit_test(test_writers_are_found),
		cmocka_unit_test(test_names_are_shortened),
	};

	crowd_fill();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
