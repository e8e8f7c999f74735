// SPDX-License-Identifier: Apache-2.0
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>
#include "sym/perfmap.h"
#include "sym/symbolizer.h"
#include "sym_fixture.h"

static void add(struct perfmap *m, const char *text)
{
	assert_int_equal(perfmap_parse(m, text, strlen(text)), strlen(text));
	assert_int_equal(perfmap_settle(m), 0);
}

static void expect(const struct perfmap *m, uint64_t address, const char *want)
{
	const char *got = perfmap_at(m, address);

	if (!want)
		assert_null(got);
	else
		assert_string_equal(got ? got : "nothing", want);
}

static void test_lines(void **state)
{
	struct perfmap m = { 0 };

	add(&m, "2000 10 LazyCompile:~with spaces /a/b.js:1:2\n"
		"0x1000 0x20 prefixed\n"
		"7fff12345678 8 high\n"
		"FFFFFFFFFFFFFFF0 e top\n"
		"3000 1 a\n"
		"3001 1 \xc3\xa9\n");
	expect(&m, 0xfff, NULL);
	expect(&m, 0x1000, "prefixed");
	expect(&m, 0x101f, "prefixed");
	expect(&m, 0x1020, NULL);
	expect(&m, 0x200f, "LazyCompile:~with spaces /a/b.js:1:2");
	expect(&m, 0x2010, NULL);
	expect(&m, 0x7fff1234567f, "high");
	expect(&m, 0xfffffffffffffff0, "top");
	expect(&m, 0xffffffffffffffff, NULL);
	expect(&m, 0x3000, "a");
	expect(&m, 0x3001, "\xc3\xa9");
	perfmap_deinit(&m);
	expect(&m, 0x1000, NULL);
}

static void test_bad_lines(void **state)
{
	static const char text[] =
		"\n \n1000\n1000 10\n1000 10 \n1000 0 empty\nxyz 10 no\n-1000 10 no\n"
		"1000 -10 no\n10000000000000000 10 long\n1000 11111111111111111 long\n"
		"ffffffffffffff00 200 wraps\n0x 10 no\n1000 0x no\n1000\t10 tab\n"
		"4000 10 na\0me\n5000 10 good\n6000 10 not yet";
	const size_t used = sizeof(text) - sizeof("6000 10 not yet");
	struct perfmap m = { 0 };

	assert_int_equal(perfmap_parse(&m, text, sizeof(text) - 1), used);
	assert_int_equal(perfmap_settle(&m), 0);
	assert_int_equal(m.n, 1);
	expect(&m, 0x5000, "good");
	perfmap_deinit(&m);
}

static void test_later_wins(void **state)
{
	struct perfmap m = { 0 };

	add(&m, "1000 100 first\n"
		"1040 40 inside\n"
		"10f0 20 tail\n"
		"1060 8 deeper\n"
		"2000 10 gone\n"
		"1f00 200 over\n");
	expect(&m, 0x1000, "first");
	expect(&m, 0x103f, "first");
	expect(&m, 0x1040, "inside");
	expect(&m, 0x1060, "deeper");
	expect(&m, 0x1068, "inside");
	expect(&m, 0x1080, "first");
	expect(&m, 0x10ef, "first");
	expect(&m, 0x10f0, "tail");
	expect(&m, 0x110f, "tail");
	expect(&m, 0x1110, NULL);
	expect(&m, 0x2005, "over");
	/* what comes in another reading is later still, and what it does not touch stays apart */
	add(&m, "1050 20 again\n"
		"3000 10 left\n3010 10 right\n");
	add(&m, "3008 1 middle\n");
	expect(&m, 0x104f, "inside");
	expect(&m, 0x1060, "again");
	expect(&m, 0x1070, "inside");
	expect(&m, 0x3007, "left");
	expect(&m, 0x3008, "middle");
	expect(&m, 0x3009, "left");
	expect(&m, 0x3010, "right");
	perfmap_deinit(&m);
}

