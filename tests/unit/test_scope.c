// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "container/scope.h"
#include "container_fixture.h"

static struct hierarchies read_hierarchies(const struct fixture *f)
{
	struct hierarchies h;

	assert_int_equal(hierarchies_read(f->root, &h), 0);
	return h;
}

/* -- hierarchies -------------------------------------------------------------------------------- */

static void assert_dir(const struct fixture *f, const struct hierarchies *h, const char *hierarchy,
		       const char *path, const char *want)
{
	_cleanup_free_ char *dir = NULL;

	assert_int_equal(hierarchies_dir(h, hierarchy, path, &dir), want ? 0 : -ENOENT);
	if (want)
		assert_string_equal(dir + strlen(f->root), want);
}

static void assert_of_dir(const struct hierarchies *h, const char *dir, const char *hierarchy, const char *path)
{
	_cleanup_free_ char *found = NULL;
	const char *of = NULL;

	assert_int_equal(hierarchies_of_dir(h, dir, &of, &found), path ? 0 : -ENOENT);
	if (path) {
		assert_string_equal(of, hierarchy);
		assert_string_equal(found, path);
	}
}

static void test_hybrid_folders(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();
	struct hierarchies h;

	fixture_hybrid(&f);
	h = read_hierarchies(&f);
	assert_int_equal(h.names.n, 4);
	assert_dir(&f, &h, "", "/a/b", "/sys/fs/cgroup/unified/a/b");
	assert_dir(&f, &h, "", "/", "/sys/fs/cgroup/unified");
	assert_dir(&f, &h, "cpu,cpuacct", "/a", "/sys/fs/cgroup/cpu,cpuacct/a");
	assert_dir(&f, &h, "name=systemd", "/a", "/sys/fs/cgroup/systemd/a");
	assert_dir(&f, &h, "pids", "/a", NULL);
	assert_dir(&f, &h, "", "/../a", NULL);
	assert_dir(&f, &h, "", "/a/..", NULL);
	assert_dir(&f, &h, "", "/..a", "/sys/fs/cgroup/unified/..a");
	assert_of_dir(&h, "/sys/fs/cgroup/unified/a", "", "/a");
	assert_of_dir(&h, "/sys/fs/cgroup/unified", "", "/");
	assert_of_dir(&h, "/sys/fs/cgroup/memory/x/y", "memory", "/x/y");
	assert_of_dir(&h, "/sys/fs/cgroup/memoryx", NULL, NULL);
	assert_of_dir(&h, "/sys/fs/cgroup", NULL, NULL);
	hierarchies_deinit(&h);
}

/* What was mounted over is hidden; a blank in a path is \040; a group may be mounted for itself. */
static void test_mounts(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();
	char mounts[2048];
	struct hierarchies h;

	fixture_hybrid(&f);
	snprintf(mounts, sizeof(mounts), "%s%s%s%s", fixture_v1_mounts,
		 MOUNT("/sys/fs/cgroup/unified", "cgroup2 cgroup2 rw"),
		 MOUNT("/sys/fs/cgroup", "cgroup2 cgroup2 rw"), "nonsense\n1 2 3 - \n1 2 3 / / rw - cgroup2\n");
	fixture_put(&f, "/proc/self/mountinfo", mounts);
	h = read_hierarchies(&f);
	assert_int_equal(h.n, 1);
	assert_dir(&f, &h, "", "/a", "/sys/fs/cgroup/a");
	assert_dir(&f, &h, "memory", "/a", NULL);
	hierarchies_deinit(&h);

	fixture_put(&f, "/proc/self/mountinfo", "30 20 0:25 /docker/x /my\\040groups rw - cgroup2 cgroup2 rw\n"
						"31 20 0:25 / /fuse rw - fuse.cgroup2 x rw\n");
	h = read_hierarchies(&f);
	assert_dir(&f, &h, "", "/docker/x/y", "/my groups/y");
	assert_dir(&f, &h, "", "/docker/x", "/my groups");
	assert_dir(&f, &h, "", "/docker/xy", NULL);
	assert_dir(&f, &h, "", "/", NULL);
	assert_of_dir(&h, "/my groups/y", "", "/docker/x/y");
	assert_of_dir(&h, "/my groups", "", "/docker/x");
	assert_of_dir(&h, "/fuse/x", NULL, NULL);
	hierarchies_deinit(&h);
}

