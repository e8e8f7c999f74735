// SPDX-License-Identifier: Apache-2.0
#include "proc/taskdir.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/units.h"
#include "proc/procfs.h"

/* kernel: include/linux/sched.h */
#define PF_EXITING 0x00000004
#define PF_KTHREAD 0x00200000

static int number_order(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static bool number_sorted(const struct number_vec *v)
{
	for (size_t i = 1; i < v->n; i++)
		if (v->items[i] <= v->items[i - 1])
			return false;
	return true;
}

void number_vec_sort(struct number_vec *v)
{
	size_t kept = 0;

	if (number_sorted(v))
		return;
	qsort(v->items, v->n, sizeof(*v->items), number_order);
	for (size_t i = 0; i < v->n; i++)
		if (!kept || v->items[kept - 1] != v->items[i])
			v->items[kept++] = v->items[i];
	v->n = kept;
}

bool number_vec_has(const struct number_vec *v, uint64_t number)
{
	return v->n && bsearch(&number, v->items, v->n, sizeof(*v->items), number_order);
}

int taskdir_list(const char *path, struct number_vec *ret)
{
	char full[64];

	snprintf(full, sizeof(full), "/proc/%s", path);
	return taskdir_list_at(full, ret);
}

int taskdir_list_at(const char *path, struct number_vec *ret)
{
	_cleanup_(cleanup_closedir) DIR *dir = opendir(path);
	struct dirent *e;
	uint64_t number;
	int r;

	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while (errno = 0, (e = readdir(dir))) {
		if (!*e->d_name || units_parse_uint(e->d_name, INT_MAX, &number))
			continue;
		r = vec_push(ret, number);
		if (r)
			return r;
	}
	if (errno)
		return errno == ENOENT ? -ESRCH : -errno;
	/* the kernel's own order already, but nothing promises it */
	number_vec_sort(ret);
	return 0;
}

/* The kernel writes '\n' and '\\' in the name as those two characters each. */
static void unescape(const char *s, const char *end, char *to, size_t size)
{
	size_t n = 0;

	while (s < end && n + 1 < size) {
		if (*s == '\\' && end - s > 1 && (s[1] == 'n' || s[1] == '\\')) {
			to[n++] = s[1] == 'n' ? '\n' : '\\';
			s += 2;
		} else {
			to[n++] = *s++;
		}
	}
	to[n] = '\0';
}

int task_stat_parse(const char *text, size_t n, struct task_stat *ret)
{
	const char *open = memchr(text, '(', n),
		   *close = open ? memrchr(open, ')', n - (open - text)) : NULL;
	struct task_stat t = { 0 };
	int pid, ppid;

	if (!close || sscanf(text, "%d (", &pid) != 1 ||
	    sscanf(close + 1, " %c %d %*d %*d %*d %*d %u", &t.state, &ppid, &t.flags) < 2 || pid <= 0 || ppid < 0)
		return -EBADMSG;
	t.pid = pid;
	t.ppid = ppid;
	unescape(open + 1, close, t.name, sizeof(t.name));
	*ret = t;
	return 0;
}

int task_stat_read(pid_t tid, struct task_stat *ret)
{
	_cleanup_free_ char *text = NULL;
	size_t n;
	int r = procfs_read(tid, "stat", &text, &n);

	return r ? r : task_stat_parse(text, n, ret);
}

bool task_stat_ended(const struct task_stat *t)
{
	return t->state == 'Z' || t->state == 'X';
}

bool task_stat_is_ending(const struct task_stat *t)
{
	return task_stat_ended(t) || t->flags & PF_EXITING;
}

bool task_stat_is_kernels(const struct task_stat *t)
{
	return t->flags & PF_KTHREAD;
}

static int task_runs(pid_t tid)
{
	struct task_stat t;
	int r = task_stat_read(tid, &t);

	return r ? r : task_stat_ended(&t) ? -ESRCH : 0;
}

int task_living(pid_t pid, pid_t *ret)
{
	struct number_vec tids = { 0 };
	char path[32];
	int r = task_runs(pid);

	*ret = pid;
	if (r != -ESRCH)
		return r;
	snprintf(path, sizeof(path), "%d/task", (int)pid);
	r = taskdir_list(path, &tids);
	if (!r)
		r = -ESRCH;
	for (size_t i = 0; r == -ESRCH && i < tids.n; i++) {
		*ret = (pid_t)tids.items[i];
		r = task_runs(*ret);
	}
	vec_free(&tids);
	return r;
}

pid_t task_proc(pid_t pid)
{
	pid_t living;

	return task_living(pid, &living) ? pid : living;
}
