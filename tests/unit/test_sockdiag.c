// SPDX-License-Identifier: Apache-2.0
/* What the kernel writes of sockets: as bytes, as text, and from another network namespace. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <linux/unix_diag.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "proc/procfs.h"
#include "proc/sockparse.h"

/* -- messages ------------------------------------------------------------------------------------
 */

struct bytes {
	_Alignas(8) uint8_t data[2048];
	size_t n;
};

static void *append(struct bytes *b, const void *data, size_t n)
{
	void *at = b->data + b->n;

	assert_true(b->n + NLMSG_ALIGN(n) <= sizeof(b->data));
	memset(at, 0, NLMSG_ALIGN(n));
	if (data)
		memcpy(at, data, n);
	b->n += NLMSG_ALIGN(n);
	return at;
}

static void append_message(struct bytes *b, uint16_t type, const struct bytes *body)
{
	const struct nlmsghdr h = { .nlmsg_len = (uint32_t)(sizeof(h) + body->n),
				    .nlmsg_type = type,
				    .nlmsg_seq = 7 };

	append(b, &h, sizeof(h));
	append(b, body->data, body->n);
}

static void append_attribute(struct bytes *b, uint16_t type, const void *data, size_t n)
{
	const struct rtattr a = { .rta_type = type, .rta_len = (uint16_t)RTA_LENGTH(n) };

	append(b, &a, sizeof(a));
	append(b, data, n);
}

static void append_done(struct bytes *b, int32_t e)
{
	struct bytes body = { 0 };

	append(&body, &e, sizeof(e));
	append_message(b, NLMSG_DONE, &body);
}

static struct inet_diag_msg inet_message(uint32_t inode)
{
	return (struct inet_diag_msg){
		.idiag_family = AF_INET,
		.idiag_state = SOCKET_CLOSE_WAIT,
		.id = { .idiag_sport = htons(4242),
			.idiag_dport = htons(80),
			.idiag_src = { htonl(0x7f000001) },
			.idiag_dst = { htonl(0x7f000002) } },
		.idiag_rqueue = 5,
		.idiag_wqueue = 6,
		.idiag_inode = inode,
	};
}

static void test_inet_messages(void **state)
{
	const struct tcp_info info = { .tcpi_last_ack_recv = 312000 };
	struct inet_diag_msg m = inet_message(99);
	struct bytes all = { 0 }, body = { 0 };
	const struct socket_info *s;
	struct socket_table t = { 0 };

	append(&body, &m, sizeof(m));
	append_attribute(&body, INET_DIAG_SKMEMINFO, "12345", 5);
	append_attribute(&body, INET_DIAG_INFO, &info, sizeof(info));
	append_message(&all, SOCK_DIAG_BY_FAMILY, &body);
	m.idiag_inode = 0; /* no descriptor of it */
	body.n = 0;
	append(&body, &m, sizeof(m));
	append_message(&all, SOCK_DIAG_BY_FAMILY, &body);
	assert_int_equal(sockparse_netlink(&t, SOCKET_TCP, 7, all.data, all.n), 0);
	append_done(&all, 0);
	assert_int_equal(sockparse_netlink(&t, SOCKET_TCP, 7, all.data, all.n), 1);
	assert_int_equal(t.n, 1);
	s = socket_table_get(&t, 99);
	assert_non_null(s);
	assert_int_equal(s->state, SOCKET_CLOSE_WAIT);
	assert_int_equal(s->local_port, 4242);
	assert_int_equal(s->remote_port, 80);
	assert_memory_equal(s->local, "\x7f\0\0\x01", 4);
	assert_memory_equal(s->remote, "\x7f\0\0\x02", 4);
	assert_int_equal(s->receive_queue, 5);
	assert_int_equal(s->send_queue, 6);
	assert_int_equal(s->last_ack_ms, 312000);
	/* of a multipath socket: itself after its subflow */
	all.n = body.n = 0;
	m.idiag_inode = 99;
	m.idiag_state = SOCKET_ESTABLISHED;
	append(&body, &m, sizeof(m));
	append_message(&all, SOCK_DIAG_BY_FAMILY, &body);
	assert_int_equal(sockparse_netlink(&t, SOCKET_TCP, 7, all.data, all.n), 0);
	assert_int_equal(t.n, 1);
	s = socket_table_get(&t, 99);
	assert_int_equal(s->state, SOCKET_ESTABLISHED);
	assert_int_equal(s->last_ack_ms, 312000);
	socket_table_deinit(&t);

	/* of an older kernel, whose structure ends before; of another protocol, whose structure is
	 * another */
	all.n = body.n = 0;
	m.idiag_inode = 5;
	append(&body, &m, sizeof(m));
	append_attribute(&body, INET_DIAG_INFO, &info,
			 offsetof(struct tcp_info, tcpi_last_ack_recv));
	append_message(&all, SOCK_DIAG_BY_FAMILY, &body);
	assert_int_equal(sockparse_netlink(&t, SOCKET_TCP, 7, all.data, all.n), 0);
	assert_int_equal(socket_table_get(&t, 5)->last_ack_ms, UINT32_MAX);
	socket_table_deinit(&t);
}

