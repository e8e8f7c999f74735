// SPDX-License-Identifier: Apache-2.0
/* Where a thread stands that is not on a processor: the kernel tells it, and nothing is stopped for
 * it. */
#include <errno.h>
#include <inttypes.h>
#include "go/goroutine.h"
#include "proc/procfs.h"
#include "proc/taskdir.h"

#define NUMBERS 9 /* the system call, six arguments, the stack pointer, the program counter */

/* The last two numbers; "-1 SP PC" when it is in no system call, "running" when it is on a
 * processor. */
static bool parse_syscall(const char *text, uint64_t *ret_sp, uint64_t *ret_pc)
{
	uint64_t v[NUMBERS];
	int n = 0;
	char *end;

	for (; n < NUMBERS; n++, text = end) {
		v[n] = strtoull(text, &end, 0);
		if (end == text)
			break;
	}
	if (n != 3 && n != NUMBERS)
		return false;
	*ret_sp = v[n - 2];
	*ret_pc = v[n - 1];
	return true;
}

bool go_thread_stands_at(const struct go_runtime *rt, pid_t tid, uint64_t *ret_sp, uint64_t *ret_pc)
{
	_cleanup_free_ char *text = NULL;
	char name[48];

	if (rt->memory.pid <= 0 || tid <= 0)
		return false;
	snprintf(name, sizeof(name), "task/%d/syscall", (int)tid);
	return !procfs_read(rt->memory.pid, name, &text, NULL) &&
	       parse_syscall(text, ret_sp, ret_pc);
}

/* 0: not known. */
static uint64_t inner_tid(pid_t pid, uint64_t tid)
{
	_cleanup_free_ char *text = NULL;
	char name[48];

	snprintf(name, sizeof(name), "task/%" PRIu64 "/status", tid);
	return procfs_read(pid, name, &text, NULL) ? 0 : procfs_inner_id(text);
}

static bool has_own_ids(pid_t pid)
{
	_cleanup_free_ char *theirs = NULL, *ours = NULL;

	return !procfs_readlink(task_proc(pid), "ns/pid", &theirs) &&
	       !procfs_readlink(getpid(), "ns/pid", &ours) && strcmp(theirs, ours) != 0;
}

int go_threads_read(pid_t pid, struct go_threads *ret)
{
	struct number_vec tids = { 0 };
	char path[32];
	int r = 0;

	ret->known = true;
	if (pid <= 0 || !has_own_ids(pid))
		return 0;
	ret->own_ids = true;
	snprintf(path, sizeof(path), "%d/task", (int)pid);
	taskdir_list(path, &tids);
	vec_foreach(tid, &tids) {
		const uint64_t inner = inner_tid(pid, *tid);

		if (inner && !r)
			r = hashmap_put(&ret->by_inner, inner, *tid);
	}
	vec_free(&tids);
	return r;
}

pid_t go_threads_get(const struct go_threads *t, pid_t inner)
{
	const uint64_t *tid = t->own_ids ? hashmap_get(&t->by_inner, (uint64_t)inner) : NULL;

	if (!t->own_ids)
		return inner;
	return tid ? (pid_t)*tid : 0;
}

void go_threads_deinit(struct go_threads *t)
{
	hashmap_deinit(&t->by_inner);
}
