// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <cmocka.h>
#include "proc/modules.h"
#include "proc/procfs.h"
#include "proc/target.h"

static void test_maps_lines(void **state)
{
	struct map_vec maps;
	char *text = strdup("55d0-55d8 r-xp 00002000 fd:01 1234   /usr/bin/a b c\n"
			    "nonsense\n"
			    "7f00-7f10 rw-s 00000000 00:00 0 \n"
			    "9000-8000 r-xp 00000000 00:00 0 /backwards\n"
			    "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]");

	assert_int_equal(maps_parse(text, &maps), 0);
	assert_int_equal(maps.n, 3);
	assert_string_equal(maps.items[0].path, "/usr/bin/a b c");
	assert_int_equal(maps.items[0].offset, 0x2000);
	assert_int_equal(maps.items[0].inode, 1234);
	assert_int_equal(maps.items[0].dev_major, 0xfd);
	assert_true(maps.items[0].exec && maps.items[0].read && !maps.items[0].write);
	assert_string_equal(maps.items[1].path, "");
	assert_true(maps.items[1].shared && !maps.items[1].exec);
	assert_string_equal(maps.items[2].path, "[vsyscall]");
	maps_deinit(&maps);
}

/* Every executable file mapping of this very process, and the vdso, are modules of their own. */
static void test_own_modules(void **state)
{
	struct module_table t;
	struct map_vec maps;
	struct module *m, *again;
	int vdso = 0, files = 0;

	module_table_init(&t);
	assert_int_equal(maps_read(getpid(), &maps), 0);
	vec_foreach(map, &maps) {
		if (!map->exec)
			continue;
		if (strcmp(map->path, "[vdso]") && map->path[0] != '/') {
			assert_int_equal(module_table_map(&t, getpid(), map, &m), -ENOENT);
			continue;
		}
		assert_int_equal(module_table_map(&t, getpid(), map, &m), 0);
		assert_int_equal(module_table_map(&t, getpid(), map, &again), 0);
		assert_ptr_equal(m, again);
		assert_ptr_equal(m, module_table_get(&t, m->id));
		assert_string_equal(m->path, map->path);
		vdso += !strcmp(map->path, "[vdso]");
		files += map->path[0] == '/';
	}
	assert_int_equal(vdso, 1);
	assert_true(files >= 3);
	assert_null(module_table_get(&t, 0));
	assert_null(module_table_get(&t, (uint32_t)t.n + 1));
	maps_deinit(&maps);
	module_table_deinit(&t);
}

static void test_target_errors(void **state)
{
	struct target t;
	struct err e;

	assert_int_equal(target_open(999999999, &t, &e), -ESRCH);
	assert_non_null(strstr(e.text, "999999999"));
	assert_int_equal(target_open(2, &t, &e), -EINVAL);
	assert_non_null(strstr(e.text, "kernel thread"));
	assert_int_equal(target_open(getpid(), &t, &e), 0);
	assert_true(target_alive(&t));
	assert_string_equal(t.comm, "test_proc");
	target_deinit(&t);
}

static void test_status_and_cpu(void **state)
{
	uint64_t tgid, cpu;

	assert_int_equal(procfs_status(getpid(), "Tgid", &tgid), 0);
	assert_int_equal(tgid, getpid());
	assert_int_equal(procfs_status(getpid(), "NoSuchField", &tgid), -ENOENT);
	assert_int_equal(procfs_status(999999999, "Tgid", &tgid), -ESRCH);
	for (volatile unsigned int i = 0; i < 100000000; i++)
		;
	assert_int_equal(procfs_inner_id("Name:\tx\nNSpid:\t4242\t17\t3\nNSsid:\t5\n"), 3);
	assert_int_equal(procfs_inner_id("Name:\tx\nNSpid:\t4242\n"), 4242);
	assert_int_equal(procfs_inner_id("Name:\tNSpid:\nTgid:\t7\n"), 0);
	assert_int_equal(procfs_inner_id("Name:\tx\nNSpid:\n"), 0);
	assert_int_equal(procfs_cpu_ns(getpid(), &cpu), 0);
	assert_true(cpu > 0);
}

/* Whatever the name is. */
static void test_start(void **state)
{
	const double ticks = (double)sysconf(_SC_CLK_TCK);
	FILE *f = fopen("/proc/uptime", "re");
	double uptime;
	uint64_t start;

	assert_non_null(f);
	assert_int_equal(prctl(PR_SET_NAME, ") R 1 (2 3"), 0);
	assert_int_equal(procfs_start_ticks(getpid(), &start), 0);
	assert_int_equal(prctl(PR_SET_NAME, "test_proc"), 0);
	assert_int_equal(fscanf(f, "%lf", &uptime), 1);
	fclose(f);
	assert_true((double)start <= uptime * ticks + 1);
	assert_true((double)start > (uptime - 60) * ticks);
	assert_int_equal(procfs_start_ticks(999999999, &start), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_maps_lines),
		cmocka_unit_test(test_own_modules),
		cmocka_unit_test(test_target_errors),
		cmocka_unit_test(test_status_and_cpu),
		cmocka_unit_test(test_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
