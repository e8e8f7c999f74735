// SPDX-License-Identifier: Apache-2.0
/* Sockets of the test itself in many states, as connections, listeners and descriptors. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include "census_check.h"

/* An address of either family, and what the report calls it. */
struct address {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t size;
	char text[80];
};

static void name(struct address *a)
{
	char s[INET6_ADDRSTRLEN];

	if (a->sa.sa_family == AF_INET)
		snprintf(a->text, sizeof(a->text), "%s:%u",
			 inet_ntop(AF_INET, &a->in.sin_addr, s, sizeof(s)), ntohs(a->in.sin_port));
	else
		snprintf(a->text, sizeof(a->text), "[%s]:%u",
			 inet_ntop(AF_INET6, &a->in6.sin6_addr, s, sizeof(s)),
			 ntohs(a->in6.sin6_port));
}

static struct address local(int fd)
{
	struct address a = { .size = sizeof(a.in6) };

	assert_int_equal(getsockname(fd, &a.sa, &a.size), 0);
	name(&a);
	return a;
}

static uint64_t inode(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

/* Bound to a port of loopback that the system chooses. */
static int bound(int family, int type)
{
	struct address a = { .size = family == AF_INET ? sizeof(a.in) : sizeof(a.in6) };
	const int fd = socket(family, type, 0);

	a.sa.sa_family = (sa_family_t)family;
	if (family == AF_INET)
		a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		a.in6.sin6_addr = in6addr_loopback;
	if (fd >= 0 && bind(fd, &a.sa, a.size)) {
		close(fd);
		return -1;
	}
	return fd;
}

struct tcp {
	int listener, client, server;
	struct address at, from;
};

static void tcp_open(int family, struct tcp *ret)
{
	ret->listener = bound(family, SOCK_STREAM);
	assert_int_equal(listen(ret->listener, 9), 0);
	ret->at = local(ret->listener);
	ret->client = socket(family, SOCK_STREAM, 0);
	assert_int_equal(connect(ret->client, &ret->at.sa, ret->at.size), 0);
	ret->from = local(ret->client);
	ret->server = accept(ret->listener, NULL, NULL);
	assert_true(ret->server >= 0);
}

static void tcp_close(struct tcp *t)
{
	close(t->listener);
	close(t->client);
	close(t->server);
}

static void check_inet(int family, const char *protocol)
{
	struct arena arena = { 0 };
	struct item item;
	struct census c;
	struct tcp t;
	char text[200];
	int copy;

	tcp_open(family, &t);
	assert_int_equal(write(t.client, "seven!!", 7), 7);
	copy = dup(t.client);
	take(&c);
	assert_true(listed(&c, LT_KIND_CONNECTION, inode(t.client)));
	assert_true(listed(&c, LT_KIND_CONNECTION, inode(t.server)));
	assert_false(listed(&c, LT_KIND_CONNECTION, inode(t.listener)));
	assert_true(listed(&c, LT_KIND_LISTENER, inode(t.listener)));
	assert_false(listed(&c, LT_KIND_LISTENER, inode(t.server)));

	item = describe(&c, LT_KIND_CONNECTION, inode(t.client), &arena);
	snprintf(text, sizeof(text), "%s %s to %s, ESTABLISHED", protocol, t.from.text, t.at.text);
	assert_string_equal(item.text, text);
	assert_field(&item, "protocol", protocol);
	assert_field(&item, "local", t.from.text);
	assert_field(&item, "remote", t.at.text);
	assert_field(&item, "state", "ESTABLISHED");
	assert_field_number(&item, "fd", t.client < copy ? t.client : copy);
	assert_field_number(&item, "inode", inode(t.client));
	assert_field_unknown(&item, "peer_closed_seconds");
	assert_null(item.note);
	item = describe(&c, LT_KIND_CONNECTION, inode(t.server), &arena);
	assert_field_number(&item, "receive_queue", 7);
	assert_field_number(&item, "send_queue", 0);

	item = describe(&c, LT_KIND_LISTENER, inode(t.listener), &arena);
	snprintf(text, sizeof(text), "%s %s, LISTEN", protocol, t.at.text);
	assert_string_equal(item.text, text);
	assert_field_unknown(&item, "remote");
	assert_field_number(&item, "send_queue", 9);
	item = describe(&c, LT_KIND_FD, (uint64_t)t.client, &arena);
	snprintf(text, sizeof(text), "%d -> %s %s to %s", t.client, protocol, t.from.text,
		 t.at.text);
	assert_string_equal(item.text, text);
	census_deinit(&c);

	/* held until the last descriptor goes */
	const uint64_t client = inode(t.client);

	close(t.client);
	take(&c);
	assert_true(listed(&c, LT_KIND_CONNECTION, client));
	census_deinit(&c);
	close(copy);
	t.client = -1;
	take(&c);
	assert_false(holds(&c, LT_KIND_CONNECTION, client));
	assert_false(listed(&c, LT_KIND_CONNECTION, client));
	census_deinit(&c);
	tcp_close(&t);
	arena_deinit(&arena);
}

static void test_tcp(void **state)
{
	check_inet(AF_INET, "tcp");
}

static void test_tcp6(void **state)
{
	const int fd = bound(AF_INET6, SOCK_STREAM);

	if (fd < 0)
		return; /* a host without IPv6 */
	close(fd);
	check_inet(AF_INET6, "tcp6");
}

static void test_peer_closed(void **state)
{
	const struct timespec some_time = { .tv_nsec = 60000000 };
	struct holding h = { .peer_closed_ns = 1000000000, .now_ns = 313000000000 };
	struct arena arena = { 0 };
	struct item item;
	struct census c;
	struct tcp t;

	tcp_open(AF_INET, &t);
	close(t.client);
	nanosleep(&some_time, NULL);
	take(&c);
	assert_true(listed(&c, LT_KIND_CONNECTION, inode(t.server)));
	item = describe(&c, LT_KIND_CONNECTION, inode(t.server), &arena);
	assert_field(&item, "state", "CLOSE_WAIT");
	/* when it was, the connection itself tells */
	assert_field_number(&item, "peer_closed_seconds", 0);
	assert_int_equal(strncmp(item.note, "peer closed ", 12), 0);
	assert_in_range(atoi(item.note + 12), 40, 999);
	assert_non_null(strstr(item.note, " ms ago, this side never called close"));
	/* or the probe that saw it */
	h.id = inode(t.server);
	assert_int_equal(kind_of(LT_KIND_CONNECTION)->describe(&c, &h, &arena, &item), 0);
	assert_string_equal(item.note, "peer closed 5m 12s ago, this side never called close");
	assert_field_number(&item, "peer_closed_seconds", 312);
	item = describe(&c, LT_KIND_FD, (uint64_t)t.server, &arena);
	assert_non_null(strstr(item.note, "this side never called close"));
	census_deinit(&c);
	t.client = -1;
	tcp_close(&t);
	arena_deinit(&arena);
}

static void test_half_closed(void **state)
{
	struct arena arena = { 0 };
	struct item item;
	struct census c;
	struct tcp t;

	tcp_open(AF_INET, &t);
	shutdown(t.client, SHUT_WR);
	take(&c);
	item = describe(&c, LT_KIND_CONNECTION, inode(t.client), &arena);
	/* 1 until the peer's system has acknowledged it */
	assert_int_equal(strncmp(field(&item, "state")->string, "FIN_WAIT", 8), 0);
	assert_string_equal(item.note, "this side has shut down sending, the peer has not closed");
	assert_true(listed(&c, LT_KIND_CONNECTION, inode(t.client)));
	item = describe(&c, LT_KIND_CONNECTION, inode(t.server), &arena);
	assert_field(&item, "state", "CLOSE_WAIT");
	census_deinit(&c);
	tcp_close(&t);
	arena_deinit(&arena);
}

/* A connection that was reset is none any more, but its descriptor is still there; a socket that
 * never had a connection is none either, and nothing is wrong with it. */
static void test_reset_and_fresh(void **state)
{
	const struct linger now = { .l_onoff = 1 };
	const int fresh = socket(AF_INET, SOCK_STREAM, 0);
	struct arena arena = { 0 };
	struct item item;
	struct census c;
	struct tcp t;
	char text[80];

	tcp_open(AF_INET, &t);
	assert_int_equal(setsockopt(t.client, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	close(t.client);
	take(&c);
	assert_false(listed(&c, LT_KIND_CONNECTION, inode(t.server)));
	assert_true(holds(&c, LT_KIND_CONNECTION, inode(t.server)));
	item = describe(&c, LT_KIND_CONNECTION, inode(t.server), &arena);
	assert_string_equal(item.text, "tcp, CLOSED");
	assert_string_equal(item.note, "the connection is gone, its descriptor was never closed");
	assert_field_number(&item, "fd", t.server);
	assert_field_unknown(&item, "receive_queue");
	/* of what was acquired after the census, it tells nothing */
	const struct holding young = {
		.id = inode(t.server),
		.acquired_ns = c.began_ns + 1,
		.now_ns = c.began_ns + 1,
	};

	assert_int_equal(kind_of(LT_KIND_CONNECTION)->describe(&c, &young, &arena, &item), 0);
	assert_field_unknown(&item, "state");
	assert_null(item.note);
	assert_false(listed(&c, LT_KIND_CONNECTION, inode(fresh)));
	item = describe(&c, LT_KIND_FD, (uint64_t)fresh, &arena);
	snprintf(text, sizeof(text), "%d -> tcp, not connected", fresh);
	assert_string_equal(item.text, text);
	assert_null(item.note);
	census_deinit(&c);
	t.client = -1;
	tcp_close(&t);
	close(fresh);
	arena_deinit(&arena);
}

static void test_udp(void **state)
{
	const int server = bound(AF_INET, SOCK_DGRAM), client = socket(AF_INET, SOCK_DGRAM, 0);
	const struct address at = local(server);
	struct arena arena = { 0 };
	struct item item;
	struct census c;

	take(&c);
	assert_false(listed(&c, LT_KIND_CONNECTION, inode(client)));
	census_deinit(&c);
	assert_int_equal(connect(client, &at.sa, at.size), 0);
	take(&c);
	assert_true(listed(&c, LT_KIND_CONNECTION, inode(client)));
	assert_false(listed(&c, LT_KIND_CONNECTION, inode(server)));
	item = describe(&c, LT_KIND_CONNECTION, inode(client), &arena);
	assert_field(&item, "protocol", "udp");
	assert_field(&item, "remote", at.text);
	item = describe(&c, LT_KIND_FD, (uint64_t)server, &arena);
	assert_non_null(strstr(item.text, "UNCONNECTED"));
	census_deinit(&c);
	close(server);
	close(client);
	arena_deinit(&arena);
}

/* Listening at `path`; an abstract name begins with a NUL. */
static int unix_listener(const char *path, size_t n, int type, struct sockaddr_un *a,
			 socklen_t *size)
{
	const int fd = socket(AF_UNIX, type, 0);

	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(a->sun_path, path, n);
	*size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	assert_int_equal(bind(fd, (struct sockaddr *)a, *size), 0);
	assert_int_equal(listen(fd, 7), 0);
	return fd;
}

static void check_unix(const char *path, size_t n, int type, const char *shown)
{
	struct arena arena = { 0 };
	struct sockaddr_un at;
	struct item item;
	struct census c;
	socklen_t size;
	char text[200];
	const int listener = unix_listener(path, n, type, &at, &size);
	const int client = socket(AF_UNIX, type, 0), waiting = socket(AF_UNIX, type, 0);
	int server;

	assert_int_equal(connect(client, (struct sockaddr *)&at, size), 0);
	server = accept(listener, NULL, NULL);
	assert_int_equal(connect(waiting, (struct sockaddr *)&at, size), 0);
	take(&c);
	assert_true(listed(&c, LT_KIND_LISTENER, inode(listener)));
	assert_true(listed(&c, LT_KIND_CONNECTION, inode(client)));
	assert_true(listed(&c, LT_KIND_CONNECTION, inode(server)));
	item = describe(&c, LT_KIND_CONNECTION, inode(client), &arena);
	snprintf(text, sizeof(text), "unix to %s, ESTABLISHED", shown);
	assert_string_equal(item.text, text);
	assert_field_unknown(&item, "local");
	assert_field(&item, "remote", shown);
	item = describe(&c, LT_KIND_CONNECTION, inode(server), &arena);
	assert_field(&item, "local", shown);
	assert_null(item.note);
	item = describe(&c, LT_KIND_LISTENER, inode(listener), &arena);
	assert_field_number(&item, "receive_queue", 1);
	assert_field_number(&item, "send_queue", 7);
	/* not accepted yet is not closed */
	assert_true(listed(&c, LT_KIND_CONNECTION, inode(waiting)));
	assert_null(describe(&c, LT_KIND_CONNECTION, inode(waiting), &arena).note);
	census_deinit(&c);

	close(client);
	take(&c);
	item = describe(&c, LT_KIND_CONNECTION, inode(server), &arena);
	assert_true(listed(&c, LT_KIND_CONNECTION, inode(server)));
	assert_string_equal(item.note, "peer closed, this side never called close");
	census_deinit(&c);
	close(server);
	close(waiting);
	close(listener);
	arena_deinit(&arena);
}

static void test_unix(void **state)
{
	char path[80], name_[80], shown[80];

	snprintf(path, sizeof(path), "/tmp/leaktrace-test %d\n", getpid());
	check_unix(path, strlen(path) + 1, SOCK_STREAM, path);
	unlink(path);
	/* without a NUL at its end */
	check_unix(path, strlen(path), SOCK_SEQPACKET, path);
	unlink(path);
	snprintf(name_, sizeof(name_), "%cleaktrace%c%d", 0, 0, getpid());
	snprintf(shown, sizeof(shown), "@leaktrace@%d", getpid());
	check_unix(name_, strlen(shown), SOCK_STREAM, shown);
}

static void test_unix_pairs(void **state)
{
	struct arena arena = { 0 };
	int stream[2], datagram[2];
	struct item item;
	struct census c;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, stream), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagram), 0);
	take(&c);
	assert_true(listed(&c, LT_KIND_CONNECTION, inode(stream[0])));
	assert_true(listed(&c, LT_KIND_CONNECTION, inode(stream[1])));
	assert_false(listed(&c, LT_KIND_CONNECTION, inode(datagram[0])));
	item = describe(&c, LT_KIND_CONNECTION, inode(stream[0]), &arena);
	assert_string_equal(item.text, "unix, unnamed, ESTABLISHED");
	assert_null(item.note);
	census_deinit(&c);
	shutdown(stream[0], SHUT_WR);
	take(&c);
	item = describe(&c, LT_KIND_CONNECTION, inode(stream[0]), &arena);
	assert_string_equal(item.note, "nothing more can be sent, neither side has closed");
	item = describe(&c, LT_KIND_CONNECTION, inode(stream[1]), &arena);
	assert_string_equal(item.note, "nothing more can be received, neither side has closed");
	census_deinit(&c);
	for (int i = 0; i < 2; i++) {
		close(stream[i]);
		close(datagram[i]);
	}
	arena_deinit(&arena);
}

