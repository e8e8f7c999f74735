// SPDX-License-Identifier: Apache-2.0
/* Which containers are found, and what they are called, in the layout of each runtime. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "container_list_fixture.h"

static const char *or_none(const char *s)
{
	return s ? s : "-";
}

/* A line for each: "ID NAME NAMESPACE POD IMAGE RUNTIME HIERARCHY:CGROUP PIDS"; ids of 64 digits by the first 3. */
static void assert_found(const struct fixture *f, const char *want)
{
	_cleanup_(container_list_deinit) struct container_list l = fixture_containers(f);
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };

	vec_foreach(c, &l) {
		strbuf_addf(&b, "%.*s %s %s %s %s %s %s:%s", container_id_shown(c->id) == 12 ? 3 : 99, c->id,
			    or_none(c->words.name), or_none(c->words.namespace), or_none(c->words.pod),
			    or_none(c->words.image), or_none(c->words.runtime), c->hierarchy ? c->hierarchy : "",
			    or_none(c->cgroup));
		vec_foreach(pid, &c->pids)
			strbuf_addf(&b, " %d", (int)*pid);
		strbuf_adds(&b, "\n");
	}
	assert_string_equal(b.n ? b.s : "", want);
}

/* A process in the only hierarchy there is, whose parent is 1, and which began at 100 + pid. */
static void process(const struct fixture *f, int pid, const char *group)
{
	char text[512];

	snprintf(text, sizeof(text), "0::%s\n", group);
	fixture_process(f, pid, 1, 100 + pid, text);
}

#define RUNC_STATE(id, pid, start, group, labels)                                                                \
	"{\"id\":\"" id "\",\"init_process_pid\":" #pid ",\"init_process_start\":" #start                       \
	",\"config\":{\"rootfs\":\"/x\",\"labels\":[" labels "]},\"cgroup_paths\":{\"\":\"" group "\"}}"
#define CRUN_STATUS(pid, start, group) \
	"{\"pid\":" #pid ",\"process-start-time\":" #start ",\"cgroup-path\":\"" group "\",\"bundle\":\"/b\"}"

/* -- runtimes ----------------------------------------------------------------------------------- */

static void test_none(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();

	fixture_v2(&f);
	process(&f, 1, "/init.scope");
	process(&f, 2, "/user.slice/user-0.slice/session-1.scope");
	assert_found(&f, "");
}

static void test_docker(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();

	fixture_v2(&f);
	process(&f, 3, "/system.slice/docker-" ID_A ".scope");
	process(&f, 4, "/system.slice/docker-" ID_A ".scope/init");
	process(&f, 5, "/docker/" ID_B);
	fixture_put(&f, "/var/lib/docker/containers/" ID_A "/config.v2.json",
		    "{\"ID\":\"" ID_A "\",\"Name\":\"/web\",\"Config\":{\"Image\":\"nginx:1.25\",\"Labels\":{}}}");
	/* of dockershim's time: labels tell better than the name */
	fixture_put(&f, "/var/lib/docker/containers/" ID_B "/config.v2.json",
		    "{\"Name\":\"/k8s_app_pod-1_prod_0\",\"Config\":{\"Image\":\"sha256:1\",\"Labels\":{"
		    "\"io.kubernetes.container.name\":\"app\",\"io.kubernetes.pod.name\":\"pod-1\","
		    "\"io.kubernetes.pod.namespace\":\"prod\"}}}");
	assert_found(&f, "b00 app prod pod-1 sha256:1 docker :/docker/" ID_B " 5\n"
			 "3f4 web - - nginx:1.25 docker :/system.slice/docker-" ID_A ".scope 3 4\n");
}

