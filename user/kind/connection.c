// SPDX-License-Identifier: Apache-2.0
#include <sys/socket.h>
#include "base/units.h"
#include "kind/fields.h"
#include "kind/kinds.h"
#include "kind/socket_words.h"

#define UNCLOSED_SECONDS 1 /* a response that is still being read is nothing wrong */

static bool is_connection(const struct socket_info *s)
{
	switch (s->protocol) {
	case SOCKET_TCP:
	case SOCKET_TCP6:
		return s->state != SOCKET_LISTEN && s->state != SOCKET_CLOSE &&
		       s->state != SOCKET_NEW_SYN_RECV;
	case SOCKET_UDP:
	case SOCKET_UDP6:
		return s->state == SOCKET_ESTABLISHED;
	case SOCKET_UNIX:
		return s->state == SOCKET_ESTABLISHED &&
		       (s->type == SOCK_STREAM || s->type == SOCK_SEQPACKET);
	default:
		return false;
	}
}

static bool is_listener(const struct socket_info *s)
{
	return s->state == SOCKET_LISTEN;
}

/* Each socket once, with the lowest of its descriptors. */
static int list(const struct census *c, bool (*wanted)(const struct socket_info *),
		struct id_vec *ret)
{
	int r = 0;

	for (size_t i = 0; !r && i < c->fds.n; i++) {
		const struct census_fd *f = &c->fds.items[i];
		const struct socket_info *s =
			f->socket ? socket_table_get(&c->sockets, f->socket) : NULL;

		if (s && wanted(s) && census_socket_fd(c, f->socket) == f)
			r = vec_push(ret, f->socket);
	}
	return r;
}

static int connection_list(const struct census *c, struct id_vec *ret)
{
	return list(c, is_connection, ret);
}

static int listener_list(const struct census *c, struct id_vec *ret)
{
	return list(c, is_listener, ret);
}

static bool socket_holds(const struct census *c, uint64_t id)
{
	return census_socket_fd(c, id);
}

static void item_queue(struct item *i, const char *key, uint32_t bytes)
{
	item_number(i, key, bytes, bytes != UINT32_MAX);
}

static const char *unclosed_note(const struct holding *h, struct arena *arena)
{
	return arena_printf(arena, "the response to a request of %s ago was neither closed nor read to its end",
			    units_duration(h->unclosed_seconds).s);
}

static int describe(const struct census *c, const struct holding *h, struct arena *arena,
		    const char *closed_note, struct item *ret)
{
	const bool seen = h->peer_closed_ns && h->peer_closed_ns <= h->now_ns;
	const double closed = seen ? (double)(h->now_ns - h->peer_closed_ns) / 1e9 : -1;
	const struct socket_info *s = c ? socket_table_get(&c->sockets, h->id) : NULL;
	const struct census_fd *f = c ? census_socket_fd(c, h->id) : NULL;
	struct socket_words w = { .peer_closed_seconds = closed };
	struct item i = item_make(h);
	int r = c ? socket_words(c, h->id, closed, arena, &w) : 0;

	if (r)
		return r;
	if (w.unconnected_tcp && h->acquired_ns < c->began_ns) { /* or it came after the census */
		w.state = "CLOSED";
		w.note = closed_note;
	}
	item_string(&i, "protocol", w.protocol);
	item_string(&i, "local", w.local);
	item_string(&i, "remote", w.remote);
	item_string(&i, "state", w.state);
	item_queue(&i, "receive_queue", s ? s->receive_queue : UINT32_MAX);
	item_queue(&i, "send_queue", s ? s->send_queue : UINT32_MAX);
	item_number(&i, "fd", f ? f->fd : 0, f);
	item_number(&i, "inode", h->id, true);
	item_number(&i, "peer_closed_seconds", (uint64_t)w.peer_closed_seconds,
		    w.peer_closed_seconds >= 0);
	item_seconds(&i, "unclosed_response_seconds", h->unclosed_seconds > 0 ? h->unclosed_seconds : -1);
	if (!w.note && h->unclosed_seconds >= UNCLOSED_SECONDS) {
		w.note = unclosed_note(h, arena);
		if (!w.note)
			return -ENOMEM;
	}
	if (!w.text)
		i.text = arena_printf(arena, "socket %llu", (unsigned long long)h->id);
	else
		i.text = w.state ? arena_printf(arena, "%s, %s", w.text, w.state) : w.text;
	i.note = w.note;
	return item_finish(&i, ret);
}

static int connection_describe(const struct census *c, const struct holding *h, struct arena *arena,
			       struct item *ret)
{
	return describe(c, h, arena, "the connection is gone, its descriptor was never closed",
			ret);
}

static int listener_describe(const struct census *c, const struct holding *h, struct arena *arena,
			     struct item *ret)
{
	return describe(c, h, arena, "listens no more, its descriptor was never closed", ret);
}

const struct kind kind_connection = {
	.id = LT_KIND_CONNECTION,
	.list = connection_list,
	.holds = socket_holds,
	.describe = connection_describe,
};

const struct kind kind_listener = {
	.id = LT_KIND_LISTENER,
	.list = listener_list,
	.holds = socket_holds,
	.describe = listener_describe,
};
