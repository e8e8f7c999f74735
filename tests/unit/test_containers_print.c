// SPDX-License-Identifier: Apache-2.0
/* `leaktrace containers` against the files in tests/golden. UPDATE_GOLDEN=1 rewrites them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "app/containers.h"
#include "container_fixture.h"

static char *printed(const struct container_list *l, int (*print)(const struct container_list *l, FILE *out))
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	assert_non_null(out);
	assert_int_equal(print(l, out), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void assert_golden(const char *file, const struct container_list *l,
			  int (*print)(const struct container_list *l, FILE *out))
{
	_cleanup_free_ char *got = printed(l, print), *want = NULL;
	size_t cap = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "tests/golden/%s", file);
	if (getenv("UPDATE_GOLDEN")) {
		f = fopen(path, "we");
		assert_non_null(f);
		fputs(got, f);
		fclose(f);
	}
	f = fopen(path, "re");
	if (!f)
		fail_msg("%s cannot be read; run from the top of the tree", path);
	if (getdelim(&want, &cap, '\0', f) < 0)
		fail_msg("%s is empty", path);
	fclose(f);
	assert_string_equal(got, want);
}

static void test_golden(void **state)
{
	static const char *const words =
		"{\"Name\":\"/%s\",\"Config\":{\"Image\":\"%s\",\"Labels\":{%s}}}";
	_cleanup_(fixture_remove) struct fixture f = fixture_make();
	struct container_list l;
	char text[1024];
	struct err e = { "" };

	fixture_hybrid(&f);
#define NONE "3:cpu,cpuacct:/\n1:name=systemd:/\n"
	fixture_process(&f, 300, 1, 1, NONE "0::/system.slice/docker-" ID_A ".scope\n");
	for (int i = 0; i < 1009; i++)
		fixture_process(&f, 1000 + i, 1, 1, NONE "0::/lxc.payload.web1\n");
	fixture_process(&f, 400, 1, 1, NONE "2:memory:/kubepods/burstable/pod1/" ID_B "\n0::/\n");
	fixture_process(&f, 401, 1, 1, NONE "2:memory:/kubepods/burstable/pod1/" ID_B "\n0::/\n");
	fixture_process(&f, 500, 1, 7, NONE "2:memory:/\n0::/\n");
	fixture_process(&f, 600, 1, 1, NONE "0::/lxc.payload.\033[31mred\342\200\256\377\n");
	fixture_put(&f, "/run/crun/bare/status", "{\"pid\":500,\"process-start-time\":7,\"cgroup-path\":\"\"}");
	snprintf(text, sizeof(text), words, "caf\303\251\\u001b[2J\\n",
		 "registry.example:5000/shop/caf\303\251:1.2", "");
	fixture_put(&f, "/var/lib/docker/containers/" ID_A "/config.v2.json", text);
	snprintf(text, sizeof(text), words, "k8s_app", "sha256:0123456789",
		 "\"io.kubernetes.container.name\":\"app\",\"io.kubernetes.pod.name\":\"checkout-6d4cf56db6-x2kzq\","
		 "\"io.kubernetes.pod.namespace\":\"prod\"");
	fixture_put(&f, "/var/lib/docker/containers/" ID_B "/config.v2.json", text);
	assert_int_equal(container_list_find(f.root, &l, &e), 0);
	assert_int_equal(l.n, 5);
	assert_golden("containers.txt", &l, containers_text);
	/* a thousand numbers would not be read by anybody */
	vec_foreach(c, &l)
		if (c->pids.n > 5)
			c->pids.n = 5;
	l.left_out = 3;
	assert_golden("containers.json", &l, containers_json);
	container_list_deinit(&l);
}

static void test_none(void **state)
{
	const struct container_list l = { 0 };
	_cleanup_free_ char *text = printed(&l, containers_text), *json = printed(&l, containers_json);

	assert_string_equal(text, "NAME  ID  RUNTIME  PROCESSES  POD  IMAGE  CGROUP\n");
	assert_string_equal(json, "{\n  \"schema\": \"leaktrace.containers/1\",\n  \"left_out\": 0,\n"
				  "  \"containers\": []\n}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
