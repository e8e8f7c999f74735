// SPDX-License-Identifier: Apache-2.0
/* What is meant by the name of a container, and the scope that it makes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "container/scope.h"
#include "container_list_fixture.h"

static void docker(const struct fixture *f, int pid, const char *id, const char *name, const char *labels)
{
	char text[512], path[256];

	snprintf(text, sizeof(text), "0::/docker/%s\n", id);
	fixture_process(f, pid, 1, 1, text);
	snprintf(path, sizeof(path), "/sys/fs/cgroup/docker/%s/cgroup.procs", id);
	snprintf(text, sizeof(text), "%d\n", pid);
	fixture_put(f, path, text);
	snprintf(path, sizeof(path), "/var/lib/docker/containers/%s/config.v2.json", id);
	snprintf(text, sizeof(text), "{\"Name\":\"/%s\",\"Config\":{\"Labels\":{%s}}}", name, labels);
	fixture_put(f, path, text);
}

#define POD(ns, pod, name)                                                                      \
	"\"io.kubernetes.pod.namespace\":\"" ns "\",\"io.kubernetes.pod.name\":\"" pod "\"," \
	"\"io.kubernetes.container.name\":\"" name "\""
#define DIGITS(first) first "0000000000000000000000000000000000000000000000000000000000000"

static struct container_list several(const struct fixture *f)
{
	fixture_v2(f);
	docker(f, 3, DIGITS("aa1"), "web", "");
	docker(f, 4, DIGITS("aa2"), "web2", "");
	docker(f, 5, DIGITS("bb1"), "k1", POD("prod", "shop", "app"));
	docker(f, 6, DIGITS("bb2"), "k2", POD("prod", "shop", "log"));
	docker(f, 7, DIGITS("cc1"), "k3", POD("test", "shop", "app"));
	docker(f, 8, DIGITS("cc2"), "k4", POD("test", "till", "POD"));
	return fixture_containers(f);
}

/* What is meant, as process ids, or why nothing is. */
static const struct {
	const char *name, *pids, *why;
} cases[] = {
	{ DIGITS("aa1"), "3", NULL },
	{ "aa1000000000", "3", NULL },
	{ "aa1", "3", NULL },
	{ "web", "3", NULL }, /* although it begins the name of another */
	{ "web2", "4", NULL },
	{ "b", NULL,
	  "more than one container is meant by 'b': there are prod/shop/app (bb1000000000), prod/shop/log "
	  "(bb2000000000)" },
	{ "aa", NULL, "more than one container is meant by 'aa': there are web (aa1000000000), web2 (aa2000000000)" },
	{ "we", NULL, "more than one container is meant by 'we': there are web (aa1000000000), web2 (aa2000000000)" },
	{ "log", "6", NULL },
	{ "app", NULL,
	  "more than one container is meant by 'app': there are prod/shop/app (bb1000000000), test/shop/app "
	  "(cc1000000000)" },
	{ "prod/shop/app", "5", NULL },
	{ "shop/log", "6", NULL },
	{ "till", "8", NULL },
	{ "prod/shop", "5 6", NULL }, /* a whole pod */
	{ "test/shop", "7", NULL },
	{ "shop", NULL,
	  "more than one container is meant by 'shop': there are prod/shop/app (bb1000000000), prod/shop/log "
	  "(bb2000000000), test/shop/app (cc1000000000)" },
	{ "prod", NULL,
	  "there is no container 'prod': there are prod/shop/app (bb1000000000), prod/shop/log (bb2000000000), "
	  "test/shop/app (cc1000000000), test/till/cc2000000000, web (aa1000000000), web2 (aa2000000000)" },
	{ "shop/", NULL,
	  "there is no container 'shop/': there are prod/shop/app (bb1000000000), prod/shop/log (bb2000000000), "
	  "test/shop/app (cc1000000000), test/till/cc2000000000, web (aa1000000000), web2 (aa2000000000)" },
	{ "", NULL,
	  "there is no container '': there are prod/shop/app (bb1000000000), prod/shop/log (bb2000000000), "
	  "test/shop/app (cc1000000000), test/till/cc2000000000, web (aa1000000000), web2 (aa2000000000)" },
};

