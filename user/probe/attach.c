// SPDX-License-Identifier: Apache-2.0
#include "probe/attach.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "probe/detach.h"
#include "proc/taskdir.h"

/* include/uapi/linux/bpf.h of kernels newer than the headers that we build with */
#define LT_BPF_TRACE_UPROBE_MULTI   48
#define LT_BPF_TRACE_UPROBE_SESSION 57
#define LT_BPF_F_UPROBE_MULTI_RETURN 1

struct link_create_uprobe_multi {
	uint32_t prog_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t cnt, multi_flags, pid, reserved;
};

static uint64_t cookie_raw(const struct lt_cookie *c)
{
	uint64_t raw;

	memcpy(&raw, c, sizeof(raw));
	return raw;
}

/* Which of a request's points a link is for. */
enum point_filter { POINTS_ALL, POINTS_RETURNING, POINTS_NOT_RETURNING };

static bool point_wanted(const struct attach_point *p, enum point_filter filter)
{
	return filter == POINTS_ALL || p->returns == (filter == POINTS_RETURNING);
}

static int multi_link(const struct bpf_program *prog, unsigned int type, unsigned int multi_flags,
		      enum point_filter filter, const struct attach_request *rq,
		      struct attachments *ret)
{
	_cleanup_free_ uint64_t *offsets = calloc(rq->n + 1, sizeof(*offsets));
	_cleanup_free_ uint64_t *cookies = calloc(rq->n + 1, sizeof(*cookies));
	struct link_create_uprobe_multi attr = {
		.prog_fd = (uint32_t)bpf_program__fd(prog),
		.attach_type = type,
		.multi_flags = multi_flags,
		.pid = (uint32_t)rq->pid,
	};
	char path[32];
	int fd, r;

	if (!offsets || !cookies)
		return -ENOMEM;
	for (size_t i = 0; i < rq->n; i++) {
		if (!point_wanted(&rq->points[i], filter))
			continue;
		offsets[attr.cnt] = rq->points[i].offset;
		cookies[attr.cnt++] = cookie_raw(&rq->points[i].cookie);
	}
	if (!attr.cnt)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", rq->fd);
	attr.path = (uint64_t)(uintptr_t)path;
	attr.offsets = (uint64_t)(uintptr_t)offsets;
	attr.cookies = (uint64_t)(uintptr_t)cookies;
	fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	if (fd < 0)
		return -errno;
	r = vec_push(ret, fd);
	if (r)
		close(fd);
	return r;
}

static int attach_session(const struct attach_programs *p, const struct attach_request *rq,
			  struct attachments *ret)
{
	int r = multi_link(p->session, LT_BPF_TRACE_UPROBE_SESSION, 0, POINTS_RETURNING, rq, ret);

	return r ? r : multi_link(p->enter, LT_BPF_TRACE_UPROBE_MULTI, 0, POINTS_NOT_RETURNING, rq, ret);
}

static int attach_multi(const struct attach_programs *p, const struct attach_request *rq,
			struct attachments *ret)
{
	/* returns first: an entry whose return is not yet probed would wait for it in vain */
	int r = multi_link(p->leave, LT_BPF_TRACE_UPROBE_MULTI, LT_BPF_F_UPROBE_MULTI_RETURN,
			   POINTS_RETURNING, rq, ret);

	return r ? r : multi_link(p->enter, LT_BPF_TRACE_UPROBE_MULTI, 0, POINTS_ALL, rq, ret);
}

static int perf_link(const struct bpf_program *prog, const struct attach_request *rq,
		     const struct attach_point *point, bool at_return, struct attachments *ret)
{
	const pid_t thread = task_proc(rq->pid);
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .retprobe = at_return,
		    .bpf_cookie = cookie_raw(&point->cookie));
	struct bpf_link *link;
	char path[32];
	int r;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", rq->fd);
	link = bpf_program__attach_uprobe_opts(prog, thread, path, point->offset, &opts);
	if (!link)
		return -errno;
	r = vec_push(&ret->perf, link);
	if (r)
		bpf_link__destroy(link);
	return r;
}

static int attach_perf(const struct attach_programs *p, const struct attach_request *rq,
		       struct attachments *ret)
{
	int r = 0;

	for (size_t i = 0; i < rq->n && !r; i++)
		if (rq->points[i].returns)
			r = perf_link(p->leave, rq, &rq->points[i], true, ret);
	for (size_t i = 0; i < rq->n && !r; i++)
		r = perf_link(p->enter, rq, &rq->points[i], false, ret);
	return r;
}

const struct attach_kind *const *attach_kinds(void)
{
	static const struct attach_kind session = {
		.name = "session",
		.session = true,
		.enter_type = LT_BPF_TRACE_UPROBE_MULTI,
		.session_type = LT_BPF_TRACE_UPROBE_SESSION,
		.attach = attach_session,
	};
	static const struct attach_kind multi = {
		.name = "multi",
		.enter_type = LT_BPF_TRACE_UPROBE_MULTI,
		.attach = attach_multi,
	};
	static const struct attach_kind perf = {
		.name = "perf",
		.by_space = true,
		.by_thread = true,
		.attach = attach_perf,
	};
	static const struct attach_kind *const table[] = { &session, &multi, &perf, NULL };

	return table;
}

const char *attach_kind_needed(pid_t pid)
{
	return task_proc(pid) == pid ? NULL : "perf";
}

const struct attach_kind *attach_kind_by_space(void)
{
	const struct attach_kind *const *kind = attach_kinds();

	while (!(*kind)->by_space)
		kind++;
	return *kind;
}

void attachments_move(struct attachments *from, struct attachments *to)
{
	while (from->n && !vec_push(to, from->items[from->n - 1]))
		from->n--;
	while (from->perf.n && !vec_push(&to->perf, from->perf.items[from->perf.n - 1]))
		from->perf.n--;
}

void attachments_deinit(struct attachments *a)
{
	detach_together(a->items, a->n, a->perf.items, a->perf.n);
	vec_free(a);
	vec_free(&a->perf);
}
