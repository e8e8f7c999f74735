/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sockets of a network namespace, by inode number, as the kernel's sock_diag tells (netlink:
 * include/uapi/linux/{inet,unix}_diag.h): TCP and UDP over IPv4 and IPv6, and unix sockets. Where the
 * kernel has no sock_diag for a protocol, or the namespace cannot be entered, /proc/PID/net tells most
 * of the same.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/hashmap.h"
#include "base/vec.h"

enum socket_protocol { SOCKET_TCP, SOCKET_TCP6, SOCKET_UDP, SOCKET_UDP6, SOCKET_UNIX, SOCKET_PROTOCOL_MAX };

/* include/net/tcp_states.h; a UDP socket is ESTABLISHED when it is connected, else in CLOSE; a unix
 * socket is ESTABLISHED, in LISTEN or in CLOSE */
enum socket_state {
	SOCKET_ESTABLISHED = 1,
	SOCKET_SYN_SENT,
	SOCKET_SYN_RECV,
	SOCKET_FIN_WAIT1,
	SOCKET_FIN_WAIT2,
	SOCKET_TIME_WAIT,
	SOCKET_CLOSE,
	SOCKET_CLOSE_WAIT,
	SOCKET_LAST_ACK,
	SOCKET_LISTEN,
	SOCKET_CLOSING,
	SOCKET_NEW_SYN_RECV,
	SOCKET_STATE_MAX
};

/* Bits of socket_info.shutdown. */
#define SOCKET_SHUT_RECEIVE 1
#define SOCKET_SHUT_SEND    2

struct socket_info {
	uint64_t inode;
	enum socket_protocol protocol;
	uint8_t state;			   /* enum socket_state */
	uint8_t type;			   /* unix: SOCK_STREAM, ... */
	uint8_t shutdown;		   /* unix: of this side's two directions, by whichever side */
	uint16_t local_port, remote_port;
	uint8_t local[16], remote[16];	   /* of IPv4 the first four */
	char *path;			   /* unix: as `ss` prints it, "@name" when abstract; NULL: none; owned */
	uint64_t peer;			   /* unix: the peer's inode number; 0: none, or none any more */
	/* bytes; of a listener: waiting, and at most; UINT32_MAX: not known */
	uint32_t receive_queue, send_queue;
	uint32_t last_ack_ms;		   /* TCP: since the peer was last heard of; UINT32_MAX: not known */
};

struct socket_table {
	VEC_OF(struct socket_info);
	struct hashmap by_inode; /* -> index + 1 */
};

/* Lists the sockets of the network namespace of the process or thread. 0; or a negative errno, then
 * there is nothing in `ret`. */
int socket_table_read(pid_t pid, struct socket_table *ret);
/* Whether the kernel itself lists the sockets of that namespace: 0; or a negative errno, why it does not
 * list those of `ret_file`, which are then looked up in that file of /proc/PID. */
int socket_table_try(pid_t pid, const char **ret_file);
/* NULL when there is none of that number. */
const struct socket_info *socket_table_get(const struct socket_table *t, uint64_t inode);
/* Adds a socket, whose path then belongs to the table, in place of any with the same inode number, of
 * which only last_ack_ms stays where it is not known anew; one without a number is left out. 0 or -ENOMEM; the path is freed where it is not kept. */
int socket_table_add(struct socket_table *t, const struct socket_info *s);
void socket_table_deinit(struct socket_table *t);