static void test_unix_messages(void **state)
{
	const struct unix_diag_msg m = { .udiag_type = SOCK_STREAM,
					 .udiag_state = 1,
					 .udiag_ino = 12 };
	const struct unix_diag_rqlen queue = { 3, 4 };
	const uint32_t peer = 13;
	const uint8_t shut = 3;
	struct bytes all = { 0 }, body = { 0 };
	const struct socket_info *s;
	struct socket_table t = { 0 };

	append(&body, &m, sizeof(m));
	append_attribute(&body, UNIX_DIAG_NAME, "\0a\0b", 4);
	append_attribute(&body, UNIX_DIAG_PEER, &peer, sizeof(peer));
	append_attribute(&body, UNIX_DIAG_RQLEN, &queue, sizeof(queue));
	append_attribute(&body, UNIX_DIAG_SHUTDOWN, &shut, sizeof(shut));
	append_message(&all, SOCK_DIAG_BY_FAMILY, &body);
	append_done(&all, 0);
	assert_int_equal(sockparse_netlink(&t, SOCKET_UNIX, 7, all.data, all.n), 1);
	s = socket_table_get(&t, 12);
	assert_non_null(s);
	assert_string_equal(s->path, "@a@b");
	assert_int_equal(s->peer, 13);
	assert_int_equal(s->receive_queue, 3);
	assert_int_equal(s->send_queue, 4);
	assert_int_equal(s->shutdown, 3);
	socket_table_deinit(&t);
}

static void test_bad_messages(void **state)
{
	struct inet_diag_msg m = inet_message(99);
	struct bytes all = { 0 }, body = { 0 };
	struct socket_table t = { 0 };

	append(&body, &m, sizeof(m));
	append_message(&all, SOCK_DIAG_BY_FAMILY, &body);
	assert_int_equal(sockparse_netlink(&t, SOCKET_TCP, 8, all.data, all.n), -EBADMSG);
	for (size_t n = 1; n < all.n; n++)
		assert_int_equal(sockparse_netlink(&t, SOCKET_TCP, 7, all.data, n), -EBADMSG);
	assert_int_equal(t.n, 0);
	/* the kernel's own refusals: in place of a dump, and at the end of one */
	all.n = 0;
	append_done(&all, -ENOENT);
	assert_int_equal(sockparse_netlink(&t, SOCKET_TCP, 7, all.data, all.n), -ENOENT);
	((struct nlmsghdr *)all.data)->nlmsg_type = NLMSG_ERROR;
	assert_int_equal(sockparse_netlink(&t, SOCKET_TCP, 7, all.data, all.n), -ENOENT);
	socket_table_deinit(&t);
}

/* -- text ----------------------------------------------------------------------------------------
 */

