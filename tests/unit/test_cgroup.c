// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "proc/cgroup.h"

#define ID    "3f4c8b1d5e6a7980c1d2e3f405162738495a6b7c8d9eafb0c1d2e3f405162738"
#define OTHER "0000000000000000000000000000000000000000000000000000000000000001"

/* Paths of a single hierarchy of version 2. */
static const struct {
	const char *path, *container;
} paths[] = {
	{ "/", NULL },
	{ "/user.slice/user-1000.slice/session-3.scope", NULL },
	{ "/system.slice/docker-" ID ".scope", ID },
	{ "/docker/" ID, ID },
	{ "/docker/" OTHER "/docker/" ID, ID },
	{ "/docker/" ID "/init.scope", ID },
	{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod12_3.slice/"
	  "cri-containerd-" ID ".scope", ID },
	{ "/kubepods.slice/kubepods-pod1.slice:cri-containerd:" ID, ID },
	{ "/kubepods/besteffort/pod2d6b8f70-1111-2222-3333-444455556666/" ID, ID },
	{ "/kubepods.slice/kubepods-pod1.slice/crio-" ID ".scope/container", ID },
	{ "/k8s.io/" ID, ID },
	{ "/machine.slice/libpod-" ID ".scope/container", ID },
	{ "/libpod_parent/libpod-" ID, ID },
	{ "/machine.slice/libpod-conmon-" ID ".scope", NULL }, /* the monitor is outside */
	{ "/kubepods.slice/crio-conmon-" ID ".scope", NULL },
	{ "/lxc.payload.web1/system.slice/cron.service", "web1" },
	{ "/lxc/old/init.scope", "old" },
	{ "/lxc.monitor.web1", NULL },
	{ "/lxc.payload.", NULL },
	{ "/lxc", NULL },
	{ "/lxc.payload.web1/system.slice/docker-" ID ".scope", ID }, /* the innermost */
	{ "/machine.slice/systemd-nspawn@deb\\x2d12.service/payload/init.scope", "deb-12" },
	{ "/machine.slice/systemd-nspawn@deb.service", "deb" },
	{ "/machine.slice/systemd-nspawn@deb.service/supervisor", NULL },
	{ "/machine.slice/machine-deb.scope/payload", "deb" },
	{ "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/emulator", NULL }, /* no container */
	{ "/a/b\\x2/lxc.payload.x\\x", "x\\x" },
	{ "/system.slice/docker-" ID "0.scope", NULL },
	{ "/system.slice/docker" ID ".scope", NULL },
	{ "/DOCKER/3F4C8B1D5E6A7980C1D2E3F405162738495A6B7C8D9EAFB0C1D2E3F405162738", NULL },
	{ "/../../docker/" ID, ID }, /* seen from another namespace of groups */
	{ "/a:b/docker/" ID, ID },
	{ "/user.slice/user-7.slice/user@7.service/user.slice/crun-web.scope/init", "web" },
	{ "/system.slice/runc-a\\x2db.scope", "a-b" },
	{ "/system.slice/runc-.scope", NULL },
	{ "/system.slice/runc-web.service", NULL },
	{ "//", NULL },
};

static void test_paths(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct cgroup c;
		char text[512];

		snprintf(text, sizeof(text), "0::%s\n", paths[i].path);
		assert_int_equal(cgroup_parse(text, &c), 0);
		assert_string_equal(c.path, paths[i].path);
		if (paths[i].container && c.container)
			assert_string_equal(c.container, paths[i].container);
		else
			assert_ptr_equal(c.container, paths[i].container);
		cgroup_deinit(&c);
	}
}

