/* SPDX-License-Identifier: Apache-2.0 */
/* A socket in words, for connections and for descriptors of them. */
#pragma once
#include "base/arena.h"
#include "kind/census.h"

struct socket_words {
	const char *protocol, *local, *remote, *state; /* NULL: none, or not known */
	const char *text; /* "tcp 127.0.0.1:4242 to 127.0.0.1:80" */
	const char *note; /* what is wrong with it; NULL: nothing that is known */
	double peer_closed_seconds; /* < 0: it has not, or it is not known since when */
	bool unconnected_tcp; /* it has no connection: not yet, or not any more, which is not known */
};

/*
 * Describes the socket with this inode number, all in `arena`. What the system does not list, such as
 * a TCP socket without a connection, is told by a descriptor of it. The peer's close was
 * `peer_closed_seconds` ago, or < 0: not seen. 0 or -ENOMEM.
 */
int socket_words(const struct census *c, uint64_t inode, double peer_closed_seconds,
		 struct arena *arena, struct socket_words *ret);
