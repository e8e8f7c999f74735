// SPDX-License-Identifier: Apache-2.0
/* What servers at Docker's socket may answer, in time or never, and what containers are called by it. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <cmocka.h>
#include "base/clock.h"
#include "container/container.h"
#include "container/unix_http.h"
#include "container_fixture.h"

#define SOCKET_PATH "/run/docker.sock"

/* What the server does with a connection, after the request. */
struct manner {
	const char *answer; /* written again and again, `times` */
	size_t times;
	unsigned int pause_ms; /* before each */
	bool stays;	       /* does not close */
};

static void serve(int listener, const struct manner *m)
{
	char request[4096];
	int fd = accept(listener, NULL, NULL);

	if (fd < 0 || read(fd, request, sizeof(request)) <= 0)
		_exit(1);
	if (strncmp(request, "GET /containers/json HTTP/1.0\r\n", 31))
		_exit(2);
	for (size_t i = 0; i < m->times; i++) {
		usleep(m->pause_ms * 1000);
		if (write(fd, m->answer, strlen(m->answer)) < 0)
			_exit(0);
	}
	while (m->stays)
		pause();
	_exit(0);
}

/* A process that serves one connection; -1 as its id: it does not even take that. */
static pid_t start(const struct fixture *f, const struct manner *m)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	fixture_folder(f, "/run");
	snprintf(at.sun_path, sizeof(at.sun_path), "%s" SOCKET_PATH, f->root);
	unlink(at.sun_path);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 1), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		signal(SIGPIPE, SIG_IGN);
		serve(listener, m);
	}
	close(listener);
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

#define ONCE(text) { .answer = (text), .times = 1 }
#define OK "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"

static const struct {
	struct manner manner;
	int want;
	const char *body;
} cases[] = {
	{ ONCE(OK "[1]"), 0, "[1]" },
	{ ONCE("HTTP/1.1 200 OK\r\n\r\n"), 0, "" },
	{ ONCE("HTTP/1.0 500 Internal Server Error\r\n\r\nx"), -EBADMSG, NULL },
	{ ONCE("HTTP/1.0 20"), -EBADMSG, NULL },
	{ ONCE("SSH-2.0-OpenSSH\r\n\r\n"), -EBADMSG, NULL },
	{ ONCE(""), -EBADMSG, NULL },
	{ { .answer = OK, .times = 1, .stays = true }, -ETIMEDOUT, NULL },
	{ { .answer = "x", .times = 1000, .pause_ms = 1 }, -ETIMEDOUT, NULL }, /* a little all the time */
	{ { .answer = OK "0123456789012345678901234567890123456789", .times = 1000 }, -EFBIG, NULL },
};

static void test_answers(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(fixture_remove) struct fixture f = fixture_make();
		_cleanup_(strbuf_deinit) struct strbuf body = { 0 };
		pid_t server = start(&f, &cases[i].manner);
		const uint64_t start_ns = clock_now();

		assert_int_equal(unix_http_get(f.root, SOCKET_PATH, "/containers/json", 300, 10000, &body),
				 cases[i].want);
		assert_true(clock_now() - start_ns < 5000000000ULL);
		if (cases[i].body)
			assert_string_equal(body.s, cases[i].body);
		stop(server);
	}
}

static void test_nobody(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();
	_cleanup_(strbuf_deinit) struct strbuf body = { 0 };

	assert_int_equal(unix_http_get(f.root, SOCKET_PATH, "/", 300, 100, &body), -ENOENT);
	fixture_put(&f, SOCKET_PATH, "");
	assert_int_equal(unix_http_get(f.root, SOCKET_PATH, "/", 300, 100, &body), -ENOENT);
	stop(start(&f, &(struct manner)ONCE("")));
	assert_int_equal(unix_http_get(f.root, SOCKET_PATH, "/", 300, 100, &body), -ENOENT);
}

/* As many wait as may, and nobody takes the next. */
static void test_full(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();
	_cleanup_(strbuf_deinit) struct strbuf body = { 0 };
	struct manner m = { .answer = "", .stays = true };
	pid_t server = start(&f, &m);
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fds[8];

	kill(server, SIGSTOP);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s" SOCKET_PATH, f.root);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fds[i], (struct sockaddr *)&at, sizeof(at));
	}
	assert_int_equal(unix_http_get(f.root, SOCKET_PATH, "/", 300, 100, &body), -EAGAIN);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	stop(server);
}

/* -- names by it -------------------------------------------------------------------------------- */

static void assert_words(const struct fixture *f, const char *name, const char *image)
{
	struct container_list l;
	struct err e = { "" };

	assert_int_equal(container_list_find(f->root, &l, &e), 0);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.items[0].words.name ?: "-", name);
	assert_string_equal(l.items[0].words.image ?: "-", image);
	container_list_deinit(&l);
}

static void test_names(void **state)
{
	static const struct {
		const char *answer, *name, *image;
	} said[] = {
		{ OK "[{\"Id\":\"" ID_B "\",\"Names\":[\"/db\"]},"
		     "{\"Id\":\"" ID_A "\",\"Names\":[\"/db/web_1\",\"/web\"],\"Image\":\"nginx\",\"Labels\":{}}]",
		  "web", "nginx" },
		{ OK "[{\"Id\":\"" ID_A "\",\"Names\":[\"/k8s_x\"],\"Image\":\"nginx\","
		     "\"Labels\":{\"io.kubernetes.container.name\":\"app\"}}]",
		  "app", "nginx" },
		{ OK "[{\"Id\":\"" ID_A "\",\"Names\":[7,\"\",\"/\"],\"Image\":[]}]", "-", "-" },
		{ OK "[{\"Id\":\"" ID_A "\"},7,null,[],{}]", "-", "-" },
		{ OK "{}", "-", "-" },
		{ OK "[", "-", "-" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
		_cleanup_(fixture_remove) struct fixture f = fixture_make();
		pid_t server = start(&f, &(struct manner)ONCE(said[i].answer));

		fixture_v2(&f);
		fixture_process(&f, 3, 1, 1, "0::/docker/" ID_A "\n");
		assert_words(&f, said[i].name, said[i].image);
		stop(server);
	}
}

/* Docker hangs: the list is there all the same. */
static void test_hang(void **state)
{
	_cleanup_(fixture_remove) struct fixture f = fixture_make();
	pid_t server = start(&f, &(struct manner){ .answer = "", .stays = true });
	const uint64_t start_ns = clock_now();

	fixture_v2(&f);
	fixture_process(&f, 3, 1, 1, "0::/docker/" ID_A "\n");
	assert_words(&f, "-", "-");
	assert_true(clock_now() - start_ns < 5000000000ULL);
	/* nobody is asked when everything is known already */
	fixture_put(&f, "/var/lib/docker/containers/" ID_A "/config.v2.json", "{\"Name\":\"/web\"}");
	assert_words(&f, "web", "-");
	assert_true(clock_now() - start_ns < 5000000000ULL);
	stop(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers), cmocka_unit_test(test_nobody), cmocka_unit_test(test_full),
		cmocka_unit_test(test_names),	cmocka_unit_test(test_hang),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