/* Against the obvious way to do it: the last line that covers an address. */
static void test_random_overlaps(void **state)
{
	struct line {
		unsigned int start, size;
	} lines[300];
	struct perfmap m = { 0 };
	char text[64], want[16];
	unsigned int seed = 4711;

	for (int i = 0; i < 300; i++) {
		lines[i].start = rand_r(&seed) % 2000;
		lines[i].size = 1 + rand_r(&seed) % (rand_r(&seed) % 8 ? 40 : 700);
		snprintf(text, sizeof(text), "%x %x f%d\n", lines[i].start, lines[i].size, i);
		perfmap_parse(&m, text, strlen(text));
		if (i % 37 == 0)
			assert_int_equal(perfmap_settle(&m), 0);
	}
	assert_int_equal(perfmap_settle(&m), 0);
	for (unsigned int at = 0; at < 2800; at++) {
		int last = 299;

		while (last >= 0 && at - lines[last].start >= lines[last].size)
			last--;
		snprintf(want, sizeof(want), "f%d", last);
		expect(&m, at, last >= 0 ? want : NULL);
	}
	for (size_t i = 1; i < m.n; i++)
		assert_true(m.items[i - 1].end <= m.items[i].start);
	perfmap_deinit(&m);
}

/* Only another name for what was asked for, and had one, counts. */
static void test_overridden(void **state)
{
	struct perfmap m = { 0 };

	add(&m, "1000 10 one\n2000 10 two\n");
	for (int twice = 0; twice < 2; twice++) {
		assert_int_equal(perfmap_watch(&m, 0x2008), 0);
		assert_int_equal(perfmap_watch(&m, 0x1008), 0);
		assert_int_equal(perfmap_watch(&m, 0x3008), 0);
	}
	assert_int_equal(m.watched.n, 2);
	add(&m, "1000 8 before\n1009 8 behind\n3000 10 three\n1000 10 one\n");
	assert_int_equal(m.overridden, 0);
	add(&m, "1008 1 just there\n");
	assert_int_equal(m.overridden, 1);
	add(&m, "1008 1 just there\n0 10000 all\n");
	assert_int_equal(m.overridden, 3);
	perfmap_deinit(&m);
}

