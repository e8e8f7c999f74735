// SPDX-License-Identifier: Apache-2.0
#include "proc/sockdiag.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "proc/procfs.h"
#include "proc/sockparse.h"

#define RECEIVE_SIZE (64U << 10) /* the kernel fills at most 32 KiB at once */

/* In TIME_WAIT there is no socket any more, and a request has none yet. */
#define STATES_WITH_SOCKET (~(1U << SOCKET_TIME_WAIT | 1U << SOCKET_NEW_SYN_RECV))

/* What is asked for, in this order: of a multipath socket its subflows come first, and then itself.
 */
static const struct source {
	enum socket_protocol protocol;
	uint8_t family;
	uint32_t inet_protocol;
	uint8_t extensions;
	const char *file; /* of /proc/PID/net, in the place of sock_diag; NULL: there is none */
} sources[] = {
	{ SOCKET_TCP, AF_INET, IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1), "net/tcp" },
	{ SOCKET_TCP6, AF_INET6, IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1), "net/tcp6" },
	{ SOCKET_TCP, AF_INET, IPPROTO_MPTCP, 0, NULL },
	{ SOCKET_TCP6, AF_INET6, IPPROTO_MPTCP, 0, NULL },
	{ SOCKET_UDP, AF_INET, IPPROTO_UDP, 0, "net/udp" },
	{ SOCKET_UDP6, AF_INET6, IPPROTO_UDP, 0, "net/udp6" },
	{ SOCKET_UNIX, AF_UNIX, 0, 0, "net/unix" },
};

const struct socket_info *socket_table_get(const struct socket_table *t, uint64_t inode)
{
	const uint64_t *index = hashmap_get(&t->by_inode, inode);

	return index ? &t->items[*index - 1] : NULL;
}

static void socket_replace(struct socket_info *old, const struct socket_info *s)
{
	const uint32_t last_ack_ms =
		s->last_ack_ms != UINT32_MAX ? s->last_ack_ms : old->last_ack_ms;

	free(old->path);
	*old = *s;
	old->last_ack_ms = last_ack_ms;
}

int socket_table_add(struct socket_table *t, const struct socket_info *s)
{
	const uint64_t *index = hashmap_get(&t->by_inode, s->inode);
	int r;

	if (!s->inode) {
		free(s->path);
		return 0;
	}
	if (index) {
		socket_replace(&t->items[*index - 1], s);
		return 0;
	}
	r = vec_reserve(t, 1);
	if (!r)
		r = hashmap_put(&t->by_inode, s->inode, t->n + 1);
	if (r)
		free(s->path);
	else
		t->items[t->n++] = *s;
	return r;
}

void socket_table_deinit(struct socket_table *t)
{
	vec_foreach(s, t)
		free(s->path);
	vec_free(t);
	hashmap_deinit(&t->by_inode);
}

struct opening {
	int namespace; /* a descriptor of it, or -1: the one we are in */
	int ret;       /* a netlink socket, or a negative errno */
};

static void *open_in_namespace(void *arg)
{
	struct opening *o = arg;

	o->ret = o->namespace < 0 ? 0 : setns(o->namespace, CLONE_NEWNET);
	if (!o->ret)
		o->ret = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (o->ret < 0)
		o->ret = -errno;
	return NULL;
}

/* A socket belongs to the namespace it was made in. A thread of its own goes there: no failure can
 * leave the caller in a foreign one. */
static int netlink_open(pid_t pid)
{
	_cleanup_close_ int theirs = -1;
	struct stat mine, other;
	struct opening o = { .namespace = -1 };
	pthread_t thread;
	char path[40];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	theirs = open(path, O_RDONLY | O_CLOEXEC);
	if (theirs < 0 || fstat(theirs, &other))
		return -errno;
	if (!stat("/proc/thread-self/ns/net", &mine) && mine.st_dev == other.st_dev &&
	    mine.st_ino == other.st_ino) {
		open_in_namespace(&o);
		return o.ret;
	}
	o.namespace = theirs;
	r = pthread_create(&thread, NULL, open_in_namespace, &o);
	if (r)
		return -r;
	pthread_join(thread, NULL);
	return o.ret;
}

