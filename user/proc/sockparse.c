// SPDX-License-Identifier: Apache-2.0
#include "proc/sockparse.h"
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <linux/unix_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/reader.h"

#define ACCEPTING 0x10000 /* __SO_ACCEPTCON of include/linux/net.h, in /proc/net/unix */

/* Copies `size` bytes, of which an older kernel may give fewer: the rest is zeroes. */
static bool copy_struct(struct reader *r, void *to, size_t size, size_t size_min)
{
	const size_t n = reader_left(r) < size ? reader_left(r) : size;
	const void *from = reader_bytes(r, n);

	memset(to, 0, size);
	if (n < size_min)
		return false;
	memcpy(to, from, n);
	return true;
}

/* Steps to the next attribute. */
static bool next_attribute(struct reader *r, uint16_t *ret_type, struct reader *ret)
{
	struct rtattr a;
	const void *head = reader_bytes(r, sizeof(a));
	size_t padding;

	if (!head)
		return false;
	memcpy(&a, head, sizeof(a));
	if (a.rta_len < sizeof(a))
		return false;
	*ret_type = a.rta_type & NLA_TYPE_MASK;
	*ret = reader_sub(r, a.rta_len - sizeof(a));
	padding = RTA_ALIGN(a.rta_len) - a.rta_len;
	if (!r->bad)
		reader_skip(r, padding < reader_left(r) ? padding : reader_left(r));
	return !ret->bad;
}

static int parse_inet(struct reader *r, struct socket_info *s)
{
	struct inet_diag_msg m;
	struct tcp_info tcp;
	struct reader value;
	uint16_t type;

	if (!copy_struct(r, &m, sizeof(m), sizeof(m)))
		return -EBADMSG;
	s->inode = m.idiag_inode;
	s->state = m.idiag_state;
	s->local_port = ntohs(m.id.idiag_sport);
	s->remote_port = ntohs(m.id.idiag_dport);
	memcpy(s->local, m.id.idiag_src, sizeof(s->local));
	memcpy(s->remote, m.id.idiag_dst, sizeof(s->remote));
	s->receive_queue = m.idiag_rqueue;
	s->send_queue = m.idiag_wqueue;
	while (next_attribute(r, &type, &value))
		if (type == INET_DIAG_INFO && s->protocol <= SOCKET_TCP6 &&
		    copy_struct(&value, &tcp, sizeof(tcp),
				offsetof(struct tcp_info, tcpi_last_ack_recv) +
					sizeof(tcp.tcpi_last_ack_recv)))
			s->last_ack_ms = tcp.tcpi_last_ack_recv;
	return 0;
}

/* A path ends at a NUL; an abstract name begins with one and may hold more, which show as '@'. */
static int unix_path(struct reader *name, char **ret)
{
	const size_t n = reader_left(name);
	const char *s = reader_bytes(name, n);
	char *path;

	if (!n)
		return 0;
	path = *s ? strndup(s, n) : malloc(n + 1);
	if (!path)
		return -ENOMEM;
	if (!*s) {
		for (size_t i = 0; i < n; i++)
			path[i] = s[i] ? s[i] : '@';
		path[n] = '\0';
	}
	free(*ret); /* an attribute that comes twice */
	*ret = path;
	return 0;
}

static int unix_attribute(struct socket_info *s, uint16_t type, struct reader *value)
{
	struct unix_diag_rqlen queue;

	switch (type) {
	case UNIX_DIAG_NAME:
		return unix_path(value, &s->path);
	case UNIX_DIAG_PEER:
		s->peer = reader_u32(value);
		break;
	case UNIX_DIAG_SHUTDOWN:
		s->shutdown = reader_u8(value);
		break;
	case UNIX_DIAG_RQLEN:
		if (copy_struct(value, &queue, sizeof(queue), sizeof(queue))) {
			s->receive_queue = queue.udiag_rqueue;
			s->send_queue = queue.udiag_wqueue;
		}
		break;
	}
	return 0;
}

static int parse_unix(struct reader *r, struct socket_info *s)
{
	struct unix_diag_msg m;
	struct reader value;
	uint16_t type;
	int e = 0;

	if (!copy_struct(r, &m, sizeof(m), sizeof(m)))
		return -EBADMSG;
	s->receive_queue = s->send_queue = UINT32_MAX;
	s->inode = m.udiag_ino;
	s->state = m.udiag_state;
	s->type = m.udiag_type;
	while (!e && next_attribute(r, &type, &value))
		e = unix_attribute(s, type, &value);
	return e;
}

static int parse_socket(struct socket_table *t, enum socket_protocol p, struct reader *r)
{
	struct socket_info s = { .protocol = p, .last_ack_ms = UINT32_MAX };
	int e = p == SOCKET_UNIX ? parse_unix(r, &s) : parse_inet(r, &s);

	if (e) {
		free(s.path);
		return e;
	}
	return socket_table_add(t, &s);
}

