/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sockets of a network namespace, by inode number, as the kernel's sock_diag tells (netlink:
 * include/uapi/linux/{inet,unix}_diag.h): TCP and connected UDP over IPv4 and IPv6, unix stream and
 * seqpacket sockets.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/hashmap.h"
#include "base/vec.h"

enum socket_protocol { SOCKET_TCP, SOCKET_TCP6, SOCKET_UDP, SOCKET_UDP6, SOCKET_UNIX, SOCKET_PROTOCOL_MAX };

/* include/net/tcp_states.h; for unix sockets too: TCP_ESTABLISHED, TCP_LISTEN, TCP_CLOSE */
struct socket_info {
	uint64_t inode;
	enum socket_protocol protocol;
	uint8_t state;
	uint16_t local_port, remote_port;
	uint8_t local[16], remote[16]; /* of IPv4 the first four */
	char *path;		       /* unix: as `ss` prints it, "@name" when abstract; NULL: none; owned */
	uint64_t peer;		       /* unix: the peer's inode number; 0: none */
	uint32_t receive_queue, send_queue; /* bytes; of a listener: waiting, and at most */
	uint32_t last_ack_ms; /* TCP: since the peer was last heard of; UINT32_MAX: not known */
};

struct socket_table {
	VEC_OF(struct socket_info);
	struct hashmap by_inode; /* -> index + 1 */
};

/* Lists the sockets of the network namespace of the process. 0 or a negative errno. */
int socket_table_read(pid_t pid, struct socket_table *ret);
const struct socket_info *socket_table_get(const struct socket_table *t, uint64_t inode);
void socket_table_deinit(struct socket_table *t);
