// SPDX-License-Identifier: Apache-2.0
#include "kind/census.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <leaktrace/types.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include "base/cleanup.h"
#include "proc/procfs.h"
#include "proc/taskdir.h"

#define BIT(kind)      (1U << LT_KIND_##kind)
#define NEED_SOCKETS   (BIT(CONNECTION) | BIT(LISTENER) | BIT(FD)) /* FD: to say what a socket is */
#define NEED_FDS       NEED_SOCKETS
#define NEED_THREADS   BIT(THREAD)
#define NEED_CHILDREN  (BIT(CHILD) | BIT(ZOMBIE))
#define CHILDREN_TRIES 4
#define BLOCK	       512 /* bytes: statx(2) */
#define TICK_BEGINS_NS 1000000 /* its number changes a little before its time does */

static void cleanup_numbers(struct number_vec *v)
{
	vec_free(v);
}

#define _cleanup_numbers_ _cleanup_(cleanup_numbers)

/* -- descriptors ---------------------------------------------------------------------------------
 */

/* By what its link says: memfd_create() and shm_open() make such. */
static bool is_in_memory(const char *target)
{
	static const char *const prefixes[] = { "/memfd:", "/dev/shm/" };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (!strncmp(target, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

/* A server or a device that does not answer is not waited for. */
static void look_at_file(int dir, const char *name, struct census_fd *f)
{
	struct statx st;

	if (statx(dir, name, AT_STATX_DONT_SYNC, STATX_TYPE | STATX_BLOCKS, &st))
		return;
	f->format = st.stx_mode & S_IFMT;
	if (f->target && is_in_memory(f->target))
		f->memory = st.stx_blocks * BLOCK;
}

static int add_fd(struct census *c, int dir, unsigned int fd)
{
	struct census_fd f = { .fd = fd };
	char name[16], target[PATH_MAX];
	ssize_t n;

	snprintf(name, sizeof(name), "%u", fd);
	n = readlinkat(dir, name, target, sizeof(target) - 1);
	if (n < 0 && (errno == ENOENT || errno == ESRCH))
		return 0;
	if (n >= 0) {
		target[n] = '\0';
		if (sscanf(target, "socket:[%" SCNu64, &f.socket) != 1)
			f.socket = 0;
		f.target = strdup(target);
		if (!f.target)
			return -ENOMEM;
	}
	if (n < 0 || strchr("/(", *target)) /* or "(unreachable)/PATH" */
		look_at_file(dir, name, &f);
	if (vec_push(&c->fds, f)) {
		free(f.target);
		return -ENOMEM;
	}
	if (f.socket && !hashmap_get(&c->by_socket, f.socket))
		return hashmap_put(&c->by_socket, f.socket, c->fds.n - 1);
	return 0;
}

static int take_fds(struct census *c)
{
	_cleanup_numbers_ struct number_vec numbers = { 0 };
	_cleanup_close_ int dir = -1;
	char path[40];
	int r;

	snprintf(path, sizeof(path), "%d/fd", (int)c->living);
	r = taskdir_list(path, &numbers);
	if (r)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)c->living);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	for (size_t i = 0; !r && i < numbers.n; i++)
		r = add_fd(c, dir, (unsigned int)numbers.items[i]);
	return r;
}

/* Asked of the descriptor, while it is still one of that socket. */
static int take_protocol(pid_t pid, struct census_fd *f)
{
	_cleanup_free_ char *now = NULL;
	char path[40], protocol[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%u", (int)pid, f->fd);
	n = getxattr(path, "system.sockprotoname", protocol, sizeof(protocol));
	snprintf(path, sizeof(path), "fd/%u", f->fd);
	if (n <= 0 || procfs_readlink(pid, path, &now) || strcmp(now, f->target))
		return 0;
	f->protocol = strndup(protocol, (size_t)n);
	return f->protocol ? 0 : -ENOMEM;
}

static int take_sockets(struct census *c)
{
	int r = socket_table_read(c->living, &c->sockets);

	for (size_t i = 0; !r && i < c->fds.n; i++)
		if (c->fds.items[i].socket &&
		    !socket_table_get(&c->sockets, c->fds.items[i].socket))
			r = take_protocol(c->living, &c->fds.items[i]);
	return r;
}

/* -- threads -------------------------------------------------------------------------------------
 */

static int list_tasks(const struct census *c, struct number_vec *ret)
{
	char path[32];

	snprintf(path, sizeof(path), "%d/task", (int)c->pid);
	return taskdir_list(path, ret);
}

static int take_threads(struct census *c)
{
	_cleanup_numbers_ struct number_vec tids = { 0 };
	int r = list_tasks(c, &tids);

	for (size_t i = 0; !r && i < tids.n; i++) {
		struct census_thread t = { .tid = (pid_t)tids.items[i] };
		_cleanup_free_ char *name = NULL;
		size_t n;

		r = procfs_read(t.tid, "comm", &name, &n);
		if (r == -ESRCH) {
			r = 0;
			continue;
		}
		if (!r) {
			snprintf(t.name, sizeof(t.name), "%s", name);
			n = strlen(t.name);
			if (n && t.name[n - 1] == '\n')
				t.name[n - 1] = '\0';
			r = vec_push(&c->threads, t);
		}
	}
	return r;
}

/* -- children ------------------------------------------------------------------------------------
 */

static int add_child(struct census *c, pid_t pid)
{
	struct task_stat t;
	int r = task_stat_read(pid, &t);

	if (r || t.ppid != c->pid)
		return r == -ENOMEM ? r : 0;
	struct census_child child = { .pid = pid, .state = t.state, .zombie = task_stat_ended(&t) };

	memcpy(child.name, t.name, sizeof(child.name));
	return vec_push(&c->children, child);
}

/* Adds to `ret` what it has not yet. */
static int add_new(struct hashmap *known, const char *pids, struct number_vec *ret)
{
	char *end;
	int r = 0;

	for (unsigned long pid; !r && (pid = strtoul(pids, &end, 10), end != pids); pids = end) {
		if (hashmap_get(known, pid))
			continue;
		r = hashmap_put(known, pid, 1);
		if (!r)
			r = vec_push(ret, pid);
	}
	return r;
}

static int list_children_of(pid_t pid, pid_t tid, struct hashmap *known, struct number_vec *ret)
{
	_cleanup_free_ char *pids = NULL;
	char name[40];
	int r;

	snprintf(name, sizeof(name), "task/%d/children", (int)tid);
	r = procfs_read(pid, name, &pids, NULL);
	if (!r)
		return add_new(known, pids, ret);
	return r == -ESRCH ? 0 : r;
}

/*
 * While a child is being waited for, the kernel may leave others out of its thread's list, and
 * those of a thread that ends move to another's: the lists are read until they tell nothing new.
 */
static int list_children(const struct census *c, struct number_vec *ret)
{
	_cleanup_(hashmap_deinit) struct hashmap known = { 0 };
	size_t before = SIZE_MAX;
	int r = 0;

	/* without CONFIG_PROC_CHILDREN: all processes, of which add_child() takes ours */
	if (access("/proc/thread-self/children", F_OK))
		return taskdir_list("", ret);
	for (unsigned int i = 0; !r && i < CHILDREN_TRIES && ret->n != before; i++) {
		_cleanup_numbers_ struct number_vec tids = { 0 };

		before = i ? ret->n : SIZE_MAX;
		r = list_tasks(c, &tids);
		for (size_t k = 0; !r && k < tids.n; k++)
			r = list_children_of(c->pid, (pid_t)tids.items[k], &known, ret);
	}
	return r;
}

static int child_order(const void *a, const void *b)
{
	const struct census_child *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static int take_children(struct census *c)
{
	_cleanup_numbers_ struct number_vec pids = { 0 };
	int r = list_children(c, &pids);

	for (size_t i = 0; !r && i < pids.n; i++)
		r = add_child(c, (pid_t)pids.items[i]);
	if (!r && c->children.n)
		qsort(c->children.items, c->children.n, sizeof(*c->children.items), child_order);
	return r;
}

/* -- all of it -----------------------------------------------------------------------------------
 */

int census_take(pid_t pid, uint32_t kinds, struct census *ret)
{
	struct census c = { .pid = pid };
	struct timespec now;
	pid_t living;
	int r;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now); /* when the tick began, however long it lasts */
	c.began_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec - TICK_BEGINS_NS;
	r = task_living(pid, &c.living);
	if (!r && kinds & NEED_FDS)
		r = take_fds(&c);
	if (!r && kinds & NEED_SOCKETS &&
	    c.by_socket.n) /* after the descriptors: it knows them all */
		r = take_sockets(&c);
	if (!r && kinds & NEED_THREADS)
		r = take_threads(&c);
	if (!r && kinds & NEED_CHILDREN)
		r = take_children(&c);
	if (!r) /* or what it held went with it, unnoticed */
		r = task_living(pid, &living);
	if (r)
		census_deinit(&c);
	else
		*ret = c;
	return r;
}

void census_deinit(struct census *c)
{
	vec_foreach(f, &c->fds) {
		free(f->target);
		free(f->protocol);
	}
	vec_free(&c->fds);
	hashmap_deinit(&c->by_socket);
	vec_free(&c->threads);
	vec_free(&c->children);
	socket_table_deinit(&c->sockets);
	*c = (struct census){ 0 };
}

/* Each table is sorted by a number that its items begin with. */
#define FIND(v, order, ...)                                                              \
	((v)->n ? bsearch(&(__typeof__(*(v)->items)){ __VA_ARGS__ }, (v)->items, (v)->n, \
			  sizeof(*(v)->items), order)                                    \
		: NULL)

static int fd_order(const void *a, const void *b)
{
	const struct census_fd *x = a, *y = b;

	return (x->fd > y->fd) - (x->fd < y->fd);
}

static int thread_order(const void *a, const void *b)
{
	const struct census_thread *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

const struct census_fd *census_fd(const struct census *c, unsigned int fd)
{
	return FIND(&c->fds, fd_order, .fd = fd);
}

const struct census_fd *census_socket_fd(const struct census *c, uint64_t inode)
{
	const uint64_t *index = hashmap_get(&c->by_socket, inode);

	return index ? &c->fds.items[*index] : NULL;
}

const struct census_thread *census_thread(const struct census *c, pid_t tid)
{
	return FIND(&c->threads, thread_order, .tid = tid);
}

const struct census_child *census_child(const struct census *c, pid_t pid)
{
	return FIND(&c->children, child_order, .pid = pid);
}
