// SPDX-License-Identifier: Apache-2.0
#include "probe/detach.h"
#include <bpf/libbpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/vec.h"

#define CLOSERS 64

static void *close_fd(void *arg)
{
	close((int)(intptr_t)arg);
	return NULL;
}

static void *close_perf(void *arg)
{
	bpf_link__destroy(arg);
	return NULL;
}

struct closers {
	pthread_t threads[CLOSERS];
	size_t started;
};

static void closers_wait(struct closers *c)
{
	while (c->started)
		pthread_join(c->threads[--c->started], NULL);
}

static void closers_add(struct closers *c, void *(*close_one)(void *), void *link)
{
	if (c->started == CLOSERS)
		closers_wait(c);
	if (pthread_create(&c->threads[c->started], NULL, close_one, link))
		close_one(link);
	else
		c->started++;
}

void detach_together(const int *fds, size_t n, struct bpf_link *const *perf, size_t n_perf)
{
	struct closers closers = { .started = 0 };

	for (size_t i = 0; i < n; i++)
		closers_add(&closers, close_fd, (void *)(intptr_t)fds[i]);
	for (size_t i = 0; i < n_perf; i++)
		closers_add(&closers, close_perf, perf[i]);
	closers_wait(&closers);
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
	DIR *dir = opendir("/proc/self/fd");
	struct {
		VEC_OF(int);
	} links = { 0 };
	const struct dirent *d;

	while (dir && (d = readdir(dir)))
		if (is_link(dirfd(dir), d->d_name) && vec_push(&links, atoi(d->d_name)))
			break;
	detach_together(links.items, links.n, NULL, 0);
	vec_free(&links);
	if (dir)
		closedir(dir);
}
