// SPDX-License-Identifier: Apache-2.0
#include "proc/opener.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>
#include "base/clock.h"
#include "proc/foreign.h"

#define TIMEOUT_MS  2000
#define PATIENCE_MS 4000	 /* for all files of a process together */
#define COPY_MAX    (256L << 20) /* bytes of a file */
#define COPY_PIECE  (1U << 20)
#define MEMORY_MAX  (64ULL << 20)

enum opener_what { OPEN_MAPPING, OPEN_PROGRAM };

/* Then the mapping's path with its NUL. */
struct opener_request {
	enum opener_what what;
	pid_t pid;
	struct map_entry map; /* its path: not set */
};

/* -- within the helper ---------------------------------------------------------------------------- */

static int copy_file(int fd)
{
	_cleanup_close_ int copy = memfd_create("leaktrace", MFD_CLOEXEC);
	off_t at = 0;
	ssize_t n;

	if (copy < 0)
		return -errno;
	while ((n = sendfile(copy, fd, &at, COPY_PIECE)) > 0)
		if (at > COPY_MAX)
			return -EFBIG;
	return n < 0 ? -errno : take_fd(copy);
}

static int serve(void *state, const struct helper_message *request, struct helper_answer *answer)
{
	struct opener_request rq;
	int fd;

	if (request->n <= sizeof(rq))
		return -EBADMSG;
	memcpy(&rq, request->bytes, sizeof(rq));
	rq.map.path = (const char *)request->bytes + sizeof(rq);
	fd = rq.what == OPEN_PROGRAM ? foreign_open_program(rq.pid) : foreign_open_mapping(rq.pid, &rq.map);
	if (fd < 0)
		return fd;
	answer->fds[0] = fd;
	if (!foreign_is_slow(fd))
		return 0;
	answer->fds[1] = copy_file(fd);
	return answer->fds[1] < 0 ? answer->fds[1] : 0;
}

static const struct helper_kind opener_kind = {
	.name = "leaktrace-open",
	.memory = MEMORY_MAX,
	.serve = serve,
};

/* -- with us -------------------------------------------------------------------------------------- */

void opener_init(struct opener *o)
{
	*o = (struct opener){ .helper.kind = &opener_kind };
}

void opener_deinit(struct opener *o)
{
	helper_deinit(&o->helper);
	hashmap_deinit(&o->waited_ms);
}

void opener_forget(struct opener *o, pid_t pid)
{
	hashmap_remove(&o->waited_ms, (uint64_t)pid);
}

static int opener_ask(struct opener *o, const struct opener_request *rq, const char *path,
		      struct opened_file *ret)
{
	const uint64_t *waited = hashmap_get(&o->waited_ms, (uint64_t)rq->pid), began_ns = clock_now();
	const uint64_t waited_ms = waited ? *waited : 0;
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	struct helper_message request, answer;
	int r;

	if (waited_ms >= PATIENCE_MS)
		return -ETIMEDOUT;
	strbuf_add(&b, (const char *)rq, sizeof(*rq));
	strbuf_add(&b, path, strlen(path) + 1);
	if (b.oom)
		return -ENOMEM;
	request = (struct helper_message){ .bytes = b.s, .n = b.n, .fds = { -1, -1 } };
	r = helper_call(&o->helper, &request, TIMEOUT_MS, &answer);
	if (r == -ETIMEDOUT &&
	    hashmap_put(&o->waited_ms, (uint64_t)rq->pid, waited_ms + (clock_now() - began_ns) / 1000000))
		return -ENOMEM;
	if (!r)
		*ret = (struct opened_file){ .fd = answer.fds[0], .copy = answer.fds[1] };
	return r;
}

int opener_mapping(struct opener *o, pid_t pid, const struct map_entry *map, struct opened_file *ret)
{
	struct opener_request rq = { .what = OPEN_MAPPING, .pid = pid, .map = *map };

	rq.map.path = NULL;
	return opener_ask(o, &rq, map->path, ret);
}

int opener_program(struct opener *o, pid_t pid, struct opened_file *ret)
{
	const struct opener_request rq = { .what = OPEN_PROGRAM, .pid = pid };

	return opener_ask(o, &rq, "", ret);
}
