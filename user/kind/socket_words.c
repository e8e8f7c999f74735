// SPDX-License-Identifier: Apache-2.0
#include "kind/socket_words.h"
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/units.h"

static const char *const protocol_names[SOCKET_PROTOCOL_MAX] = {
	[SOCKET_TCP] = "tcp",	[SOCKET_TCP6] = "tcp6", [SOCKET_UDP] = "udp",
	[SOCKET_UDP6] = "udp6", [SOCKET_UNIX] = "unix",
};

/* By census_fd.protocol. */
static const struct {
	const char *kernel, *name;
	bool tcp;
} kernel_names[] = {
	{ "TCP", "tcp", true },		 { "TCPv6", "tcp6", true },
	{ "MPTCP", "tcp", true },	 { "MPTCPv6", "tcp6", true },
	{ "UDP", "udp", false },	 { "UDPv6", "udp6", false },
	{ "UNIX", "unix", false },	 { "UNIX-STREAM", "unix", false },
	{ "NETLINK", "netlink", false }, { "PACKET", "packet", false },
	{ "RAW", "raw", false },	 { "RAWv6", "raw6", false },
	{ "PING", "ping", false },	 { "PINGv6", "ping6", false },
	{ "AF_VSOCK", "vsock", false },
};

#define PEER_CLOSED "peer closed"

static const struct state {
	const char *name;
	const char *note;
} states[SOCKET_STATE_MAX] = {
	[SOCKET_ESTABLISHED] = { "ESTABLISHED", NULL },
	[SOCKET_SYN_SENT] = { "SYN_SENT", NULL },
	[SOCKET_SYN_RECV] = { "SYN_RECV", NULL },
	[SOCKET_FIN_WAIT1] = { "FIN_WAIT1",
			       "this side has shut down sending, the peer has not closed" },
	[SOCKET_FIN_WAIT2] = { "FIN_WAIT2",
			       "this side has shut down sending, the peer has not closed" },
	[SOCKET_TIME_WAIT] = { "TIME_WAIT",
			       "both sides have shut down sending, this side never called close" },
	[SOCKET_CLOSE] = { "CLOSED", NULL },
	[SOCKET_CLOSE_WAIT] = { "CLOSE_WAIT", PEER_CLOSED },
	[SOCKET_LAST_ACK] = { "LAST_ACK",
			      "both sides have shut down sending, this side never called close" },
	[SOCKET_LISTEN] = { "LISTEN", NULL },
	[SOCKET_CLOSING] = { "CLOSING",
			     "both sides have shut down sending, this side never called close" },
	[SOCKET_NEW_SYN_RECV] = { "SYN_RECV", NULL },
};

/* Of a unix stream by its shutdown bits; the third is that of one whose peer is still there. */
static const char *const unix_notes[] = {
	[SOCKET_SHUT_RECEIVE] = "nothing more can be received, neither side has closed",
	[SOCKET_SHUT_SEND] = "nothing more can be sent, neither side has closed",
	[SOCKET_SHUT_RECEIVE | SOCKET_SHUT_SEND] = "shut down both ways, neither side has closed",
};

/* Which words belong to a socket in a table. */
static struct state state_of(const struct socket_info *s)
{
	static const struct state unconnected = { "UNCONNECTED", NULL }, unknown = { NULL, NULL };
	const bool tcp = s->protocol <= SOCKET_TCP6;
	struct state ret = unknown;

	if (s->state == SOCKET_CLOSE && !tcp)
		return unconnected;
	if (s->state < SOCKET_STATE_MAX)
		ret = states[s->state];
	if (s->protocol == SOCKET_UNIX && s->state == SOCKET_ESTABLISHED &&
	    s->shutdown < ARRAY_SIZE(unix_notes))
		ret.note = s->peer || !unix_notes[s->shutdown] ||
					   s->shutdown != (SOCKET_SHUT_RECEIVE | SOCKET_SHUT_SEND)
				   ? unix_notes[s->shutdown]
				   : PEER_CLOSED;
	return ret;
}

