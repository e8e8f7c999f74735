// SPDX-License-Identifier: Apache-2.0
/*
 * Connections of every kind, both ends in this process: how they come, what they live through and how
 * they go. Those that `ss` does not show any more, though their descriptors are held, are counted:
 *
 *	vanished KIND N
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include "held.h"

#define HELD_BY(function, via)                                                                     \
	HELD(fd_##function, "fd", function, via);                                                  \
	HELD(open_##function, "connection/open", function, via)

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un un;
	};
	socklen_t n;
};

static long vanished;
static bool no_ipv6;

static void vanish(long n)
{
	__atomic_fetch_add(&vanished, n, __ATOMIC_RELAXED);
}

static void lose(int fd)
{
	close(losing_fd(fd));
}

/* -- sockets ------------------------------------------------------------------------------------ */
HELD(held_socket, "fd", new_socket, "socket");
static NOINLINE int new_socket(int family, int type)
{
	int fd = socket(family, type, 0);

	expect(took_socket(&held_socket, fd), "socket failed");
	return fd;
}

/* On any free port or name. */
static struct address bind_any(int fd, int family)
{
	struct address a = { .n = sizeof(a.un) };

	memset(&a.un, 0, sizeof(a.un));
	a.any.sa_family = (sa_family_t)family;
	if (family == AF_INET)
		a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (family == AF_INET6)
		a.v6.sin6_addr = in6addr_loopback;
	expect(!bind(fd, &a.any,
		     family == AF_UNIX ? sizeof(sa_family_t) :
		     family == AF_INET ? sizeof(a.v4) :
					 sizeof(a.v6)),
	       "bind failed");
	expect(!getsockname(fd, &a.any, &a.n), "getsockname failed");
	return a;
}

struct server {
	int fd;
	struct address address;
};

HELD(held_listener, "connection/listening", serve, "listen");
static NOINLINE struct server serve(int family, int type, int backlog)
{
	struct server s = { .fd = new_socket(family, type) };

	s.address = bind_any(s.fd, family);
	expect(!listen(s.fd, backlog), "listen failed");
	connected(&held_listener, s.fd);
	expect(!listen(s.fd, backlog), "another listen failed");
	return s;
}

/* -- connecting --------------------------------------------------------------------------------- */
#define CONNECTS(name, via, family, type, ...)                                                     \
	HELD(open_##name, "connection/open", name, via);                                           \
	static NOINLINE int name(const struct address *a)                                          \
	{                                                                                          \
		int fd = new_socket(family, type);                                                 \
                                                                                                   \
		expect(!(__VA_ARGS__), #name " failed");                                           \
		connected(&open_##name, fd);                                                       \
		return fd;                                                                         \
	}

CONNECTS(connect_tcp4, "connect", AF_INET, SOCK_STREAM, connect(fd, &a->any, a->n))
CONNECTS(connect_tcp6, "connect", AF_INET6, SOCK_STREAM, connect(fd, &a->any, a->n))
CONNECTS(connect_udp4, "connect", AF_INET, SOCK_DGRAM, connect(fd, &a->any, a->n))
CONNECTS(connect_udp6, "connect", AF_INET6, SOCK_DGRAM, connect(fd, &a->any, a->n))
CONNECTS(connect_unix, "connect", AF_UNIX, SOCK_STREAM, connect(fd, &a->any, a->n))
CONNECTS(connect_seqpacket, "connect", AF_UNIX, SOCK_SEQPACKET, connect(fd, &a->any, a->n))
CONNECTS(connect_sys, "syscall|connect", AF_INET, SOCK_STREAM,
	 syscall(SYS_connect, fd, &a->any, a->n))

static int error_of(int fd)
{
	int error = 0;
	socklen_t n = sizeof(error);

	expect(!getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n), "SO_ERROR failed");
	return error;
}

HELD(open_nonblock, "connection/open", connect_nonblock, "connect");
static NOINLINE int connect_nonblock(const struct address *a)
{
	int fd = new_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	expect(!connect(fd, &a->any, a->n) || errno == EINPROGRESS, "connect failed");
	connected(&open_nonblock, fd);
	expect(poll(&p, 1, -1) == 1 && !error_of(fd), "it did not connect");
	return fd;
}

/* A connection until the refusal comes, or none at all. */
HELD_NET(open_nonblock_refused, "connection/open", connect_nonblock_refused, "connect");
static NOINLINE int connect_nonblock_refused(const struct address *a)
{
	int fd = new_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	if (connect(fd, &a->any, a->n) && errno == ECONNREFUSED)
		return fd;
	expect(errno == EINPROGRESS, "it connected");
	connected(&open_nonblock_refused, fd);
	expect(poll(&p, 1, -1) == 1 && error_of(fd) == ECONNREFUSED, "it was not refused");
	disconnected(fd);
	return fd;
}

static NOINLINE int connect_refused(const struct address *a)
{
	int fd = new_socket(a->any.sa_family, SOCK_STREAM);

	expect(connect(fd, &a->any, a->n) && errno == ECONNREFUSED, "it was not refused");
	return fd;
}

/* The server's queue is full: no answer comes, for longer than any test takes. */
HELD(open_pending, "connection/open", connect_pending, "connect");
static NOINLINE int connect_pending(const struct address *a)
{
	int fd = new_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK), retries = 20;
	struct tcp_info info = { 0 };
	socklen_t n = sizeof(info);

	setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &retries, sizeof(retries));
	expect(connect(fd, &a->any, a->n) && errno == EINPROGRESS, "it connected");
	connected(&open_pending, fd);
	expect(!getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n), "TCP_INFO failed");
	expect(info.tcpi_state == TCP_SYN_SENT, "it is not pending");
	return fd;
}

