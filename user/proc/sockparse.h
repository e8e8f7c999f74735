/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel writes about sockets, read into a table: apart from where it comes from. */
#pragma once
#include "proc/sockdiag.h"

/*
 * Reads what one recv() from a sock_diag socket gave: answers to the dump request `seq` for sockets of
 * protocol `p`. 1: the dump is complete, 0: more is to come, -EBADMSG: this is no such answer, or the
 * kernel's own negative errno.
 */
int sockparse_netlink(struct socket_table *t, enum socket_protocol p, uint32_t seq, const void *data,
		      size_t n);
/* Reads all lines of /proc/PID/net/{tcp,tcp6,udp,udp6,unix}; what is no socket's line is passed over.
 * 0 or -ENOMEM. */
int sockparse_text(struct socket_table *t, enum socket_protocol p, const char *text);