/* Of the containers that a path leads through, from the innermost: whose they are, and their groups. */
static const struct {
	const char *path;
	struct {
		const char *id, *runtime, *group;
	} of[3];
} nested[] = {
	{ "/system.slice/docker-" ID ".scope/init.scope", { { ID, "docker", "/system.slice/docker-" ID ".scope" } } },
	{ "/docker/" OTHER "/kubelet/kubepods/pod1/cri-containerd-" ID ".scope/a",
	  { { ID, "containerd", "/docker/" OTHER "/kubelet/kubepods/pod1/cri-containerd-" ID ".scope" },
	    { OTHER, "docker", "/docker/" OTHER } } },
	{ "/kubepods/besteffort/pod2d6b8f70/" ID, { { ID, NULL, "/kubepods/besteffort/pod2d6b8f70/" ID } } },
	{ "/kubepods-pod1.slice:cri-containerd:" ID,
	  { { ID, "containerd", "/kubepods-pod1.slice:cri-containerd:" ID } } },
	{ "/k8s.io/" ID, { { ID, "containerd", "/k8s.io/" ID } } },
	{ "/moby/" ID, { { ID, "docker", "/moby/" ID } } },
	{ "/kubepods.slice/crio-" ID ".scope/container", { { ID, "cri-o", "/kubepods.slice/crio-" ID ".scope" } } },
	{ "/libpod_parent/libpod-" ID, { { ID, "podman", "/libpod_parent/libpod-" ID } } },
	{ "/x/crun-web.scope", { { "web", "crun", "/x/crun-web.scope" } } },
	{ "/lxc.payload.a/lxc.payload.b/c",
	  { { "b", "lxc", "/lxc.payload.a/lxc.payload.b" }, { "a", "lxc", "/lxc.payload.a" } } },
	{ "/machine.slice/systemd-nspawn@deb.service/payload/init.scope",
	  { { "deb", "systemd-nspawn", "/machine.slice/systemd-nspawn@deb.service/payload" } } },
	{ "/machine.slice/systemd-nspawn@deb.service",
	  { { "deb", "systemd-nspawn", "/machine.slice/systemd-nspawn@deb.service" } } },
};

static void test_nested(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(nested); i++) {
		struct cgroup_part path = { nested[i].path, strlen(nested[i].path) };
		struct cgroup_container c;
		size_t n = 0;

		for (; cgroup_find_container(path, &c); path.n = c.start, n++) {
			assert_true(nested[i].of[n].id && cgroup_part_is(c.id, nested[i].of[n].id));
			assert_true(!nested[i].of[n].runtime == !c.runtime);
			if (c.runtime)
				assert_string_equal(c.runtime, nested[i].of[n].runtime);
			assert_true(cgroup_part_is((struct cgroup_part){ path.s, c.end }, nested[i].of[n].group));
		}
		assert_null(nested[i].of[n].id);
	}
}

/* Which of several hierarchies is told. */
static const struct {
	const char *text, *path, *container;
} texts[] = {
	{ "", NULL, NULL },
	{ "nonsense\n1:2\n::\n3:cpu:relative\n", NULL, NULL },
	{ "0::/\n", "/", NULL },
	{ "5:cpu:/\n4:memory:/jobs/7\n1:name=systemd:/user.slice\n0::/\n", "/jobs/7", NULL },
	{ "5:cpu:/x\n1:name=systemd:/user.slice\n", "/user.slice", NULL },
	{ "5:cpu:/x\n", "/x", NULL },
	{ "4:memory:/jobs/7\n0::/system.slice/cron.service\n", "/system.slice/cron.service", NULL },
	{ "9:pids:/docker/" ID "\n4:memory:/jobs/7\n0::/system.slice\n", "/docker/" ID, ID },
	{ "9:pids:/docker/" ID "\n4:memory:/docker/" OTHER "\n0::/", "/docker/" OTHER, OTHER },
	{ "0::/docker/" ID " (deleted)\n", "/docker/" ID, ID },
};

static void test_hierarchies(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct cgroup c;

		assert_int_equal(cgroup_parse(texts[i].text, &c), 0);
		assert_int_equal(!c.path, !texts[i].path);
		if (c.path)
			assert_string_equal(c.path, texts[i].path);
		assert_int_equal(!c.container, !texts[i].container);
		if (c.container)
			assert_string_equal(c.container, texts[i].container);
		cgroup_deinit(&c);
	}
}

static void test_own(void **state)
{
	struct cgroup c;

	assert_int_equal(cgroup_read(getpid(), &c), 0);
	assert_non_null(c.path);
	assert_int_equal(c.path[0], '/');
	cgroup_deinit(&c);
	assert_int_equal(cgroup_read(999999999, &c), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_hierarchies),
		cmocka_unit_test(test_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