static void test_containerd(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();

	fixture_v2(&f);
	process(&f, 3, "/kubepods.slice/kubepods-pod1.slice/cri-containerd-" ID_A ".scope");
	process(&f, 4, "/kubepods/besteffort/pod2d6b/" ID_B); /* does not tell whose it is */
	process(&f, 5, "/kubepods/besteffort/pod2d6b/" ID_C);
	process(&f, 6, "/default/redis"); /* ctr run */
	process(&f, 7, "/default/other");
#define TASK "/run/containerd/io.containerd.runtime.v2.task/"
	fixture_put(&f, TASK "k8s.io/" ID_A "/config.json",
		    "{\"annotations\":{\"io.kubernetes.cri.container-name\":\"app\","
		    "\"io.kubernetes.cri.sandbox-name\":\"pod-1\",\"io.kubernetes.cri.sandbox-namespace\":\"prod\","
		    "\"io.kubernetes.cri.image-name\":\"reg/app:2\"}}");
	fixture_put(&f, TASK "k8s.io/" ID_B "/config.json",
		    "{\"annotations\":{\"io.kubernetes.cri.container-type\":\"sandbox\","
		    "\"io.kubernetes.cri.sandbox-name\":\"pod-1\",\"io.kubernetes.cri.sandbox-namespace\":\"prod\"}}");
	fixture_put(&f, TASK "default/redis/config.json", "{\"annotations\":{\"nerdctl/name\":\"cache\"}}");
	fixture_put(&f, "/run/containerd/runc/default/redis/state.json",
		    RUNC_STATE("redis", 6, 106, "/sys/fs/cgroup/default/redis", "\"bundle=/x\""));
	/* only the kubelet's log tells its name */
	fixture_put(&f, "/var/log/containers/pod-2_prod_side-" ID_C ".log", "");
	fixture_put(&f, "/var/log/containers/" ID_C ".log", "");
	fixture_put(&f, "/var/log/containers/a_b-" ID_C ".log", "");
	fixture_put(&f, "/var/log/containers/a_b_c-" ID_C, "");
	assert_found(&f, "3f4 app prod pod-1 reg/app:2 containerd "
			 ":/kubepods.slice/kubepods-pod1.slice/cri-containerd-" ID_A ".scope 3\n"
			 "b00 - prod pod-1 - containerd :/kubepods/besteffort/pod2d6b/" ID_B " 4\n"
			 "c00 side prod pod-2 - - :/kubepods/besteffort/pod2d6b/" ID_C " 5\n"
			 "redis cache - - - containerd :/default/redis 6\n");
}

static void test_crio_and_podman(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();

	fixture_v2(&f);
	process(&f, 3, "/kubepods.slice/kubepods-pod1.slice/crio-" ID_A ".scope/container");
	process(&f, 4, "/kubepods.slice/kubepods-pod1.slice/crio-conmon-" ID_A ".scope");
	process(&f, 5, "/machine.slice/libpod-" ID_B ".scope/container");
	process(&f, 6, "/machine.slice/libpod-conmon-" ID_B ".scope");
	fixture_put(&f, "/run/containers/storage/overlay-containers/" ID_A "/userdata/config.json",
		    "{\"annotations\":{\"io.kubernetes.container.name\":\"POD\",\"io.kubernetes.pod.name\":\"pod-1\","
		    "\"io.kubernetes.pod.namespace\":\"prod\",\"io.container.manager\":\"cri-o\","
		    "\"io.kubernetes.cri-o.ImageName\":\"pause:3\"}}");
	fixture_put(&f, "/var/lib/containers/storage/overlay-containers/containers.json",
		    "[{\"id\":\"" ID_B "\",\"names\":[\"db\"],\"image\":\"sha256:2\","
		    "\"metadata\":\"{\\\"image-name\\\":\\\"docker.io/library/postgres:15\\\"}\"},{\"id\":7},null]");
	assert_found(&f, "3f4 - prod pod-1 pause:3 cri-o :/kubepods.slice/kubepods-pod1.slice/crio-" ID_A ".scope 3\n"
			 "b00 db - - docker.io/library/postgres:15 podman :/machine.slice/libpod-" ID_B ".scope 5\n");
}

