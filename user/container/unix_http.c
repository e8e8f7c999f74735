// SPDX-License-Identifier: Apache-2.0
#include "container/unix_http.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "base/cleanup.h"
#include "base/clock.h"

#define HEAD_MAX 16384

/* Waits for the socket, until `deadline_ns` at most. */
static int wait_for(int fd, short events, uint64_t deadline_ns)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		const uint64_t now = clock_now();
		int n = now < deadline_ns ? poll(&p, 1, (int)((deadline_ns - now) / 1000000) + 1) : 0;

		if (n > 0)
			return 0;
		if (!n)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

/* Root's, or our own. */
static int check_server(int fd)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n))
		return -errno;
	return !peer.uid || peer.uid == geteuid() ? 0 : -EPERM;
}

static int connect_to(const char *root, const char *path)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int r;

	if (fd < 0)
		return -errno;
	if ((size_t)snprintf(to.sun_path, sizeof(to.sun_path), "%s%s", root, path) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	/* EAGAIN: as many wait for it already as may */
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return errno == ECONNREFUSED || errno == ENOTDIR ? -ENOENT : -errno;
	r = check_server(fd);
	return r ? r : take_fd(fd);
}

static int send_all(int fd, const char *s, size_t n, uint64_t deadline_ns)
{
	while (n) {
		ssize_t sent = send(fd, s, n, MSG_NOSIGNAL);
		int r = 0;

		if (sent >= 0) {
			s += sent;
			n -= (size_t)sent;
		} else if (errno != EINTR) {
			r = errno == EAGAIN ? wait_for(fd, POLLOUT, deadline_ns) : -errno;
		}
		if (r)
			return r;
	}
	return 0;
}

/* Until the server closes. */
static int receive_all(int fd, size_t max, uint64_t deadline_ns, struct strbuf *b)
{
	for (;;) {
		ssize_t n;
		int r = 0;

		if (strbuf_reserve(b, 65536))
			return -ENOMEM;
		n = recv(fd, b->s + b->n, 65536, 0);
		if (!n)
			return 0;
		if (n > 0)
			b->n += (size_t)n;
		else if (errno != EINTR)
			r = errno == EAGAIN ? wait_for(fd, POLLIN, deadline_ns) : -errno;
		if (b->n > max)
			r = -EFBIG;
		if (r)
			return r;
	}
}

int unix_http_get(const char *root, const char *socket_path, const char *path, int timeout_ms, size_t max,
		  struct strbuf *ret)
{
	const uint64_t deadline_ns = clock_now() + (uint64_t)timeout_ms * 1000000;
	_cleanup_(strbuf_deinit) struct strbuf request = { 0 }, answer = { 0 };
	_cleanup_close_ int fd = connect_to(root, socket_path);
	const char *body;
	int r;

	if (fd < 0)
		return fd;
	/* version 1.0: no chunks, and the connection ends with the answer */
	strbuf_addf(&request, "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", path);
	if (request.oom)
		return -ENOMEM;
	r = send_all(fd, request.s, request.n, deadline_ns);
	if (!r)
		r = receive_all(fd, max + HEAD_MAX, deadline_ns, &answer);
	if (r)
		return r;
	body = answer.n ? memmem(answer.s, answer.n, "\r\n\r\n", 4) : NULL;
	if (!body || answer.n < 12 || memcmp(answer.s, "HTTP/1.", 7) || memcmp(answer.s + 8, " 200", 4))
		return -EBADMSG;
	body += 4;
	strbuf_add(ret, body, answer.n - (size_t)(body - answer.s));
	return ret->oom ? -ENOMEM : 0;
}