/* The error number that an NLMSG_ERROR and, in a dump that fails, NLMSG_DONE begin with. */
static int parse_end(uint16_t type, struct reader *r)
{
	const int32_t e = reader_left(r) >= sizeof(e) ? (int32_t)reader_u32(r) : 0;

	if (e < 0 && e >= -4095)
		return e;
	return type == NLMSG_DONE ? 1 : -EBADMSG;
}

int sockparse_netlink(struct socket_table *t, enum socket_protocol p, uint32_t seq,
		      const void *data, size_t n)
{
	struct reader r = reader_make(data, n), body;
	struct nlmsghdr h;
	const void *head;
	int e = 0;

	while (!e && reader_left(&r)) {
		head = reader_bytes(&r, sizeof(h));
		if (!head)
			return -EBADMSG;
		memcpy(&h, head, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_seq != seq)
			return -EBADMSG;
		body = reader_sub(&r, h.nlmsg_len - sizeof(h));
		if (body.bad)
			return -EBADMSG;
		if (NLMSG_ALIGN(h.nlmsg_len) - h.nlmsg_len <= reader_left(&r))
			reader_skip(&r, NLMSG_ALIGN(h.nlmsg_len) - h.nlmsg_len);
		if (h.nlmsg_type == NLMSG_DONE || h.nlmsg_type == NLMSG_ERROR)
			return parse_end(h.nlmsg_type, &body);
		if (h.nlmsg_type == SOCK_DIAG_BY_FAMILY)
			e = parse_socket(t, p, &body);
	}
	return e;
}

/* Digits of 32-bit words in the byte order of the host, as the kernel prints addresses. */
static bool parse_address(const char *hex, size_t words, uint8_t *ret)
{
	char digits[9] = { 0 };
	uint32_t word;

	if (strlen(hex) != 8 * words)
		return false;
	for (size_t i = 0; i < words; i++) {
		memcpy(digits, hex + 8 * i, 8);
		word = (uint32_t)strtoul(digits, NULL, 16);
		memcpy(ret + 4 * i, &word, 4);
	}
	return true;
}

/* "sl: LOCAL:PORT REMOTE:PORT STATE TX:RX timer:when retransmits uid timeout INODE ..." */
static bool parse_inet_line(const char *line, struct socket_info *s)
{
	const size_t words = s->protocol == SOCKET_TCP || s->protocol == SOCKET_UDP ? 1 : 4;
	char local[33], remote[33];

	return sscanf(line,
		      " %*u: %32[0-9A-F]:%4" SCNx16 " %32[0-9A-F]:%4" SCNx16 " %2" SCNx8
		      " %8" SCNx32 ":%8" SCNx32 " %*2x:%*8x %*8x %*u %*u %" SCNu64,
		      local, &s->local_port, remote, &s->remote_port, &s->state, &s->send_queue,
		      &s->receive_queue, &s->inode) == 8 &&
	       parse_address(local, words, s->local) && parse_address(remote, words, s->remote);
}

/* "num: references protocol FLAGS TYPE STATE INODE[ PATH]"; STATE is enum socket_state of
 * linux/net.h */
static int parse_unix_line(const char *line, struct socket_info *s)
{
	uint32_t flags;
	uint16_t type;
	uint8_t state;
	int at = 0;

	if (sscanf(line, "%*x: %*8x %*8x %8" SCNx32 " %4" SCNx16 " %2" SCNx8 " %" SCNu64 "%n",
		   &flags, &type, &state, &s->inode, &at) != 4)
		return -EBADMSG;
	s->receive_queue = s->send_queue = UINT32_MAX;
	s->type = (uint8_t)type;
	s->state = flags & ACCEPTING		? SOCKET_LISTEN
		   : state == 3 /* connected */ ? SOCKET_ESTABLISHED
						: SOCKET_CLOSE;
	if (line[at] != ' ' || !line[at + 1])
		return 0;
	s->path = strdup(line + at + 1);
	return s->path ? 0 : -ENOMEM;
}

static int parse_line(struct socket_table *t, enum socket_protocol p, const char *line)
{
	struct socket_info s = { .protocol = p, .last_ack_ms = UINT32_MAX };
	int r;

	if (p == SOCKET_UNIX)
		r = parse_unix_line(line, &s);
	else
		r = parse_inet_line(line, &s) ? 0 : -EBADMSG;
	if (s.state == SOCKET_LISTEN)
		s.send_queue = UINT32_MAX;
	if (r)
		return r == -EBADMSG ? 0 : r;
	return socket_table_add(t, &s);
}

int sockparse_text(struct socket_table *t, enum socket_protocol p, const char *text)
{
	char line[512]; /* the longest, with a name of 108 bytes, is below 200 */
	const char *end;
	size_t n;
	int r = 0;

	for (; !r && *text; text = end + (*end == '\n')) {
		end = strchrnul(text, '\n');
		n = (size_t)(end - text);
		if (n >= sizeof(line))
			continue;
		memcpy(line, text, n);
		line[n] = '\0';
		r = parse_line(t, p, line);
	}
	return r;
}