/* -- scopes ------------------------------------------------------------------------------------- */

static struct scope scope_of(const struct hierarchies *h, const char *path)
{
	struct err e = { "" };
	struct scope s;

	if (scope_of_cgroup(h, path, &s, &e))
		fail_msg("%s: %s", path, e.text);
	return s;
}

/* "1 2 3", by what the scope lists; each of them, and no other, is in it when asked for. */
static void assert_members(const struct scope *s, const char *want)
{
	struct number_vec pids = { 0 };
	char text[256] = "", asked[256] = "";

	assert_int_equal(scope_members(s, &pids), 0);
	vec_foreach(pid, &pids)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%d", *text ? " " : "", (int)*pid);
	vec_free(&pids);
	for (int pid = 1; pid < 20; pid++)
		if (scope_has(s, pid) == 1)
			snprintf(asked + strlen(asked), sizeof(asked) - strlen(asked), "%s%d", *asked ? " " : "", pid);
	assert_string_equal(text, want);
	assert_string_equal(asked, want);
}

static void assert_scope(const struct hierarchies *h, const char *path, size_t groups, const char *want)
{
	struct scope s = scope_of(h, path);

	assert_int_equal(s.n, groups);
	assert_members(&s, want);
	scope_deinit(&s);
}

static void refuse(const struct hierarchies *h, const char *path, const char *want)
{
	struct err e = { "" };
	struct scope s;

	assert_int_equal(scope_of_cgroup(h, path, &s, &e), -ENOENT);
	assert_string_equal(e.text, want);
}

static void put_v2(const struct fixture *f)
{
	fixture_v2(f);
	fixture_put(f, "/sys/fs/cgroup/cgroup.procs", "1\n");
	fixture_put(f, "/sys/fs/cgroup/a/cgroup.procs", "11\n3\n0\n");
	fixture_put(f, "/sys/fs/cgroup/a/b/c/cgroup.procs", "5\n3\n"); /* 3 was just moved */
	fixture_put(f, "/sys/fs/cgroup/a/b/cgroup.procs", "");
	fixture_put(f, "/sys/fs/cgroup/ab/cgroup.procs", "7\n");
	fixture_process(f, 1, 0, 1, "0::/\n");
	fixture_process(f, 3, 1, 1, "0::/a/b/c\n");
	fixture_process(f, 5, 1, 1, "0::/a/b/c\n");
	fixture_process(f, 7, 1, 1, "0::/ab\n");
	fixture_process(f, 11, 1, 1, "0::/a\n");
}

