// SPDX-License-Identifier: Apache-2.0
#include "base/helper.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"

#define SOCKET	    3 /* the helper's only descriptor beyond the standard ones */
#define MESSAGE_MAX (16U << 20)
#define ANSWER_MS   1000 /* for all of an answer, once it begins */
#define ARG_START   48 /* proc_pid_stat(5); then its end */

/* Before the bytes of each message; descriptors go with it. */
struct header {
	uint32_t n;
	int32_t status;	 /* of an answer */
	uint32_t fds;	 /* a bit for each place in `fds` that is used */
	uint32_t unused;
};

/* -- messages ----------------------------------------------------------------------------------- */

/* Waits until the socket is ready. `until_ns` 0: without end, as the helper does. */
static int wait_for(int socket, short events, uint64_t until_ns)
{
	struct pollfd p = { .fd = socket, .events = events };

	for (;;) {
		const uint64_t now_ns = until_ns ? clock_now() : 0;
		const bool over = until_ns && now_ns >= until_ns;
		int ms = over ? 0 : until_ns ? (int)((until_ns - now_ns) / 1000000) + 1 : -1;
		int r = poll(&p, 1, ms);

		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
		if (over)
			return -ETIMEDOUT;
	}
}

static int send_all(int socket, struct msghdr *m, const void *bytes, size_t n, uint64_t until_ns)
{
	const char *at = bytes;

	while (n) {
		struct iovec v = { .iov_base = (void *)(uintptr_t)at, .iov_len = n };
		ssize_t sent;
		int r = wait_for(socket, POLLOUT, until_ns);

		if (r)
			return r;
		m->msg_iov = &v;
		m->msg_iovlen = 1;
		sent = sendmsg(socket, m, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return -ECONNRESET;
		if (sent <= 0)
			continue;
		at += sent;
		n -= (size_t)sent;
		m->msg_control = NULL; /* descriptors go with the first byte */
		m->msg_controllen = 0;
	}
	return 0;
}

static int send_message(int socket, const void *bytes, size_t n, const int fds[HELPER_FDS], int status,
			uint64_t until_ns)
{
	struct header h = { .n = (uint32_t)n, .status = status };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * HELPER_FDS)] = { 0 };
	struct cmsghdr *c = (struct cmsghdr *)control;
	struct msghdr m = { 0 };
	size_t n_fds = 0;
	int r;

	if (n > MESSAGE_MAX)
		return -E2BIG;
	for (size_t i = 0; i < HELPER_FDS; i++) {
		if (fds[i] < 0)
			continue;
		memcpy(CMSG_DATA(c) + sizeof(int) * n_fds++, &fds[i], sizeof(int));
		h.fds |= 1U << i;
	}
	if (n_fds) {
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
	}
	r = send_all(socket, &m, &h, sizeof(h), until_ns);
	return r ? r : send_all(socket, &(struct msghdr){ 0 }, bytes, n, until_ns);
}

/* The descriptors that have come, in the order in which they were sent. */
static size_t take_fds(struct msghdr *m, int fds[HELPER_FDS])
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	}
	return n;
}

static int receive_all(int socket, void *to, size_t n, int fds[HELPER_FDS], size_t *ret_fds,
		       uint64_t until_ns)
{
	char *at = to;

	while (n) {
		_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * HELPER_FDS)];
		struct iovec v = { .iov_base = at, .iov_len = n };
		struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
				    .msg_controllen = sizeof(control) };
		ssize_t got;
		int r = wait_for(socket, POLLIN, until_ns);

		if (r)
			return r;
		got = recvmsg(socket, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0)
			return -ECONNRESET;
		if (fds && !*ret_fds)
			*ret_fds = take_fds(&m, fds);
		at += got;
		n -= (size_t)got;
	}
	return 0;
}

static void close_fds(int fds[HELPER_FDS])
{
	for (size_t i = 0; i < HELPER_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* Into `buf`, which the message points into afterwards. */
static int receive_message(int socket, struct strbuf *buf, uint64_t until_ns, struct helper_message *ret,
			   int *ret_status)
{
	int fds[HELPER_FDS] = { -1, -1 };
	size_t n_fds = 0, taken = 0;
	struct header h;
	int r = receive_all(socket, &h, sizeof(h), fds, &n_fds, until_ns);

	if (!r && h.n > MESSAGE_MAX)
		r = -EBADMSG;
	if (!r) {
		buf->n = 0;
		r = strbuf_reserve(buf, h.n);
	}
	if (!r)
		r = receive_all(socket, buf->s, h.n, NULL, NULL, until_ns);
	if (r) {
		close_fds(fds);
		return r;
	}
	buf->n = h.n;
	buf->s[h.n] = '\0'; /* strings in it end */
	*ret = (struct helper_message){ .bytes = buf->s, .n = h.n };
	for (size_t i = 0; i < HELPER_FDS; i++)
		ret->fds[i] = h.fds >> i & 1 && taken < n_fds ? fds[taken++] : -1;
	*ret_status = h.status;
	return 0;
}

/* -- within the helper ---------------------------------------------------------------------------- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Nothing of ours but the socket: what is traced must not stay so because a helper hangs. */
static int leave_descriptors(int socket)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < 3 && null >= 0; fd++)
		if (fd != STDERR_FILENO || !SANITIZED) /* whose findings are to be seen */
			dup2(null, fd);
	if (socket != SOCKET && dup2(socket, SOCKET) < 0)
		return -errno;
	fcntl(SOCKET, F_SETFD, FD_CLOEXEC);
	return syscall(SYS_close_range, SOCKET + 1, ~0U, 0) ? -errno : 0;
}