/* A multipath socket is TCP to its user. */
static void test_mptcp(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
	struct arena arena = { 0 };
	struct item item;
	struct census c;

	if (fd < 0)
		return; /* a kernel without it */
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 1), 0);
	take(&c);
	assert_true(listed(&c, LT_KIND_LISTENER, inode(fd)));
	item = describe(&c, LT_KIND_LISTENER, inode(fd), &arena);
	assert_field(&item, "protocol", "tcp");
	assert_field(&item, "local", local(fd).text);
	census_deinit(&c);
	close(fd);
	arena_deinit(&arena);
}

/* What counts as which, by protocol, type and state. */
static void test_which_is_what(void **state)
{
	static const struct {
		enum socket_protocol protocol;
		uint8_t type, state;
		bool connection, listener;
	} table[] = {
		{ SOCKET_TCP, 0, SOCKET_ESTABLISHED, true, false },
		{ SOCKET_TCP, 0, SOCKET_SYN_SENT, true, false },
		{ SOCKET_TCP6, 0, SOCKET_FIN_WAIT2, true, false },
		{ SOCKET_TCP6, 0, SOCKET_LAST_ACK, true, false },
		{ SOCKET_TCP, 0, SOCKET_CLOSE, false, false },
		{ SOCKET_TCP6, 0, SOCKET_NEW_SYN_RECV, false, false },
		{ SOCKET_TCP6, 0, SOCKET_LISTEN, false, true },
		{ SOCKET_UDP, 0, SOCKET_CLOSE, false, false },
		{ SOCKET_UDP6, 0, SOCKET_ESTABLISHED, true, false },
		{ SOCKET_UNIX, SOCK_STREAM, SOCKET_ESTABLISHED, true, false },
		{ SOCKET_UNIX, SOCK_SEQPACKET, SOCKET_ESTABLISHED, true, false },
		{ SOCKET_UNIX, SOCK_DGRAM, SOCKET_ESTABLISHED, false, false },
		{ SOCKET_UNIX, SOCK_STREAM, SOCKET_CLOSE, false, false },
		{ SOCKET_UNIX, SOCK_SEQPACKET, SOCKET_LISTEN, false, true },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct socket_info s = {
			.inode = 5,
			.protocol = table[i].protocol,
			.type = table[i].type,
			.state = table[i].state,
		};
		struct census c = { 0 };

		assert_int_equal(vec_push(&c.fds, (struct census_fd){ .fd = 3, .socket = 5 }), 0);
		assert_int_equal(hashmap_put(&c.by_socket, 5, 0), 0);
		assert_int_equal(socket_table_add(&c.sockets, &s), 0);
		assert_int_equal(listed(&c, LT_KIND_CONNECTION, 5), table[i].connection);
		assert_int_equal(listed(&c, LT_KIND_LISTENER, 5), table[i].listener);
		census_deinit(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_tcp6),
		cmocka_unit_test(test_peer_closed),
		cmocka_unit_test(test_half_closed),
		cmocka_unit_test(test_reset_and_fresh),
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_unix_pairs),
		cmocka_unit_test(test_mptcp),
		cmocka_unit_test(test_which_is_what),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