static void test_v2(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();
	struct hierarchies h;
	char path[PATH_MAX];
	struct stat st;
	struct scope s;

	put_v2(&f);
	h = read_hierarchies(&f);
	assert_scope(&h, "/a", 1, "3 5 11");
	assert_scope(&h, "a", 1, "3 5 11");
	assert_scope(&h, "//a///b/", 1, "3 5");
	assert_scope(&h, "/sys/fs/cgroup/a", 1, "3 5 11");
	assert_scope(&h, "/", 1, "1 3 5 7 11");
	refuse(&h, "/x", "there is no control group '/x': name it as /proc/PID/cgroup does, or by its folder below "
			 "/sys/fs/cgroup");
	refuse(&h, "", "there is no control group '': name it as /proc/PID/cgroup does, or by its folder below "
		       "/sys/fs/cgroup");
	refuse(&h, ".", "there is no control group '.': name it as /proc/PID/cgroup does, or by its folder below "
			"/sys/fs/cgroup");
	refuse(&h, "/a/cgroup.procs", "there is no control group '/a/cgroup.procs': name it as /proc/PID/cgroup does, "
				      "or by its folder below /sys/fs/cgroup");
	s = scope_of(&h, "/ab");
	fixture_path(&f, "/sys/fs/cgroup/ab", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(s.items[0].id, st.st_ino);
	assert_string_equal(s.items[0].hierarchy, "");
	assert_int_equal(scope_look(&s), 0);
	assert_int_equal(scope_has(&s, 999), -ESRCH);
	/* it goes, and what comes in its place has another id */
	fixture_path(&f, "/sys/fs/cgroup/ab/cgroup.procs", path);
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	fixture_put(&f, "/proc/7/cgroup", "0::/\n");
	assert_members(&s, "");
	assert_false(scope_has_gone(&s));
	assert_int_equal(scope_look(&s), 1);
	assert_int_equal(s.items[0].id, 0);
	assert_true(scope_has_gone(&s));
	scope_deinit(&s);
	hierarchies_deinit(&h);
}

/* Several as one: it is there as long as one of them is. */
static void test_joined(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();
	struct scope all = { 0 }, s;
	struct hierarchies h;
	char path[PATH_MAX];

	put_v2(&f);
	h = read_hierarchies(&f);
	assert_false(scope_has_gone(&all));
	s = scope_of(&h, "/a/b");
	assert_int_equal(scope_join(&all, &s), 0);
	assert_int_equal(s.n, 0);
	s = scope_of(&h, "/ab");
	assert_int_equal(scope_join(&all, &s), 0);
	assert_members(&all, "3 5 7");
	fixture_path(&f, "/sys/fs/cgroup/ab/cgroup.procs", path);
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	fixture_put(&f, "/proc/7/cgroup", "0::/\n");
	scope_look(&all);
	assert_false(scope_has_gone(&all));
	assert_members(&all, "3 5");
	s = scope_of_all(f.root);
	assert_int_equal(scope_join(&all, &s), 0);
	assert_members(&all, "1 3 5 7 11");
	assert_int_equal(scope_has(&all, 999), -ESRCH);
	scope_deinit(&all);
	hierarchies_deinit(&h);
}

/* A whole host is never gone. */
static void test_all(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();
	struct scope s = scope_of_all(f.root);

	put_v2(&f);
	assert_members(&s, "1 3 5 7 11");
	assert_int_equal(scope_has(&s, 999), -ESRCH);
	scope_look(&s);
	assert_false(scope_has_gone(&s));
	scope_deinit(&s);
}

static void test_v1(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();
	struct hierarchies h;

	fixture_v1(&f);
	fixture_put(&f, "/sys/fs/cgroup/memory/a/cgroup.procs", "3\n5\n");
	fixture_put(&f, "/sys/fs/cgroup/cpu,cpuacct/a/cgroup.procs", "5\n7\n");
	fixture_put(&f, "/sys/fs/cgroup/systemd/cgroup.procs", "3\n5\n7\n");
	fixture_process(&f, 3, 1, 1, "3:cpu,cpuacct:/\n2:memory:/a\n1:name=systemd:/\n");
	fixture_process(&f, 5, 1, 1, "3:cpu,cpuacct:/a\n2:memory:/a\n1:name=systemd:/\n");
	fixture_process(&f, 7, 1, 1, "3:cpu,cpuacct:/a\n2:memory:/\n1:name=systemd:/\n");
	h = read_hierarchies(&f);
	assert_scope(&h, "/a", 2, "3 5 7");
	assert_scope(&h, "/sys/fs/cgroup/memory/a", 1, "3 5");
	hierarchies_deinit(&h);
}

/* Where a hierarchy cannot be seen, as outside of our cgroup namespace, processes are asked. */
static void test_unseen(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();
	struct hierarchies h;

	fixture_v2(&f);
	fixture_put(&f, "/proc/self/mountinfo", MOUNT("/", "ext4 /dev/vda1 rw"));
	fixture_process(&f, 3, 1, 1, "0::/../docker/x/y\n");
	fixture_process(&f, 5, 1, 1, "0::/../docker/xy\n");
	h = read_hierarchies(&f);
	assert_scope(&h, "/../docker/x", 1, "3");
	refuse(&h, "/x", "there is no control group '/x': name it as /proc/PID/cgroup does");
	hierarchies_deinit(&h);
}

/* More folders than are looked through, as anybody can make in a group of his own. */
static void test_many_folders(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();
	struct hierarchies h;
	char path[PATH_MAX];

	put_v2(&f);
	fixture_put(&f, "/sys/fs/cgroup/a/cgroup.procs", "3\n5\n11\n13\n"); /* 13 has ended: /proc does not have it */
	for (int i = 0; i <= SCOPE_FOLDERS_MAX; i++) {
		snprintf(path, sizeof(path), "%s/sys/fs/cgroup/a/%d", f.root, i);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	h = read_hierarchies(&f);
	assert_scope(&h, "/a", 1, "3 5 11");
	hierarchies_deinit(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hybrid_folders),
		cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_v2),
		cmocka_unit_test(test_joined),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_v1),
		cmocka_unit_test(test_unseen),
		cmocka_unit_test(test_many_folders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