static int send_request(int fd, const struct source *s, uint32_t seq)
{
	struct {
		struct nlmsghdr head;
		union {
			struct {
				struct inet_diag_req_v2 request;
				struct rtattr attribute;
				uint32_t protocol;
			} inet;
			struct unix_diag_req unix_;
		};
	} m = {
		.head = {
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			.nlmsg_seq = seq,
		},
	};

	if (s->family == AF_UNIX) {
		m.head.nlmsg_len = NLMSG_LENGTH(sizeof(m.unix_));
		m.unix_.sdiag_family = AF_UNIX;
		m.unix_.udiag_states = UINT32_MAX;
		m.unix_.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN;
	} else {
		m.head.nlmsg_len = NLMSG_LENGTH(sizeof(m.inet.request));
		m.inet.request.sdiag_family = s->family;
		m.inet.request.sdiag_protocol = (uint8_t)s->inet_protocol;
		m.inet.request.idiag_ext = s->extensions;
		m.inet.request.idiag_states = STATES_WITH_SOCKET;
	}
	if (s->inet_protocol > UINT8_MAX) {
		m.head.nlmsg_len = NLMSG_LENGTH(sizeof(m.inet));
		m.inet.attribute.rta_type = INET_DIAG_REQ_PROTOCOL;
		m.inet.attribute.rta_len = RTA_LENGTH(sizeof(m.inet.protocol));
		m.inet.protocol = s->inet_protocol;
	}
	return send(fd, &m, m.head.nlmsg_len, 0) < 0 ? -errno : 0;
}

static int dump(int fd, const struct source *s, uint32_t seq, void *buffer, struct socket_table *t)
{
	ssize_t n;
	int r = send_request(fd, s, seq);

	while (!r) {
		n = recv(fd, buffer, RECEIVE_SIZE, MSG_TRUNC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		r = n && n <= (ssize_t)RECEIVE_SIZE
			    ? sockparse_netlink(t, s->protocol, seq, buffer, (size_t)n)
			    : -EBADMSG;
	}
	return r < 0 ? r : 0;
}

static int read_text(pid_t pid, const struct source *s, struct socket_table *t)
{
	_cleanup_free_ char *text = NULL;
	int r;

	if (!s->file)
		return 0;
	r = procfs_read(pid, s->file, &text, NULL);
	if (r)
		return r == -ESRCH ? 0 : r; /* without IPv6 there is no such file */
	return sockparse_text(t, s->protocol, text);
}

int socket_table_read(pid_t pid, struct socket_table *ret)
{
	_cleanup_free_ void *buffer = malloc(RECEIVE_SIZE);
	struct socket_table t = { 0 };
	_cleanup_close_ int fd = -1;
	int r = buffer ? 0 : -ENOMEM;

	fd = netlink_open(pid);
	for (size_t i = 0; !r && i < ARRAY_SIZE(sources); i++) {
		r = fd < 0 ? fd : dump(fd, &sources[i], (uint32_t)i + 1, buffer, &t);
		if (r && r != -ENOMEM)
			r = read_text(pid, &sources[i], &t);
	}
	if (r)
		socket_table_deinit(&t);
	else
		*ret = t;
	return r;
}

int socket_table_try(pid_t pid, const char **ret_file)
{
	_cleanup_free_ void *buffer = malloc(RECEIVE_SIZE);
	_cleanup_(socket_table_deinit) struct socket_table t = { 0 };
	_cleanup_close_ int fd = -1;
	int r = buffer ? 0 : -ENOMEM;

	fd = netlink_open(pid);
	for (size_t i = 0; !r && i < ARRAY_SIZE(sources); i++) {
		*ret_file = sources[i].file;
		if (sources[i].file)
			r = fd < 0 ? fd : dump(fd, &sources[i], (uint32_t)i + 1, buffer, &t);
	}
	return r;
}
