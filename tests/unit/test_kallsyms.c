// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "report/machinery.h"
#include "sym/kernel.h"

static struct kallsyms parsed(const char *text)
{
	struct kallsyms k = { 0 };

	assert_int_equal(kallsyms_parse(&k, text, strlen(text)), strlen(text));
	assert_int_equal(kallsyms_settle(&k), 0);
	return k;
}

static void assert_place(const struct kallsyms *k, uint64_t address, const char *function,
			 const char *module, uint64_t offset)
{
	struct kernel_place p = kallsyms_at(k, address);

	if (function)
		assert_string_equal(p.function, function);
	else
		assert_null(p.function);
	assert_string_equal(p.module, module);
	assert_int_equal(p.offset, offset);
}

/* The byte before a return address is the call's. */
static void test_places(void **state)
{
	struct kallsyms k = parsed("ffffffff81000000 T _text\n"
				   "ffffffff81001000 t do_sys_openat2\n"
				   "ffffffff81002000 D not_code\n"
				   "ffffffff81003000 W weak\n"
				   "ffffffffc0400100 t second\t[nf_tables]\n"
				   "ffffffffc0400000 t first\t[nf_tables]\n"
				   "ffffffffc0500000 t bpf_prog_6deef7357e7b4530_x\t[bpf]\n");

	assert_int_equal(k.text, 0xffffffff81000000);
	assert_place(&k, 0xffffffff81001001, "do_sys_openat2", "[kernel]", 0x1001);
	assert_place(&k, 0xffffffff81001000, "_text", "[kernel]", 0x1000);
	assert_place(&k, 0xffffffff81002800, "do_sys_openat2", "[kernel]", 0x2800);
	assert_place(&k, 0xffffffff81003001, "weak", "[kernel]", 0x3001);
	assert_place(&k, 0xffffffffc0400101, "second", "[nf_tables]", 0x101);
	assert_place(&k, 0xffffffffc0400100, "first", "[nf_tables]", 0x100);
	assert_place(&k, 0xffffffffc0500010, "bpf_prog_6deef7357e7b4530_x", "[bpf]", 0x10);
	kallsyms_deinit(&k);
}

/* What lies far behind the last function of something is none of it. */
static void test_far_away(void **state)
{
	struct kallsyms k = parsed("ffffffff81000000 T _text\nffffffffc0400000 t f\t[m]\n");

	assert_place(&k, 0xffffffffc0400000 + (1 << 20), "f", "[m]", 1 << 20);
	assert_place(&k, 0xffffffffc0400001 + (1 << 20), NULL, "[kernel]", 0x3f500001);
	assert_place(&k, 0xffffffff80000001, NULL, "[kernel]", 0xffffffff80000001);
	kallsyms_deinit(&k);
}

/* The kernel's own sources know the first of each pair. */
static void test_names_of_one_address(void **state)
{
	struct kallsyms k = parsed("ffffffff81000010 t __local\nffffffff81000010 T global\n"
				   "ffffffff81000020 T plain\nffffffff81000020 T __plain\n"
				   "ffffffff81000030 T a\nffffffff81000030 T b\n");

	assert_int_equal(k.n, 3);
	assert_string_equal(kallsyms_at(&k, 0xffffffff81000011).function, "global");
	assert_string_equal(kallsyms_at(&k, 0xffffffff81000021).function, "plain");
	assert_string_equal(kallsyms_at(&k, 0xffffffff81000031).function, "a");
	kallsyms_deinit(&k);
}

/* kernel.kptr_restrict: the address is all that there is. */
static void test_hidden_addresses(void **state)
{
	struct kallsyms k = parsed("0000000000000000 T _text\n0000000000000000 t f\t[m]\n");

	assert_int_equal(k.n, 0);
	assert_int_equal(k.hidden, 2);
	assert_place(&k, 0xffffffff81000010, NULL, "[kernel]", 0x1000010);
	kallsyms_deinit(&k);
}

static void test_bad_lines(void **state)
{
	static const char text[] = "\n \nffffffff81000010\nffffffff81000010 \nffffffff81000010 T\n"
				   "ffffffff81000010 T \nxyz T f\nfffffffff81000010 T f\n"
				   "ffffffff81000010T f\nffffffff81000010 TT f\nffffffff81000010 T \t[m]\n"
				   "ffffffff81000010 T a\0b\nffffffff81000010 T good\nffffffff81000010 T cut";
	struct kallsyms k = { 0 };
	size_t whole = sizeof(text) - 1 - strlen("ffffffff81000010 T cut");

	assert_int_equal(kallsyms_parse(&k, text, sizeof(text) - 1), whole);
	assert_int_equal(kallsyms_settle(&k), 0);
	assert_int_equal(k.n, 1);
	assert_string_equal(kallsyms_at(&k, 0xffffffff81000011).function, "good");
	kallsyms_deinit(&k);
}

/* Of this machine, where it may be read. */
static void test_own_kernel(void **state)
{
	struct kallsyms k = { 0 };

	assert_int_equal(kallsyms_load(&k), 0);
	assert_int_equal(k.n > 0, kallsyms_readable());
	if (k.n > 0) {
		assert_true(k.n > 1000);
		assert_true(k.text);
		assert_string_equal(kallsyms_at(&k, k.items[k.n / 2].start + 1).function,
				    k.names.s + k.items[k.n / 2].name);
	}
	kallsyms_deinit(&k);
}

/* -- the machinery of hooks -------------------------------------------------------------------- */

static void test_machinery(void **state)
{
	static const struct {
		const char *functions[8];
		size_t machinery;
	} cases[] = {
		{ { "fd_install", "do_sys_openat2" }, 0 },
		{ { "bpf_prog_1_x", "bpf_trace_run2", "__bpf_trace_sys_exit", "syscall_exit_work" }, 3 },
		{ { "?", "bpf_trampoline_6442_0", "fd_install", "do_sys_openat2" }, 2 },
		{ { "?", "?", "fd_install" }, 0 },
		{ { "fd_install", "bpf_trampoline_6442_0", "do_sys_openat2" }, 0 },
		{ { "bpf_prog_1_x" }, 1 },
		{ { NULL }, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct report_frame frames[8] = { { 0 } };
		size_t n = 0;

		for (; n < 8 && cases[i].functions[n]; n++)
			if (strcmp(cases[i].functions[n], "?"))
				frames[n].function = cases[i].functions[n];
		assert_int_equal(machinery_frames(frames, n), cases[i].machinery);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_far_away),
		cmocka_unit_test(test_names_of_one_address),
		cmocka_unit_test(test_hidden_addresses),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_own_kernel),
		cmocka_unit_test(test_machinery),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