static void write_map(const char *path, const char *mode, const char *text)
{
	FILE *f = fopen(path, mode);

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static const char *jit_name(struct symbolizer *s, pid_t pid, uint64_t address)
{
	const char *name;
	uint64_t overridden;

	assert_int_equal(symbolizer_jit(s, pid, &address, 1, &name, &overridden), 0);
	return name ? name : "";
}

/* The map of this very process: not there, there, longer, rewritten, gone. */
static void test_refresh(void **state)
{
	struct symbolizer *s;
	const char *kept;
	char path[64];

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	unlink(path);
	assert_int_equal(symbolizer_create(&s), 0);
	assert_string_equal(jit_name(s, getpid(), 0x1000), "");
	write_map(path, "w", "1000 10 one\n2000 10 tw");
	kept = jit_name(s, getpid(), 0x1008);
	assert_string_equal(kept, "one");
	assert_string_equal(jit_name(s, getpid(), 0x2000), "");
	write_map(path, "a", "o\n1000 10 newer\n");
	assert_string_equal(jit_name(s, getpid(), 0x2000), "two");
	assert_string_equal(jit_name(s, getpid(), 0x1008), "newer");
	/* shorter: another map */
	write_map(path, "w", "3000 10 three\n");
	assert_string_equal(jit_name(s, getpid(), 0x3000), "three");
	assert_string_equal(jit_name(s, getpid(), 0x2000), "");
	/* longer, but not with the old one in front */
	write_map(path, "w", "4000 10 a much longer name than before\n5000 10 five\n");
	assert_string_equal(jit_name(s, getpid(), 0x5000), "five");
	assert_string_equal(jit_name(s, getpid(), 0x4000), "a much longer name than before");
	assert_string_equal(jit_name(s, getpid(), 0x3000), "");
	unlink(path);
	assert_string_equal(jit_name(s, getpid(), 0x5000), "five");
	/* names that were handed out live as long as the symbolizer */
	assert_string_equal(kept, "one");
	assert_string_equal(jit_name(s, 999999999, 0x1000), "");
	symbolizer_destroy(s);
}

/* Many addresses at once, and another name for one of them, also in a map that was written anew. */
static void test_again(void **state)
{
	const uint64_t at[] = { 0x1000, 0x2000, 0x3000 };
	const char *names[3];
	struct symbolizer *s;
	uint64_t overridden;
	char path[64];

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	assert_int_equal(symbolizer_create(&s), 0);
	write_map(path, "w", "1000 10 one\n2000 10 two\n");
	assert_int_equal(symbolizer_jit(s, getpid(), at, 3, names, &overridden), 0);
	assert_string_equal(names[0], "one");
	assert_string_equal(names[1], "two");
	assert_null(names[2]);
	assert_int_equal(overridden, 0);
	write_map(path, "a", "3000 10 three\n2000 10 other\n");
	assert_int_equal(symbolizer_jit(s, getpid(), at, 0, names, &overridden), 0);
	assert_int_equal(overridden, 1);
	write_map(path, "w", "1000 10 one\n2000 10 other\n");
	assert_int_equal(symbolizer_jit(s, getpid(), at, 0, names, &overridden), 0);
	assert_int_equal(overridden, 1);
	write_map(path, "w", "1000 10 new\n");
	assert_int_equal(symbolizer_jit(s, getpid(), at, 3, names, &overridden), 0);
	assert_string_equal(names[0], "new");
	assert_null(names[1]);
	assert_int_equal(overridden, 2);
	unlink(path);
	symbolizer_destroy(s);
}

/* Anybody can make a file in /tmp: one by another user than root or the process's is not read. */
static void test_owner(void **state)
{
	struct symbolizer *s;
	char path[64];

	if (geteuid())
		return;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	assert_int_equal(symbolizer_create(&s), 0);
	write_map(path, "w", "1000 10 fake\n");
	assert_int_equal(chown(path, 12345, 12345), 0);
	assert_string_equal(jit_name(s, getpid(), 0x1000), "");
	assert_int_equal(chown(path, 0, 0), 0);
	assert_string_equal(jit_name(s, getpid(), 0x1000), "fake");
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_string_equal(jit_name(s, getpid(), 0x1000), "fake");
	unlink(path);
	symbolizer_destroy(s);
}

/* A process that is the first of a PID namespace, with the directory `root` as its root: its number
 * here is written to `ready`. */
static void contained_process(const char *root, int ready)
{
	pid_t pid = unshare(CLONE_NEWPID) ? -1 : fork();

	if (!pid && (chroot(root) || chdir("/")))
		_exit(1);
	if (pid && write(ready, &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
	for (;;)
		pause();
}

/* It calls itself 1 and has a /tmp of its own. */
static void test_namespace(void **state)
{
	const struct sym_fixture *f = *state;
	struct symbolizer *s;
	pid_t pid, outer;
	int ready[2];
	char root[PATH_MAX], path[PATH_MAX + 32];

	if (geteuid())
		return;
	fixture_run(f, "mkdir -p root/tmp");
	snprintf(root, sizeof(root), "%s/root", f->dir);
	snprintf(path, sizeof(path), "%s/tmp/perf-1.map", root);
	write_map(path, "w", "1000 10 contained\n");
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	outer = fork();
	if (!outer)
		contained_process(root, ready[1]);
	assert_int_equal(read(ready[0], &pid, sizeof(pid)), sizeof(pid));
	assert_true(pid > 0);
	assert_int_equal(symbolizer_create(&s), 0);
	/* until it has changed its root */
	for (int i = 0; i < 5000 && !*jit_name(s, pid, 0x1000); i++)
		usleep(1000);
	assert_string_equal(jit_name(s, pid, 0x1000), "contained");
	symbolizer_destroy(s);
	kill(pid, SIGKILL);
	kill(outer, SIGKILL);
	waitpid(outer, NULL, 0);
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_later_wins),
		cmocka_unit_test(test_random_overlaps),
		cmocka_unit_test(test_overridden),
		cmocka_unit_test(test_refresh),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_owner),
		cmocka_unit_test_setup_teardown(test_namespace, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