/* A container of an unprivileged user: nothing that is his is opened, but conmon's arguments tell the name. */
static void test_conmon(void **state)
{
	static const char args[] = "/usr/bin/conmon\0--api-version\0001\0-c\0" ID_A "\0-u\0" ID_A "\0-n\0mine\0";
	static const char fake[] = "conmon\0-c\0" ID_B "\0-n\0not-mine\0";
	_cleanup_(fixture_remove) struct fixture f = fixture_make();

	fixture_v2(&f);
#define USERS "/user.slice/user-7.slice/user@7.service/user.slice/"
	process(&f, 9, USERS "libpod-conmon-" ID_A ".scope");
	fixture_put_bytes(&f, "/proc/9/cmdline", args, sizeof(args) - 1);
	fixture_process(&f, 10, 9, 1, "0::" USERS "libpod-" ID_A ".scope/container\n");
	/* a parent within the container is not believed */
	fixture_process(&f, 20, 1, 1, "0::" USERS "libpod-" ID_B ".scope/container\n");
	fixture_process(&f, 21, 20, 1, "0::" USERS "libpod-" ID_B ".scope/container\n");
	fixture_put_bytes(&f, "/proc/20/cmdline", fake, sizeof(fake) - 1);
	assert_found(&f, "3f4 mine - - - podman :" USERS "libpod-" ID_A ".scope 10\n"
			 "b00 - - - - podman :" USERS "libpod-" ID_B ".scope 20 21\n");
}

/* Groups of any name: the runtime's state tells. */
static void test_runc_and_crun(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();

	fixture_hybrid(&f);
	fixture_process(&f, 3, 1, 77, "3:cpu,cpuacct:/\n2:memory:/\n1:name=systemd:/\n0::/mine/web/init\n");
	fixture_process(&f, 4, 3, 78, "3:cpu,cpuacct:/\n2:memory:/\n1:name=systemd:/\n0::/mine/web\n");
	fixture_process(&f, 5, 1, 79, "3:cpu,cpuacct:/\n2:memory:/\n1:name=systemd:/\n0::/mine/webs\n");
	fixture_process(&f, 6, 1, 80, "3:cpu,cpuacct:/db\n2:memory:/db\n1:name=systemd:/\n0::/\n");
	fixture_process(&f, 7, 1, 81, "3:cpu,cpuacct:/\n2:memory:/\n1:name=systemd:/\n0::/\n");
	fixture_process(&f, 8, 1, 82, "0::/gone\n");
	/* version 2 was mounted elsewhere where runc ran */
	fixture_put(&f, "/run/runc/web/state.json",
		    RUNC_STATE("web", 3, 77, "/sys/fs/cgroup/mine/web",
			       "\"io.container.manager=libpod\",\"nerdctl/name=front\",\"bundle=/x\",\"\",7"));
	fixture_put(&f, "/run/crun/db/status", CRUN_STATUS(6, 80, "/db"));
	fixture_put(&f, "/run/crun/db/config.json",
		    "{\"annotations\":{\"io.kubernetes.container.name\":\"pg\"}}");
	fixture_put(&f, "/run/crun/nogroup/status", CRUN_STATUS(7, 81, ""));
	fixture_put(&f, "/run/crun/reused/status", CRUN_STATUS(8, 1, "/gone")); /* another process by now */
	fixture_put(&f, "/run/crun/ended/status", CRUN_STATUS(999, 1, "/ended"));
	assert_found(&f, "web front - - - podman :/mine/web 3 4\n"
			 "nogroup nogroup - - - crun :- 7\n"
			 "db pg - - - crun memory:/db 6\n");
}

static void test_lxc_and_nspawn(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();

	fixture_v2(&f);
	process(&f, 3, "/lxc.payload.web1/init.scope");
	process(&f, 4, "/lxc.payload.web1/system.slice/docker-" ID_A ".scope"); /* a container within */
	process(&f, 5, "/lxc.monitor.web1");
	process(&f, 6, "/machine.slice/systemd-nspawn@deb\\x2d12.service/payload/init.scope");
	process(&f, 7, "/machine.slice/systemd-nspawn@deb\\x2d12.service/supervisor");
	assert_found(&f, "deb-12 deb-12 - - - systemd-nspawn "
			 ":/machine.slice/systemd-nspawn@deb\\x2d12.service/payload 6\n"
			 "web1 web1 - - - lxc :/lxc.payload.web1 3 4\n"
			 "3f4 - - - - docker :/lxc.payload.web1/system.slice/docker-" ID_A ".scope 4\n");
}