static char *address(bool v6, const uint8_t *bytes, uint16_t port, struct arena *arena)
{
	char s[INET6_ADDRSTRLEN];

	inet_ntop(v6 ? AF_INET6 : AF_INET, bytes, s, sizeof(s));
	return arena_printf(arena, v6 ? "[%s]:%u" : "%s:%u", s, port);
}

static int inet_addresses(const struct socket_info *s, struct arena *arena, struct socket_words *w)
{
	const bool v6 = s->protocol == SOCKET_TCP6 || s->protocol == SOCKET_UDP6;

	w->local = address(v6, s->local, s->local_port, arena);
	if (!w->local)
		return -ENOMEM;
	if (!s->remote_port)
		return 0;
	w->remote = address(v6, s->remote, s->remote_port, arena);
	return w->remote ? 0 : -ENOMEM;
}

static int unix_addresses(const struct census *c, const struct socket_info *s, struct arena *arena,
			  struct socket_words *w)
{
	const struct socket_info *peer = s->peer ? socket_table_get(&c->sockets, s->peer) : NULL;

	w->local = arena_strdup(arena, s->path);
	w->remote = peer ? arena_strdup(arena, peer->path) : NULL;
	return (s->path && !w->local) || (peer && peer->path && !w->remote) ? -ENOMEM : 0;
}

static int words_text(struct arena *arena, struct socket_words *w)
{
	w->text = arena_printf(arena, "%s%s%s%s%s%s", w->protocol, w->local ? " " : "",
			       w->local ?: "", w->remote ? " to " : "", w->remote ?: "",
			       w->local || w->remote ? "" : ", unnamed");
	return w->text ? 0 : -ENOMEM;
}

/* Puts the time into the words for a peer that has closed. */
static int words_note(struct arena *arena, const char *note, struct socket_words *w)
{
	w->note = note;
	if (!note || strcmp(note, PEER_CLOSED))
		return 0;
	if (w->peer_closed_seconds < 0)
		w->note = "peer closed, this side never called close";
	else
		w->note = arena_printf(arena, "peer closed %s ago, this side never called close",
				       units_duration(w->peer_closed_seconds).s);
	return w->note ? 0 : -ENOMEM;
}

static int words_listed(const struct census *c, const struct socket_info *s, struct arena *arena,
			struct socket_words *w)
{
	const struct state state = state_of(s);
	int r;

	w->protocol = protocol_names[s->protocol];
	w->state = state.name;
	/* a FIN comes with an ACK; a later ACK makes this too little, never too much */
	if (w->peer_closed_seconds < 0 && s->state == SOCKET_CLOSE_WAIT &&
	    s->last_ack_ms != UINT32_MAX)
		w->peer_closed_seconds = s->last_ack_ms / 1e3;
	r = s->protocol == SOCKET_UNIX ? unix_addresses(c, s, arena, w)
				       : inet_addresses(s, arena, w);
	if (!r)
		r = words_text(arena, w);
	return r ? r : words_note(arena, state.note, w);
}

static int words_unlisted(const char *kernel, struct arena *arena, struct socket_words *w)
{
	for (size_t i = 0; i < ARRAY_SIZE(kernel_names); i++) {
		if (strcmp(kernel_names[i].kernel, kernel))
			continue;
		w->protocol = kernel_names[i].name;
		w->unconnected_tcp = kernel_names[i].tcp;
	}
	w->protocol = arena_strdup(arena, w->protocol ?: kernel);
	w->text = w->protocol;
	return w->text ? 0 : -ENOMEM;
}

int socket_words(const struct census *c, uint64_t inode, double peer_closed_seconds,
		 struct arena *arena, struct socket_words *ret)
{
	const struct socket_info *s = socket_table_get(&c->sockets, inode);
	const struct census_fd *f = census_socket_fd(c, inode);
	struct socket_words w = { .peer_closed_seconds = peer_closed_seconds };
	int r = 0;

	if (s)
		r = words_listed(c, s, arena, &w);
	else if (f && f->protocol)
		r = words_unlisted(f->protocol, arena, &w);
	if (!r)
		*ret = w;
	return r;
}
