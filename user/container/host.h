/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small files of the host that containers run on. Everything in this room reads below `root`: "" is the host
 * itself, any other folder holds a copy of what is read (/proc, /sys/fs/cgroup, /run, /var), as tests make it.
 */
#pragma once
#include <json-c/json_types.h>
#include <stddef.h>
#include <sys/types.h>
#include "proc/taskdir.h"

/* Of a file of the kernel's. Mounts of 10,000 containers take some 20 MiB. */
#define HOST_FILE_MAX (64U << 20)

/* A file of the kernel's own (/proc, cgroupfs), NUL-terminated, the caller's; its length in `*ret_size` unless
 * that is NULL. 0 or a negative errno: -ENOENT also when what it tells of has gone, -EFBIG beyond HOST_FILE_MAX. */
int host_read(const char *root, const char *path, char **ret, size_t *ret_size);
/* The process ids that /proc has, ascending. 0 or a negative errno. */
int host_pids(const char *root, struct number_vec *ret);

/*
 * A JSON file that a container runtime has written, by the rules of proc/foreign.h, and only when it belongs to
 * root (or to us) and has at most `max` bytes: what is in it has partly been chosen by whoever started the
 * container. `*ret` is an object, for json_object_put(). -ENOENT: there is none; -EFBIG, -EPERM, -EBADMSG: it
 * is not to be used; or another negative errno.
 */
int host_read_json(const char *root, const char *path, size_t max, struct json_object **ret);
/* For _cleanup_(). */
void host_json_free(struct json_object **o);
/* The same of a text. Nothing in it is deeper than 32 levels. */
int host_parse_json(const char *text, size_t n, struct json_object **ret);
/* The text that an object has by that key, as long as the object lives; NULL: there is none. */
const char *host_json_text(struct json_object *o, const char *key);