static void test_v1(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();

	fixture_v1(&f);
	fixture_process(&f, 3, 1, 1, "3:cpu,cpuacct:/docker/" ID_A "\n2:memory:/docker/" ID_A "\n1:name=systemd:/\n");
	fixture_process(&f, 4, 1, 1, "3:cpu,cpuacct:/docker/" ID_A "\n2:memory:/\n1:name=systemd:/docker/" ID_A "\n");
	assert_found(&f, "3f4 - - - - docker memory:/docker/" ID_A " 3\n"
			 "3f4 - - - - docker name=systemd:/docker/" ID_A " 4\n");
}

/* -- what cannot be trusted --------------------------------------------------------------------- */

/* In a group of his own, anybody can call one as the container of somebody else is called. */
static void test_spoofed(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();
	struct container_choice chosen = { 0 };
	struct container_list l;
	struct err e = { "" };

	fixture_v2(&f);
	process(&f, 3, USERS "docker-" ID_A ".scope");
	process(&f, 4, "/system.slice/docker-" ID_A ".scope");
	process(&f, 5, USERS "crun-web.scope");
	process(&f, 6, "/any/web");
	process(&f, 7, USERS "crun-shop.scope");
	process(&f, 8, "/system.slice/docker-" ID_A ".scope/lxc.payload.shop");
	fixture_put(&f, "/run/crun/web/status", CRUN_STATUS(6, 106, "/any/web"));
	fixture_put(&f, "/var/lib/docker/containers/" ID_A "/config.v2.json", "{\"Name\":\"/shop\"}");
	assert_found(&f, "3f4 shop - - - docker :/system.slice/docker-" ID_A ".scope 4 8\n"
			 "shop shop - - - lxc :/system.slice/docker-" ID_A ".scope/lxc.payload.shop 8\n"
			 "shop shop - - - crun :" USERS "crun-shop.scope 7\n"
			 "web web - - - crun :/any/web 6\n"
			 "web web - - - crun :" USERS "crun-web.scope 5\n"
			 "3f4 - - - - docker :" USERS "docker-" ID_A ".scope 3\n");
	l = fixture_containers(&f);
	assert_int_equal(container_list_choose(&l, "3f4c8b1d5e6a", &chosen, &e), 0);
	assert_int_equal(chosen.n, 1);
	assert_string_equal(chosen.items[0]->cgroup, "/system.slice/docker-" ID_A ".scope");
	vec_free(&chosen);
	assert_int_equal(container_list_choose(&l, "web", &chosen, &e), 0);
	assert_int_equal(chosen.n, 1);
	assert_string_equal(chosen.items[0]->cgroup, "/any/web");
	vec_free(&chosen);
	assert_int_equal(container_list_choose(&l, "shop", &chosen, &e), 0);
	assert_int_equal(chosen.n, 1);
	assert_string_equal(chosen.items[0]->id, ID_A);
	vec_free(&chosen);
	container_list_deinit(&l);
}

static void put_linked(const struct fixture *f, const char *path, const char *to)
{
	char full[PATH_MAX];

	fixture_put(f, path, "");
	fixture_path(f, path, full);
	unlink(full);
	if (to ? symlink(to, full) : mkfifo(full, 0600))
		fail_msg("%s", full);
}

