/* SPDX-License-Identifier: Apache-2.0 */
/* One GET from a server on a unix socket that belongs to root, as Docker's does. */
#pragma once
#include "base/strbuf.h"

/*
 * Gets `path` from the server at the socket `root` + `socket_path`, within `timeout_ms` for all of it. The body, at
 * most `max` bytes, is added to `ret`. 0; -ENOENT: nobody listens there; -EPERM: somebody else does; -ETIMEDOUT;
 * -EFBIG; -EBADMSG: it is no answer of HTTP with status 200; or another negative errno.
 */
int unix_http_get(const char *root, const char *socket_path, const char *path, int timeout_ms, size_t max,
		  struct strbuf *ret);