/* -- accepting ---------------------------------------------------------------------------------- */
#define ACCEPTS(name, via, ...)                                                                    \
	HELD_BY(name, via);                                                                        \
	static NOINLINE int name(int listener)                                                     \
	{                                                                                          \
		int fd = (int)(__VA_ARGS__);                                                       \
                                                                                                   \
		expect(took_socket(&fd_##name, fd), #name " failed");                              \
		connected(&open_##name, fd);                                                       \
		return fd;                                                                         \
	}

ACCEPTS(accept_tcp4, "accept", accept(listener, NULL, NULL))
ACCEPTS(accept_tcp6, "accept4", accept4(listener, NULL, NULL, SOCK_CLOEXEC))
ACCEPTS(accept_unix, "accept", accept(listener, NULL, NULL))
ACCEPTS(accept_seqpacket, "accept4", accept4(listener, NULL, NULL, SOCK_NONBLOCK))
ACCEPTS(accept_sys, "syscall|accept", syscall(SYS_accept, listener, NULL, NULL))

#define PAIRS(name, type)                                                                          \
	HELD_BY(name, "socketpair");                                                               \
	static NOINLINE void name(int *fd)                                                         \
	{                                                                                          \
		expect(!socketpair(AF_UNIX, type, 0, fd), "socketpair failed");                    \
		for (int i = 0; i < 2; i++) {                                                      \
			took_socket(&fd_##name, fd[i]);                                            \
			connected(&open_##name, fd[i]);                                            \
		}                                                                                  \
	}

PAIRS(pair_stream, SOCK_STREAM)
PAIRS(pair_seqpacket, SOCK_SEQPACKET)

/* No connection. */
HELD(fd_pair_dgram, "fd", pair_dgram, "socketpair");
static NOINLINE void pair_dgram(int *fd)
{
	expect(!socketpair(AF_UNIX, SOCK_DGRAM, 0, fd), "socketpair failed");
	took_socket(&fd_pair_dgram, fd[0]);
	took_socket(&fd_pair_dgram, fd[1]);
}

/* -- kinds of them, some of each released again -------------------------------------------------- */
typedef int connect_fn(const struct address *a);
typedef int accept_fn(int listener);

static void exchange(int family, int type, int times, connect_fn *connects, accept_fn *accepts)
{
	struct server s;

	if (family == AF_INET6 && no_ipv6)
		return;
	s = serve(family, type, 16);
	for (int i = 0; i < times; i++) {
		int client = connects(&s.address), server = accepts(s.fd);

		if (i % 3 == 0)
			lose(client);
		if (i % 3 == 1)
			lose(server);
	}
	if (connects != connect_nonblock)
		lose(s.fd);
}

static void datagrams(int family, int times, connect_fn *connects)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int server = new_socket(family, SOCK_DGRAM);
	struct address a = bind_any(server, family);

	for (int i = 0; i < times; i++) {
		int fd = connects(&a);

		if (i == 0) /* to the same address: what it was, it stays */
			expect(!connect(fd, &a.any, a.n), "connecting again failed");
		if (i == 1) {
			disconnected(fd);
			expect(!connect(fd, &none, sizeof(none)), "disconnecting failed");
		}
		if (i == 2)
			lose(fd);
	}
}

static void pairs(void)
{
	int fd[2];

	for (int i = 0; i < 3; i++) {
		pair_stream(fd);
		lose(fd[0]);
		pair_seqpacket(fd);
		if (i == 0)
			lose(fd[1]);
		pair_dgram(fd);
	}
}

static void refusals(void)
{
	int closed = new_socket(AF_INET, SOCK_STREAM); /* keeps the port */
	struct address a = bind_any(closed, AF_INET);
	struct server full = serve(AF_INET, SOCK_STREAM, 0);

	for (int i = 0; i < 5; i++) {
		connect_refused(&a);
		connect_nonblock_refused(&a);
		lose(connect_refused(&a));
	}
	connect_tcp4(&full.address);
	for (int i = 0; i < 2; i++)
		connect_pending(&full.address);
	lose(connect_pending(&full.address));
}

/* -- what they live through ----------------------------------------------------------------------- */
static unsigned char state_of(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t n = sizeof(info);

	expect(!getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n), "TCP_INFO failed");
	return info.tcpi_state;
}

#define AWAIT_STATE(fd, state) AWAIT(state_of(fd) == (state), "it did not become " #state)

HELD(fd_copied, "fd", copy, "dup");
static NOINLINE int copy(int fd)
{
	int to = dup(fd);

	expect(took_copy(&fd_copied, to, fd), "dup failed");
	return to;
}

HELD(fd_dup2, "fd", dup2_over, "dup2");
static NOINLINE void dup2_over(int fd)
{
	losing_fd(fd);
	took_fd(&fd_dup2, dup2(0, fd));
}

static void tcp_pair(const struct server *s, int *client, int *server)
{
	*client = connect_tcp4(&s->address);
	*server = accept_tcp4(s->fd);
}

/* Only the last copy's end is the connection's. */
static void copies(const struct server *s)
{
	int client, server, second, third;

	for (int i = 0; i < 3; i++) {
		tcp_pair(s, &client, &server);
		second = copy(client);
		third = copy(second);
		lose(client);
		lose(third);
		if (i == 1)
			lose(second);
		if (i == 2)
			dup2_over(second);
	}
}

/* The peer closes first, or this side closes for writing only: held. */
static void half_closed(const struct server *s)
{
	int client, server;

	for (int i = 0; i < 5; i++) {
		tcp_pair(s, &client, &server);
		lose(server);
		AWAIT_STATE(client, TCP_CLOSE_WAIT);
	}
	for (int i = 0; i < 3; i++) {
		tcp_pair(s, &client, &server);
		expect(!shutdown(client, SHUT_WR), "shutdown failed");
		AWAIT_STATE(client, TCP_FIN_WAIT2);
		AWAIT_STATE(server, TCP_CLOSE_WAIT);
	}
}

/* Nothing is left of the connection but its descriptors: still held. */
static void dead(const struct server *s)
{
	const struct linger reset = { 1, 0 };
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int client, server;

	for (int i = 0; i < 3; i++) {
		tcp_pair(s, &client, &server);
		setsockopt(server, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		lose(server);
		AWAIT_STATE(client, TCP_CLOSE);
		vanish(1);
	}
	for (int i = 0; i < 2; i++) {
		tcp_pair(s, &client, &server);
		expect(!shutdown(client, SHUT_RDWR) && !shutdown(server, SHUT_RDWR),
		       "shutdown failed");
		AWAIT_STATE(client, TCP_CLOSE);
		AWAIT_STATE(server, TCP_CLOSE);
		vanish(2);
	}
	tcp_pair(s, &client, &server);
	disconnected(client);
	expect(!connect(client, &none, sizeof(none)), "disconnecting failed");
	lose(server);
}

static void lives(void)
{
	struct server s = serve(AF_INET, SOCK_STREAM, 16);

	copies(&s);
	half_closed(&s);
	dead(&s);
}

/* -- all of it ------------------------------------------------------------------------------------ */
static void work(int thread)
{
	exchange(AF_INET, SOCK_STREAM, 7, connect_tcp4, accept_tcp4);
	exchange(AF_INET6, SOCK_STREAM, 5, connect_tcp6, accept_tcp6);
	exchange(AF_INET, SOCK_STREAM, 3, connect_nonblock, accept_tcp4);
	exchange(AF_INET, SOCK_STREAM, 5, connect_sys, accept_sys);
	exchange(AF_UNIX, SOCK_STREAM, 7, connect_unix, accept_unix);
	exchange(AF_UNIX, SOCK_SEQPACKET, 5, connect_seqpacket, accept_seqpacket);
	datagrams(AF_INET, 5, connect_udp4);
	if (!no_ipv6)
		datagrams(AF_INET6, 7, connect_udp6);
	pairs();
	refusals();
	lives();
}

static void prepare(void)
{
	struct address a = { .v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT } };
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	no_ipv6 = fd < 0 || bind(fd, &a.any, sizeof(a.v6));
	close(fd);
	fds_prepare();
	say("before connection/open 0\nbefore connection/listening 0\n");
}

static void finish(void)
{
	say("vanished connection/open %ld\n", vanished);
	fds_finish();
}

int main(int argc, char **argv)
{
	struct workload_parts parts = { prepare, work, finish };

	return workload_run_parts(argc, argv, parts);
}
