// SPDX-License-Identifier: Apache-2.0
/* What goes wrong in the helper that reads symbols costs the names of that module, and is told. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "sym/names.h"

struct fixture {
	char dir[64];
	char file[96]; /* a copy of the program */
	uint64_t vaddr; /* of find_me() */
	struct left_out left_out;
	struct names *names;
	struct module module, copy;
};

extern const char __executable_start[]; /* by the linker: where the program is loaded */
static char no_root[] = "", program[] = "/srv/program";

/* What is looked for, in copies of this very program: it has all there is of symbols. */
void find_me(void);
__attribute__((noinline)) void find_me(void)
{
	__asm__ volatile("");
}

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void copy_file(const char *from, const char *to)
{
	_cleanup_close_ int in = open_file(from), out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct stat st;

	assert_true(out >= 0);
	assert_int_equal(fstat(in, &st), 0);
	assert_int_equal(sendfile(out, in, NULL, (size_t)st.st_size), st.st_size);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->dir, "/tmp/test_names.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->file, sizeof(f->file), "%s/copy.so", f->dir);
	f->vaddr = (uint64_t)((uintptr_t)find_me - (uintptr_t)__executable_start);
	copy_file("/proc/self/exe", f->file);
	assert_int_equal(names_create(&f->left_out, &f->names), 0);
	f->module = (struct module){ .id = 1, .path = program, .root = no_root, .fd = open_file("/proc/self/exe"),
				     .copy = -1 };
	f->copy = (struct module){ .id = 2, .path = f->file, .root = no_root, .fd = open_file(f->file),
				   .copy = -1 };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	names_destroy(f->names);
	left_out_deinit(&f->left_out);
	close(f->module.fd);
	close(f->copy.fd);
	unlink(f->file);
	rmdir(f->dir);
	free(f);
	return 0;
}

static void check_found(struct fixture *f, const struct module *m)
{
	struct symbol got[SYMBOLS_MAX];

	assert_int_equal(names_module(f->names, m, f->vaddr, got), 1);
	assert_non_null(got[0].function);
	assert_string_equal(got[0].function, "find_me");
}

static void test_finds(void **state)
{
	struct fixture *f = *state;
	struct symbol got[SYMBOLS_MAX];

	check_found(f, &f->module);
	check_found(f, &f->module);
	assert_int_equal(names_module(f->names, &f->module, UINT32_MAX, got), 0); /* beyond it */
	assert_int_equal(f->left_out.n, 0);
}

/* The helper ends with SIGBUS. What it knew of others is read again. */
static void test_a_file_that_shrinks(void **state)
{
	struct fixture *f = *state;
	struct symbol got[SYMBOLS_MAX];

	check_found(f, &f->copy);
	check_found(f, &f->module);
	assert_int_equal(truncate(f->file, 4096), 0);
	for (uint64_t at = f->vaddr + 2; at < f->vaddr + 1000000; at += 4096)
		assert_int_equal(names_module(f->names, &f->copy, at, got), 0);
	check_found(f, &f->copy); /* what was found before holds */
	check_found(f, &f->module);
	assert_true(f->left_out.n >= 1);
	assert_string_equal(f->left_out.items[0].of, f->file);
}

static void test_a_file_that_cannot_be_opened(void **state)
{
	struct fixture *f = *state;
	struct module gone = { .id = 3, .path = f->file, .root = no_root, .fd = -1, .copy = -1 };
	struct symbol got[SYMBOLS_MAX];

	assert_int_equal(names_module(f->names, &gone, f->vaddr + 1, got), 0);
	assert_int_equal(names_module(f->names, &gone, f->vaddr + 2, got), 0);
	assert_int_equal(f->left_out.n, 2); /* its debug information, its symbols */
	check_found(f, &f->module);
}

/* What was asked ahead is there when it is needed, and so is what another question finds after it. */
static void test_ahead(void **state)
{
	struct fixture *f = *state;
	int calls = 0;

	assert_true(names_ahead(f->names, &f->module, f->vaddr));
	while (!names_ahead(f->names, &f->copy, f->vaddr)) { /* until the first answer is there */
		assert_in_range(calls++, 0, 10000);
		usleep(1000);
	}
	check_found(f, &f->copy);
	check_found(f, &f->module);
	assert_true(names_ahead(f->names, &f->copy, f->vaddr + 1)); /* it is open already */
	assert_int_equal(f->left_out.n, 0);
}

/* What is asked ahead does not wait for modules, and what is asked meanwhile does not wait for long. */
static void test_jits_ahead(void **state)
{
	struct fixture *f = *state;
	struct jit_names *j = names_of_jits(f->names);
	const struct jit_question q = { .pid = getpid(), .n = 2, .addresses = { 0x1008, 0x5000 } };
	struct symbol got[SYMBOLS_MAX];
	struct jit_question kept;
	struct jit_answer a;
	char path[64];
	FILE *map;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	map = fopen(path, "we");
	assert_non_null(map);
	fputs("1000 10 compiled\n", map);
	fclose(map);
	assert_true(names_ahead(f->names, &f->module, f->vaddr));
	assert_int_equal(jit_names_ask(j, &q), 0);
	assert_int_equal(jit_names_take(j, 10000, &a), 0);
	assert_string_equal(a.names[0], "compiled");
	assert_null(a.names[1]);
	assert_int_equal(jit_names_ask(j, &q), 0);
	assert_int_equal(names_jit(f->names, getpid(), 0x1001, got), 1);
	assert_string_equal(got[0].function, "compiled");
	assert_false(j->asked);
	assert_int_equal(jit_names_take_kept(j, &kept, &a), 0);
	assert_int_equal(kept.n, 2);
	assert_string_equal(a.names[0], "compiled");
	assert_int_equal(jit_names_take_kept(j, &kept, &a), -ENOENT);
	assert_int_equal(names_jit(f->names, getpid(), 0x5000, got), 0);
	unlink(path);
	check_found(f, &f->module);
}

/* Time that something else has taken is not the names' fault: what is found at once is found. What takes long is
 * left out: tests/e2e/hostile-debuginfo.t. */
static void test_time_is_over_before_it_begins(void **state)
{
	struct fixture *f = *state;
	const _Atomic uint64_t past = 1;

	check_found(f, &f->module);
	assert_true(names_ahead(f->names, &f->copy, f->vaddr + 1));
	names_begin(f->names, &past);
	check_found(f, &f->copy);
	assert_int_equal(f->left_out.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_finds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_file_that_shrinks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_file_that_cannot_be_opened, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ahead, setup, teardown),
		cmocka_unit_test_setup_teardown(test_jits_ahead, setup, teardown),
		cmocka_unit_test_setup_teardown(test_time_is_over_before_it_begins, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
