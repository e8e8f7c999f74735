// SPDX-License-Identifier: Apache-2.0
#include "container/host.h"
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "proc/foreign.h"

#define JSON_DEPTH 32

static void cleanup_tokener(struct json_tokener **t)
{
	if (*t)
		json_tokener_free(*t);
}

/* At most `max` bytes. */
static int read_all(int fd, size_t max, struct strbuf *b)
{
	ssize_t n = 1;

	while (n > 0 && b->n < max) {
		const size_t left = max - b->n;

		if (strbuf_reserve(b, left < 16384 ? left : 16384))
			return -ENOMEM;
		n = read(fd, b->s + b->n, left < 16384 ? left : 16384);
		if (n < 0)
			return errno == ESRCH || errno == ENODEV ? -ENOENT : -errno;
		b->n += (size_t)n;
	}
	return 0;
}

int host_read(const char *root, const char *path, char **ret, size_t *ret_size)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	_cleanup_close_ int fd = -1;
	char full[PATH_MAX];
	int r;

	if ((size_t)snprintf(full, sizeof(full), "%s%s", root, path) >= sizeof(full))
		return -ENAMETOOLONG;
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ESRCH || errno == ENODEV ? -ENOENT : -errno;
	r = read_all(fd, HOST_FILE_MAX, &b);
	if (r || b.n == HOST_FILE_MAX)
		return r ?: -EFBIG;
	if (ret_size)
		*ret_size = b.n;
	strbuf_add(&b, "", 0); /* ends with NUL, also when there was nothing */
	*ret = strbuf_steal(&b);
	return *ret ? 0 : -ENOMEM;
}

int host_pids(const char *root, struct number_vec *ret)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/proc", root) >= sizeof(path))
		return -ENAMETOOLONG;
	return taskdir_list_at(path, ret);
}

void host_json_free(struct json_object **o)
{
	json_object_put(*o);
}

int host_parse_json(const char *text, size_t n, struct json_object **ret)
{
	_cleanup_(cleanup_tokener) struct json_tokener *t = json_tokener_new_ex(JSON_DEPTH);
	struct json_object *o;

	if (!t)
		return -ENOMEM;
	if (n > INT_MAX)
		return -EFBIG;
	o = json_tokener_parse_ex(t, text, (int)n);
	if (json_tokener_get_error(t) != json_tokener_success) {
		json_object_put(o);
		return -EBADMSG;
	}
	*ret = o; /* NULL is JSON's null */
	return o ? 0 : -EBADMSG;
}

int host_read_json(const char *root, const char *path, size_t max, struct json_object **ret)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	_cleanup_close_ int fd = foreign_open_path(root, path);
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		return -errno;
	if (!foreign_is_owned(&st, geteuid()) || foreign_is_slow(fd))
		return -EPERM;
	if (st.st_size < 0 || (size_t)st.st_size > max)
		return -EFBIG;
	r = read_all(fd, max, &b);
	return r ? r : host_parse_json(b.s ? b.s : "", b.n, ret);
}

const char *host_json_text(struct json_object *o, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(o, key, &value) || !json_object_is_type(value, json_type_string))
		return NULL;
	return json_object_get_string(value);
}
