// SPDX-License-Identifier: Apache-2.0
/*
 * A server that forks for each connection: both have it. What the parent closes it holds no more,
 * though the child holds it still; what the child closes the parent holds still.
 */
#include <netinet/in.h>
#include <sys/socket.h>
#include "held.h"

HELD(fd_socket, "fd", connect_one, "socket");
HELD(open_connect, "connection/open", connect_one, "connect");
HELD(fd_accept, "fd", accept_one, "accept");
HELD(open_accept, "connection/open", accept_one, "accept");
HELD(fd_listen, "fd", listen_any, "socket");
HELD(listening, "connection/listening", listen_any, "listen");
HELD(children, "process/running", serve, "fork");
HELD_NET(zombies, "process/zombie", serve, "fork");

static NOINLINE int listen_any(struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t n = sizeof(*a);

	*a = (struct sockaddr_in){ .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	took_socket(&fd_listen, fd);
	expect(!bind(fd, (void *)a, n) && !listen(fd, 16), "listen failed");
	connected(&listening, fd);
	expect(!getsockname(fd, (void *)a, &n), "getsockname failed");
	return fd;
}

static NOINLINE int connect_one(const struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	took_socket(&fd_socket, fd);
	expect(!connect(fd, (const void *)a, sizeof(*a)), "connect failed");
	connected(&open_connect, fd);
	return fd;
}

static NOINLINE int accept_one(int listener)
{
	int fd = accept(listener, NULL, NULL);

	expect(took_socket(&fd_accept, fd), "accept failed");
	connected(&open_accept, fd);
	return fd;
}

/* A child that stays with the connection, or one that closes its copy and ends. */
static NOINLINE void serve(int fd, bool stays)
{
	pid_t parent = getpid(), pid = fork();

	expect(pid >= 0, "fork failed");
	if (!pid) {
		if (stays)
			child_stays(parent);
		close(fd);
		_exit(0);
	}
	held_got(&children);
	if (stays)
		return;
	await_zombie(pid);
	held_gave(&children);
	held_got(&zombies);
}

static void work(int thread)
{
	struct sockaddr_in a;
	int listener = listen_any(&a);

	for (int i = 0; i < 11; i++) {
		int server;

		connect_one(&a);
		server = accept_one(listener);
		serve(server, i % 2);
		if (i % 4 < 2)
			close(losing_fd(server));
	}
}

static void finish(void)
{
	await_children();
	say("transient fd 1\n"); /* to look for the children */
	fds_finish();
}

int main(int argc, char **argv)
{
	struct workload_parts parts = { fds_prepare, work, finish };

	return workload_run_parts(argc, argv, parts);
}
