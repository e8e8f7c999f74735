// SPDX-License-Identifier: Apache-2.0
/*
 * Connections of multipath TCP, both ends in this process, of which some fell back to TCP; and sockets that
 * are no connections of a kind that is followed: of these only the descriptors are.
 */
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "held.h"

#define MPTCP 262 /* IPPROTO_MPTCP */

HELD(held_socket, "fd", new_socket, "socket");
HELD(held_accept, "fd", accept_one, "accept");
HELD(held_other, "fd", new_other, "socket");
HELD(open_connect, "connection/open", connect_one, "connect");
HELD(open_accept, "connection/open", accept_one, "accept");
HELD(listening, "connection/listening", listen_one, "listen");

static NOINLINE int new_socket(int protocol)
{
	int fd = socket(AF_INET, SOCK_STREAM, protocol);

	expect(took_socket(&held_socket, fd), "socket failed");
	return fd;
}

static NOINLINE void listen_one(int fd)
{
	expect(!listen(fd, 100), "listen failed");
	held_got(&listening);
}

static NOINLINE void connect_one(int fd, const struct sockaddr_in *to)
{
	expect(!connect(fd, (const struct sockaddr *)to, sizeof(*to)), "connect failed");
	connected(&open_connect, fd);
}

static NOINLINE int accept_one(int listener)
{
	int fd = accept(listener, NULL, NULL);

	expect(took_socket(&held_accept, fd), "accept failed");
	connected(&open_accept, fd);
	return fd;
}

static void lose(int fd)
{
	close(losing_fd(fd));
}

/* Of each sort 13, of which 5 go again. */
static void pairs(int listener, const struct sockaddr_in *to, int protocol)
{
	char bytes[3];

	for (int i = 0; i < 13; i++) {
		int client = new_socket(protocol), server;

		connect_one(client, to);
		server = accept_one(listener);
		expect(write(client, "abc", 3) == 3 && read(server, bytes, 3) == 3, "nothing came");
		if (i < 5) {
			lose(server);
			lose(client);
		}
	}
}

static NOINLINE void new_other(int family, int type, int protocol)
{
	took_socket(&held_other, socket(family, type, protocol)); /* or it is refused */
}

static void others(void)
{
	new_other(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	new_other(AF_PACKET, SOCK_RAW, 0);
	new_other(AF_VSOCK, SOCK_STREAM, 0);
	new_other(AF_SMC, SOCK_STREAM, 0);
	new_other(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
	new_other(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static void work(int thread)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int listener = new_socket(MPTCP);

	expect(!bind(listener, (struct sockaddr *)&a, n), "bind failed");
	listen_one(listener);
	expect(!getsockname(listener, (struct sockaddr *)&a, &n), "getsockname failed");
	pairs(listener, &a, MPTCP);
	pairs(listener, &a, 0);
	others();
}

static void prepare(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, MPTCP);

	if (fd < 0) {
		say("refused\nready 0\n");
		exit(0);
	}
	close(fd);
	fds_prepare();
	say("before connection/open 0\nbefore connection/listening 0\n");
}

int main(int argc, char **argv)
{
	struct workload_parts parts = { prepare, work, fds_finish };

	return workload_run_parts(argc, argv, parts);
}