/* Bytes of private memory that can be written: what RLIMIT_DATA counts. */
static uint64_t data_size(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/statm", "re");
	unsigned long long pages = 0;

	if (!f || fscanf(f, "%*u %*u %*u %*u %*u %llu", &pages) != 1)
		return 0;
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void limit(int resource, uint64_t n)
{
	struct rlimit old, l = { .rlim_cur = n, .rlim_max = n };

	if (getrlimit(resource, &old))
		return;
	if (old.rlim_max < n) /* ours is lower already */
		l = old;
	setrlimit(resource, &l);
}

static void rename_command_line(const char *name)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/stat", "re");
	char text[2048], *at, *start;
	unsigned long from = 0, to = 0;
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	text[n] = '\0';
	at = strrchr(text, ')');
	for (int field = 2; at && field < ARG_START; field++)
		at = strchr(at + 1, ' ');
	if (!at || sscanf(at, "%lu %lu", &from, &to) != 2 || to <= from)
		return;
	start = (char *)from;
	memset(start, 0, to - from);
	memcpy(start, name, strnlen(name, to - from - 1));
}

void helper_name(const char *name)
{
	prctl(PR_SET_NAME, name);
	rename_command_line(name);
}

static void settle(const struct helper_kind *kind)
{
	sigset_t none;

	helper_name(kind->name);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	for (int s = 1; s < NSIG; s++) /* a crash is to end it, whoever catches such signals in leaktrace */
		signal(s, SIG_DFL);
	/* a Ctrl-C at the terminal is for leaktrace, which needs its helpers for the report */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	sigprocmask(SIG_SETMASK, &none, NULL);
	limit(RLIMIT_CORE, 0);
	if (kind->memory)
		limit(RLIMIT_DATA, data_size() + kind->memory);
}

/* Answers requests until our end of the socket is closed. */
static int serve_all(const struct helper_kind *kind)
{
	struct strbuf received = { 0 };
	struct helper_message request;
	void *state = NULL;
	int unused, r = kind->start ? kind->start(&state) : 0;

	while (!r) {
		struct helper_answer answer = { .fds = { -1, -1 } };
		int status;

		if (receive_message(SOCKET, &received, 0, &request, &unused))
			return 0;
		status = kind->serve(state, &request, &answer);
		if (answer.bytes.oom)
			status = -ENOMEM;
		r = send_message(SOCKET, answer.bytes.s, status == -ENOMEM ? 0 : answer.bytes.n, answer.fds,
				 status, 0);
		strbuf_deinit(&answer.bytes);
		close_fds(answer.fds);
	}
	return 1;
}

/* -- with us -------------------------------------------------------------------------------------- */

int helper_start(struct helper *h)
{
	int pair[2];
	pid_t pid, parent = getpid();
	int r;

	if (h->pid)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	pid = fork();
	if (pid == 0) {
		settle(h->kind);
		r = leave_descriptors(pair[1]) || getppid() != parent || serve_all(h->kind);
		/* not _exit(), in which sanitizers look for leaks: what is left here is leaktrace's */
		syscall(SYS_exit_group, r);
	}
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return -EAGAIN;
	}
	h->pid = pid;
	h->socket = pair[0];
	return 0;
}

/* Those that are gone by now; the others are looked for again. */
static void reap(struct helper *h)
{
	size_t kept = 0;

	vec_foreach(pid, &h->given_up)
		if (waitpid(*pid, NULL, WNOHANG) == 0)
			h->given_up.items[kept++] = *pid;
	h->given_up.n = kept;
}

void helper_stop(struct helper *h)
{
	if (!h->pid)
		return;
	close(h->socket);
	kill(h->pid, SIGKILL);
	if (vec_push(&h->given_up, h->pid))
		waitpid(h->pid, NULL, WNOHANG);
	h->pid = 0;
	reap(h);
}

/* A helper that has not done what it should is given up. */
static int fail(struct helper *h, int r)
{
	helper_stop(h);
	return r == -ETIMEDOUT || r == -ENOMEM ? r : -ECONNRESET;
}

static int send_until(struct helper *h, const struct helper_message *request, uint64_t until_ns)
{
	int r = helper_start(h);

	if (r)
		return r;
	r = send_message(h->socket, request->bytes, request->n, request->fds, 0, until_ns);
	return r ? fail(h, r) : 0;
}

static int receive_until(struct helper *h, uint64_t until_ns, struct helper_message *ret)
{
	int status = 0, r = receive_message(h->socket, &h->received, until_ns, ret, &status);

	return r ? fail(h, r) : status;
}

static uint64_t after(int timeout_ms)
{
	return clock_now() + (uint64_t)timeout_ms * 1000000;
}

int helper_send(struct helper *h, const struct helper_message *request, int timeout_ms)
{
	return send_until(h, request, after(timeout_ms));
}

int helper_receive(struct helper *h, int timeout_ms, struct helper_message *ret)
{
	if (!h->pid)
		return -ECONNRESET;
	if (wait_for(h->socket, POLLIN, after(timeout_ms)) == -ETIMEDOUT)
		return -EINPROGRESS;
	return receive_until(h, after(ANSWER_MS), ret);
}

int helper_call(struct helper *h, const struct helper_message *request, int timeout_ms,
		struct helper_message *ret)
{
	const uint64_t until_ns = after(timeout_ms);
	int r = send_until(h, request, until_ns);

	return r ? r : receive_until(h, until_ns, ret);
}

void helper_deinit(struct helper *h)
{
	helper_stop(h);
	for (int i = 0; h->given_up.n && i < 100; i++) { /* a killed process is gone in no time, or hangs */
		reap(h);
		if (h->given_up.n)
			usleep(1000);
	}
	vec_free(&h->given_up);
	strbuf_deinit(&h->received);
}