static void test_inet_lines(void **state)
{
	static const char text[] =
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid "
		" timeout inode\n"
		"   0: 0100007F:1092 0200007F:0050 08 00000006:00000005 00:00000000 00000000     0 "
		"       0 99 1 0000000000000000 20 4 1 10 -1\n"
		"   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0 "
		"       0 100\n"
		"   2: 0000007F:0016 00000000 nonsense\n"
		"   3: 0100007F:1092 0200007F:0050 06 00000000:00000000 03:00000F00 00000000     0 "
		"       0 0 3 0000000000000000\n";
	static const char text6[] = "   0: 00000000000000000000000001000000:1092 "
				    "0000000000000000FFFF00000100007F:0050 01 "
				    "00000000:00000000 02:00000000 00000000  1000        0 7 1\n";
	const struct socket_info *s;
	struct socket_table t = { 0 };

	assert_int_equal(sockparse_text(&t, SOCKET_TCP, text), 0);
	assert_int_equal(t.n, 2);
	s = socket_table_get(&t, 99);
	assert_non_null(s);
	assert_int_equal(s->state, SOCKET_CLOSE_WAIT);
	assert_int_equal(s->local_port, 4242);
	assert_int_equal(s->remote_port, 80);
	assert_memory_equal(s->local, "\x7f\0\0\x01", 4);
	assert_memory_equal(s->remote, "\x7f\0\0\x02", 4);
	assert_int_equal(s->receive_queue, 5);
	assert_int_equal(s->send_queue, 6);
	assert_int_equal(s->last_ack_ms, UINT32_MAX);
	s = socket_table_get(&t, 100);
	assert_int_equal(s->state, SOCKET_LISTEN);
	assert_int_equal(s->receive_queue, 0);
	assert_int_equal(s->send_queue, UINT32_MAX);
	assert_int_equal(sockparse_text(&t, SOCKET_TCP6, text6), 0);
	s = socket_table_get(&t, 7);
	assert_non_null(s);
	assert_memory_equal(s->local, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
	assert_memory_equal(s->remote, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\x01", 16);
	socket_table_deinit(&t);
}

static void test_unix_lines(void **state)
{
	static const char text[] =
		"Num       RefCount Protocol Flags    Type St Inode Path\n"
		"0000000000000000: 00000002 00000000 00010000 0001 01 20 /run/a b\n"
		"0000000000000000: 00000003 00000000 00000000 0005 03 21\n"
		"0000000000000000: 00000003 00000000 00000000 0002 01    22 @abs@";
	const struct socket_info *s;
	struct socket_table t = { 0 };

	assert_int_equal(sockparse_text(&t, SOCKET_UNIX, text), 0);
	assert_int_equal(t.n, 3);
	s = socket_table_get(&t, 20);
	assert_int_equal(s->state, SOCKET_LISTEN);
	assert_string_equal(s->path, "/run/a b");
	assert_int_equal(s->receive_queue, UINT32_MAX);
	assert_int_equal(s->send_queue, UINT32_MAX);
	s = socket_table_get(&t, 21);
	assert_int_equal(s->state, SOCKET_ESTABLISHED);
	assert_int_equal(s->type, SOCK_SEQPACKET);
	assert_null(s->path);
	s = socket_table_get(&t, 22);
	assert_int_equal(s->state, SOCKET_CLOSE);
	assert_string_equal(s->path, "@abs@");
	socket_table_deinit(&t);
}

/* -- both, and elsewhere -------------------------------------------------------------------------
 */

static uint64_t inode(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static int listening(int family)
{
	const int fd = socket(family, SOCK_STREAM, 0);

	assert_int_equal(listen(fd, 5), 0);
	return fd;
}

/* The two ways to learn of a socket tell the same of it. */
static void test_text_as_netlink(void **state)
{
	static const struct {
		enum socket_protocol protocol;
		const char *file;
	} files[] = {
		{ SOCKET_TCP, "net/tcp" },   { SOCKET_TCP6, "net/tcp6" }, { SOCKET_UDP, "net/udp" },
		{ SOCKET_UDP6, "net/udp6" }, { SOCKET_UNIX, "net/unix" },
	};
	const int listener = listening(AF_INET), client = socket(AF_INET, SOCK_STREAM, 0);
	struct socket_table text = { 0 }, netlink;
	struct sockaddr_in at;
	socklen_t size = sizeof(at);
	size_t same = 0;
	int pair[2];

	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, size), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char *lines;

		if (procfs_read(getpid(), files[i].file, &lines, NULL))
			continue;
		assert_int_equal(sockparse_text(&text, files[i].protocol, lines), 0);
		free(lines);
	}
	assert_int_equal(socket_table_read(getpid(), &netlink), 0);
	vec_foreach(a, &text) {
		const struct socket_info *b = socket_table_get(&netlink, a->inode);

		if (a->inode != inode(listener) && a->inode != inode(client) &&
		    a->inode != inode(pair[0]) && a->inode != inode(pair[1]))
			continue;
		same++;
		assert_non_null(b);
		assert_int_equal(a->protocol, b->protocol);
		assert_int_equal(a->state, b->state);
		assert_int_equal(a->type, b->type);
		assert_int_equal(a->local_port, b->local_port);
		assert_int_equal(a->remote_port, b->remote_port);
		assert_memory_equal(a->local, b->local, 16);
		assert_memory_equal(a->remote, b->remote, 16);
	}
	assert_int_equal(same, 4);
	socket_table_deinit(&text);
	socket_table_deinit(&netlink);
	close(listener);
	close(client);
	close(pair[0]);
	close(pair[1]);
}

/* Tells its listening socket's inode number, from a network namespace of its own. */
static void run_elsewhere(int out)
{
	uint64_t number = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNET : CLONE_NEWNET))
		number = inode(listening(AF_INET));
	if (write(out, &number, sizeof(number)) == sizeof(number))
		pause();
	_exit(1);
}

static void test_other_namespace(void **state)
{
	const int mine = listening(AF_INET);
	const struct socket_info *s;
	struct stat before, after;
	struct socket_table t;
	uint64_t theirs;
	int out[2];
	pid_t pid;

	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (!pid)
		run_elsewhere(out[1]);
	assert_int_equal(read(out[0], &theirs, sizeof(theirs)), sizeof(theirs));
	stat("/proc/thread-self/ns/net", &before);
	assert_int_equal(socket_table_read(pid, &t), 0);
	stat("/proc/thread-self/ns/net", &after);
	assert_int_equal(before.st_ino, after.st_ino);
	if (theirs) { /* the host permits such namespaces */
		s = socket_table_get(&t, theirs);
		assert_non_null(s);
		assert_int_equal(s->state, SOCKET_LISTEN);
		assert_null(socket_table_get(&t, inode(mine)));
	}
	socket_table_deinit(&t);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(mine);
	close(out[0]);
	close(out[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inet_messages),	cmocka_unit_test(test_unix_messages),
		cmocka_unit_test(test_bad_messages),	cmocka_unit_test(test_inet_lines),
		cmocka_unit_test(test_unix_lines),	cmocka_unit_test(test_text_as_netlink),
		cmocka_unit_test(test_other_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