/* Files that are none, that are too large, broken, or of somebody else: the container is listed without. */
static void test_files_that_are_none(void **state)
{
	static const char *const broken[] = {
		"", "null", "[]", "7", "{", "{\"Name\":7}", "{\"Name\":\"\"}", "{\"Config\":[]}",
		"{\"Config\":{\"Labels\":7}}",
	};
	static const char file[] = "/var/lib/docker/containers/" ID_A "/config.v2.json";
	static const char want[] = "3f4 - - - - docker :/docker/" ID_A " 3\n";
	_cleanup_(fixture_remove) struct fixture f = fixture_make();
	char *deep = calloc(1, 1 << 20), full[PATH_MAX];

	fixture_v2(&f);
	process(&f, 3, "/docker/" ID_A);
	put_linked(&f, file, "/dev/zero");
	assert_found(&f, want);
	put_linked(&f, file, NULL);
	assert_found(&f, want);
	fixture_path(&f, file, full);
	unlink(full);
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		fixture_put(&f, file, broken[i]);
		assert_found(&f, want);
	}
	memset(deep, '[', 100);
	fixture_put(&f, file, deep);
	assert_found(&f, want);
	memset(deep, ' ', (1 << 20) - 1);
	memcpy(deep, "{\"Name\":\"/web\"}", 15);
	fixture_put(&f, file, deep);
	assert_found(&f, want);
	/* a name that is longer than any */
	memset(deep, 'x', (1 << 20) - 1);
	memcpy(deep, "{\"Name\":\"/", 10);
	memcpy(deep + 300, "\"}", 3);
	fixture_put(&f, file, deep);
	assert_found(&f, want);
	memcpy(deep + 200, "\"}", 3);
	fixture_put(&f, file, deep);
	{
		_cleanup_(container_list_deinit) struct container_list l = fixture_containers(&f);

		assert_int_equal(strlen(l.items[0].words.name), 190);
	}
	if (!geteuid() && !chown(full, 65534, 65534))
		assert_found(&f, want);
	free(deep);
}

static void test_states_that_are_none(void **state)
{
	static const char *const broken[] = {
		"{}", "[]", "{\"id\":\"web\"}", RUNC_STATE("", 3, 103, "/a", ""), RUNC_STATE("../a", 3, 103, "/a", ""),
		RUNC_STATE("web", -3, 103, "/a", ""), RUNC_STATE("web", 99999999999, 103, "/a", ""),
		"{\"id\":7,\"init_process_pid\":3,\"init_process_start\":103}",
	};
	_cleanup_(fixture_remove) struct fixture f = fixture_make();

	fixture_v2(&f);
	process(&f, 3, "/a");
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		fixture_put(&f, "/run/runc/web/state.json", broken[i]);
		assert_found(&f, "");
	}
	/* the top group is nobody's own, and a group that the process is not in is not the container's */
	fixture_put(&f, "/run/runc/web/state.json", RUNC_STATE("web", 3, 103, "/", ""));
	assert_found(&f, "web web - - - runc :- 3\n");
	fixture_put(&f, "/run/runc/web/state.json", RUNC_STATE("web", 3, 103, "/sys/fs/cgroup/b", ""));
	assert_found(&f, "web web - - - runc :- 3\n");
}

static void test_too_many(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();
	struct container_list l;
	char group[128];

	fixture_v2(&f);
	for (int i = 1; i <= CONTAINERS_MAX + 7; i++) {
		snprintf(group, sizeof(group), "/lxc.payload.%d", i);
		process(&f, i, group);
	}
	l = fixture_containers(&f);
	assert_int_equal(l.n, CONTAINERS_MAX);
	assert_int_equal(l.left_out, 7);
	container_list_deinit(&l);
}

/* -- of a process ------------------------------------------------------------------------------- */

static void test_of_pid(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();
	struct container_list l;

	fixture_v2(&f);
	process(&f, 3, "/lxc.payload.out/docker/" ID_A "/x");
	process(&f, 4, "/lxc.payload.out");
	process(&f, 5, "/");
	l = fixture_containers(&f);
	assert_string_equal(container_list_of_pid(&l, 3)->id, ID_A);
	assert_string_equal(container_list_of_pid(&l, 4)->id, "out");
	assert_null(container_list_of_pid(&l, 5));
	assert_null(container_list_of_pid(&l, 6));
	/* as it is now: one that has come or moved since */
	process(&f, 5, "/lxc.payload.out/a/b");
	assert_string_equal(container_list_of_pid(&l, 5)->id, "out");
	assert_null(container_list_of_text(&l, "0::/lxc.payload.output\n"));
	container_list_deinit(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_docker),
		cmocka_unit_test(test_containerd),
		cmocka_unit_test(test_crio_and_podman),
		cmocka_unit_test(test_conmon),
		cmocka_unit_test(test_runc_and_crun),
		cmocka_unit_test(test_lxc_and_nspawn),
		cmocka_unit_test(test_v1),
		cmocka_unit_test(test_spoofed),
		cmocka_unit_test(test_files_that_are_none),
		cmocka_unit_test(test_states_that_are_none),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_of_pid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
