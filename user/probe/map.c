// SPDX-License-Identifier: Apache-2.0
#include "probe/map.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include "base/cleanup.h"

/* What the thread's scheduling was. */
struct urgent {
	int policy;
	bool raised;
};

static bool is_ordinary(int policy)
{
	policy &= ~SCHED_RESET_ON_FORK;
	return policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE;
}

static struct urgent urgent_begin(void)
{
	struct sched_param lowest = { .sched_priority = 1 };
	struct urgent u = { .policy = sched_getscheduler(0) };

	u.raised = is_ordinary(u.policy) && !sched_setscheduler(0, SCHED_FIFO, &lowest);
	return u;
}

static void urgent_end(struct urgent *u)
{
	struct sched_param none = { 0 };
	int error = errno;

	if (u->raised)
		sched_setscheduler(0, u->policy, &none);
	errno = error;
}

#define _cleanup_urgent_ __attribute__((cleanup(urgent_end), unused))

int map_update(int fd, const void *key, const void *value, uint64_t flags)
{
	_cleanup_urgent_ struct urgent u = urgent_begin();

	return bpf_map_update_elem(fd, key, value, flags) ? -1 : 0;
}

int map_lookup(int fd, const void *key, void *ret)
{
	_cleanup_urgent_ struct urgent u = urgent_begin();

	return bpf_map_lookup_elem(fd, key, ret) ? -1 : 0;
}

int map_delete(int fd, const void *key)
{
	_cleanup_urgent_ struct urgent u = urgent_begin();

	return bpf_map_delete_elem(fd, key) ? -1 : 0;
}

int map_lookup_batch(int fd, void *in, void *out, void *keys, void *values, uint32_t *n)
{
	_cleanup_urgent_ struct urgent u = urgent_begin();

	return bpf_map_lookup_batch(fd, in, out, keys, values, n, NULL) ? -1 : 0;
}

int map_update_batch(int fd, const void *keys, const void *values, uint32_t n)
{
	_cleanup_urgent_ struct urgent u = urgent_begin();

	return n && bpf_map_update_batch(fd, keys, values, &n, NULL) ? -1 : 0;
}

int map_delete_batch(int fd, const void *keys, size_t size, uint32_t n)
{
	_cleanup_urgent_ struct urgent u = urgent_begin();

	for (uint32_t from = 0; from < n; from++) {
		uint32_t done = n - from;

		if (!bpf_map_delete_batch(fd, (const char *)keys + from * size, &done, NULL))
			break;
		if (errno != ENOENT)
			return -1;
		from += done; /* the next one is not there */
	}
	return 0;
}
