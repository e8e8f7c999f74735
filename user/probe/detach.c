// SPDX-License-Identifier: Apache-2.0
#include "probe/detach.h"
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/helper.h"
#include "base/vec.h"

#define CLOSERS	    64
#define TOGETHER_MS 500
#define END_MS	    300

struct fd_vec {
	VEC_OF(int);
};

struct closing {
	struct fd_vec links;
	struct fd_vec all; /* and the child's ends of the pipes, ascending */
	int begin[2];	   /* once our end is closed, the links are the child's alone and it closes them */
	int done[2];	   /* at its end: it has */
	pid_t child;	   /* 0: none */
};

/* -- the child -------------------------------------------------------------------------------- */

static void *close_fd(void *arg)
{
	close((int)(intptr_t)arg);
	return NULL;
}

static void close_together(const struct fd_vec *fds)
{
	pthread_t threads[CLOSERS];
	size_t started = 0;

	vec_foreach(fd, fds) {
		if (started == CLOSERS)
			while (started)
				pthread_join(threads[--started], NULL);
		if (pthread_create(&threads[started], NULL, close_fd, (void *)(intptr_t)*fd))
			close(*fd);
		else
			started++;
	}
	while (started)
		pthread_join(threads[--started], NULL);
}

/* Somebody may be waiting for the end of our output, say. */
static void close_others(const struct fd_vec *keep)
{
	int next = 0;

	vec_foreach(fd, keep) {
		if (*fd > next)
			syscall(SYS_close_range, next, *fd - 1, 0);
		next = *fd + 1;
	}
	syscall(SYS_close_range, next, ~0U, 0);
}

static _Noreturn void run_child(const struct closing *c)
{
	sigset_t all;
	char unused;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	helper_name("leaktrace-close");
	close_others(&c->all);
	close(c->begin[1]); /* it can have the number of a link that another thread has closed meanwhile */
	while (read(c->begin[0], &unused, 1) > 0)
		;
	close_together(&c->links);
	for (;;) /* not _exit(), in which sanitizers look for leaks */
		syscall(SYS_exit_group, 0);
}

/* -- with us ---------------------------------------------------------------------------------- */

static int compare_fds(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static int add_fds(struct fd_vec *to, const int *fds, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		r = vec_push(to, fds[i]);
	return r;
}

static void close_pair(int pair[2])
{
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
	pair[0] = pair[1] = -1;
}

static void closing_deinit(struct closing *c)
{
	close_pair(c->begin);
	close_pair(c->done);
	vec_free(&c->links);
	vec_free(&c->all);
}

static int closing_prepare(struct closing *c)
{
	int r = pipe2(c->begin, O_CLOEXEC) || pipe2(c->done, O_CLOEXEC) ? -errno : 0;

	if (!r)
		r = add_fds(&c->all, c->links.items, c->links.n);
	if (!r)
		r = add_fds(&c->all, (int[]){ c->begin[0], c->done[1] }, 2);
	if (!r)
		qsort(c->all.items, c->all.n, sizeof(*c->all.items), compare_fds);
	return r;
}

/* From here on the child has the links as well, and closing them here takes no time. Where that fails, it does. */
static void closing_begin(struct closing *c)
{
	pid_t pid = closing_prepare(c) ? -1 : fork();

	if (!pid)
		run_child(c);
	c->child = pid > 0 ? pid : 0;
}

static void *reap(void *child)
{
	waitpid((pid_t)(intptr_t)child, NULL, 0);
	return NULL;
}

static void closing_wait(struct closing *c, int ms)
{
	struct pollfd done = { .fd = c->done[0], .events = POLLIN };
	pthread_t thread;

	close_pair(c->begin);
	if (!c->child)
		return;
	close(take_fd(c->done[1]));
	if (poll(&done, 1, ms) > 0)
		reap((void *)(intptr_t)c->child);
	else if (!pthread_create(&thread, NULL, reap, (void *)(intptr_t)c->child))
		pthread_detach(thread);
}

void detach_together(const int *fds, size_t n, struct bpf_link *const *perf, size_t n_perf)
{
	_cleanup_(closing_deinit) struct closing c = { .begin = { -1, -1 }, .done = { -1, -1 } };
	int r = add_fds(&c.links, fds, n);

	if (!n && !n_perf)
		return;
	for (size_t i = 0; i < n_perf && !r; i++)
		r = add_fds(&c.links, (int[]){ bpf_link__fd(perf[i]) }, 1);
	if (!r)
		closing_begin(&c);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	for (size_t i = 0; i < n_perf; i++)
		bpf_link__destroy(perf[i]);
	closing_wait(&c, TOGETHER_MS);
}

static bool is_link(int dir, const char *name)
{
	static const char *const kinds[] = { "anon_inode:bpf_link", "anon_inode:[perf_event]" };
	char what[64] = "";

	if (readlinkat(dir, name, what, sizeof(what) - 1) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(what, kinds[i]))
			return true;
	return false;
}

void detach_everything(void)
{
	_cleanup_(closing_deinit) struct closing c = { .begin = { -1, -1 }, .done = { -1, -1 } };
	_cleanup_(cleanup_closedir) DIR *dir = opendir("/proc/self/fd");
	const struct dirent *d;

	while (dir && (d = readdir(dir)))
		if (is_link(dirfd(dir), d->d_name) && vec_push(&c.links, atoi(d->d_name)))
			break;
	if (!c.links.n)
		return;
	closing_begin(&c);
	vec_foreach(fd, &c.links)
		close(*fd);
	closing_wait(&c, END_MS);
}