static void test_cases(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();
	_cleanup_(container_list_deinit) struct container_list l = several(&f);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct container_choice chosen = { 0 };
		struct number_vec pids = { 0 };
		struct err e = { "" };
		struct scope s = { 0 };
		char text[64] = "";
		int r = container_list_choose(&l, cases[i].name, &chosen, &e);

		if (cases[i].why) {
			assert_int_equal(r, -ENOENT);
			assert_string_equal(e.text, cases[i].why);
			continue;
		}
		if (r)
			fail_msg("%s: %s", cases[i].name, e.text);
		assert_int_equal(scope_of_containers(&l.hierarchies, &chosen, &s, &e), 0);
		assert_int_equal(scope_members(&s, &pids), 0);
		vec_foreach(pid, &pids) {
			assert_int_equal(scope_has(&s, (pid_t)*pid), 1);
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%d", *text ? " " : "", (int)*pid);
		}
		assert_string_equal(text, cases[i].pids);
		vec_foreach(g, &s)
			assert_true(g->id);
		vec_free(&pids);
		vec_free(&chosen);
		scope_deinit(&s);
	}
}

static void test_none(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();
	struct container_choice chosen = { 0 };
	struct container_list l;
	struct err e = { "" };

	fixture_v2(&f);
	l = fixture_containers(&f);
	assert_int_equal(container_list_choose(&l, "web", &chosen, &e), -ENOENT);
	assert_string_equal(e.text, "there is no container 'web': no container runs");
	container_list_deinit(&l);
}

/* What there is does not fit a line: whole names, and how many more. */
static void test_many(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();
	struct container_choice chosen = { 0 };
	struct container_list l;
	char path[256], text[256];
	struct err e = { "" };

	fixture_v2(&f);
	for (int i = 0; i < 53; i++) {
		snprintf(text, sizeof(text), "0::/lxc.payload.a-rather-long-name-%d\n", 100 + i);
		fixture_process(&f, i + 1, 1, 1, text);
	}
	l = fixture_containers(&f);
	assert_int_equal(container_list_choose(&l, "web", &chosen, &e), -ENOENT);
	assert_int_equal(strncmp(e.text, "there is no container 'web': there are a-rather-long-name-100, ", 63), 0);
	assert_non_null(strstr(e.text, "a-rather-long-name-111, and 41 more (leaktrace containers lists them)"));
	container_list_deinit(&l);
	/* one that has no room at all */
	snprintf(path, sizeof(path), "/proc/1/cgroup");
	snprintf(text, sizeof(text), "0::/lxc.payload.%0230d\n", 7);
	fixture_put(&f, path, text);
	memset(text, 'x', sizeof(text));
	text[255] = '\0';
	l = fixture_containers(&f);
	assert_int_equal(container_list_choose(&l, text, &chosen, &e), -ENOENT);
	assert_non_null(strstr(e.text, " more (leaktrace containers lists them)"));
	container_list_deinit(&l);
}

static void test_without_a_group(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();
	struct container_choice chosen = { 0 };
	struct container_list l;
	struct err e = { "" };
	struct scope s;

	fixture_v2(&f);
	fixture_process(&f, 3, 1, 7, "0::/\n");
	fixture_put(&f, "/run/crun/web/status", "{\"pid\":3,\"process-start-time\":7,\"cgroup-path\":\"\"}");
	l = fixture_containers(&f);
	assert_int_equal(container_list_choose(&l, "web", &chosen, &e), 0);
	assert_int_equal(scope_of_containers(&l.hierarchies, &chosen, &s, &e), -ENOENT);
	assert_string_equal(e.text, "container web has no control group of its own: name its processes with -p");
	vec_free(&chosen);
	container_list_deinit(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_without_a_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
