// SPDX-License-Identifier: Apache-2.0
/* A socket that lingers stands for a probe that the kernel does not give back at once: closing it waits as well. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "probe/detach.h"

#define SECOND	 1000000000ULL
#define LINGER_S 3

struct peers {
	int lingers, reads_nothing;
};

static int make_peers(void **state)
{
	static struct peers p;
	const struct linger l = { .l_onoff = 1, .l_linger = LINGER_S };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	static char bytes[65536];

	assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &size), 0);
	p.lingers = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(p.lingers, (struct sockaddr *)&a, sizeof(a)), 0);
	p.reads_nothing = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	while (send(p.lingers, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(setsockopt(p.lingers, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
	*state = &p;
	return 0;
}

static int close_peers(void **state)
{
	const struct peers *p = *state;

	close(p->reads_nothing);
	return 0;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Whether nobody has the other end open, within so long. */
static bool at_its_end(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

static void test_all_at_once(void **state)
{
	int pair[2][2], fds[2];

	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe2(pair[i], O_CLOEXEC), 0);
		fds[i] = pair[i][1];
	}
	detach_together(fds, 2, NULL, 0);
	for (int i = 0; i < 2; i++) {
		assert_false(is_open(fds[i]));
		assert_true(at_its_end(pair[i][0], 0));
		close(pair[i][0]);
	}
	assert_int_equal(waitpid(-1, NULL, 0), -1); /* no child is left */
	assert_int_equal(errno, ECHILD);
}

static void test_one_that_waits(void **state)
{
	const struct peers *p = *state;
	const uint64_t before = clock_now();
	int other[2];

	assert_int_equal(pipe2(other, O_CLOEXEC), 0);
	detach_together(&p->lingers, 1, NULL, 0);
	assert_true(clock_now() - before < SECOND);
	assert_false(is_open(p->lingers));
	close(other[1]);
	assert_true(at_its_end(other[0], 100)); /* the child does not have it */
	close(other[0]);
	while (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD)
		assert_true(clock_now() - before < 10 * LINGER_S * SECOND); /* the child is waited for */
	assert_true(clock_now() - before > (LINGER_S - 1) * SECOND);	    /* and did wait itself */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_at_once),
		cmocka_unit_test_setup_teardown(test_one_that_waits, make_peers, close_peers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
