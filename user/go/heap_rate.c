// SPDX-License-Identifier: Apache-2.0
#include "go/heap_rate.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "go/heap.h"
#include "proc/taskdir.h"

#define RATE 524288 /* src/runtime/mprof.go */

static int rate_get(const struct go_heap_rate *r, uint64_t *ret)
{
	ssize_t n = pread(r->memory, ret, sizeof(*ret), (off_t)r->at);

	if (n < 0)
		return -errno;
	return n == sizeof(*ret) ? 0 : -ESRCH;
}

static int rate_put(const struct go_heap_rate *r, uint64_t rate)
{
	ssize_t n = pwrite(r->memory, &rate, sizeof(rate), (off_t)r->at);

	if (n < 0)
		return -errno;
	return n == sizeof(rate) ? 0 : -ESRCH;
}

/* The memory that was opened is that of the program which `rt` is of: its moduledata begins with where the
 * table of functions is. */
static bool is_same_program(const struct go_heap_rate *r, const struct go_runtime *rt)
{
	uint64_t table;

	return rt->at.module &&
	       pread(r->memory, &table, sizeof(table), (off_t)rt->at.module) == sizeof(table) &&
	       table == rt->table.address + rt->bias;
}

/* Switches it off, unless the program has set a rate itself meanwhile. */
static int rate_undo(const struct go_heap_rate *r)
{
	uint64_t rate = 0;
	int err = rate_get(r, &rate);

	return !err && rate == RATE ? rate_put(r, 0) : err;
}

static void undo(uintptr_t memory, uint64_t at)
{
	rate_undo(&(struct go_heap_rate){ .memory = (int)memory, .at = at });
}

static int rate_write(const struct go_heap_rate *r)
{
	int err;

	undo_begin(r->undo);
	err = undo_add(r->undo, undo, (uintptr_t)r->memory, r->at);
	if (!err) {
		err = rate_put(r, RATE);
		if (err)
			undo_drop(r->undo, undo, (uintptr_t)r->memory, r->at);
	}
	undo_end(r->undo);
	return err;
}

int go_heap_rate_begin(const struct go_runtime *rt, struct undo_list *list, struct go_heap_rate *ret,
		       struct err *e)
{
	struct go_heap_rate r = { .at = rt->at.mem_profile_rate, .undo = list };
	const int pid = (int)rt->memory.pid;
	char path[32];
	uint64_t rate = 0;
	int err;

	if (!r.at || r.at & 7)
		return err_set(e, -EOPNOTSUPP, "pid %d: runtime.MemProfileRate is not where it could be found, so "
			       "its heap profile cannot be switched on", pid);
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)task_proc(pid));
	r.memory = open(path, O_RDWR | O_CLOEXEC);
	if (r.memory < 0)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	err = rate_get(&r, &rate);
	if (err)
		err_set(e, err, "pid %d: runtime.MemProfileRate cannot be read: %s", pid, strerror(-err));
	else if (rate)
		err = err_set(e, -EALREADY, "pid %d: the program keeps a heap profile already, with a rate of "
			      "%llu: nothing is written", pid, (unsigned long long)rate);
	else if (!is_same_program(&r, rt))
		err = err_set(e, -EOPNOTSUPP, "pid %d runs another program now", pid);
	if (!err) {
		err = rate_write(&r);
		if (err)
			err_set(e, err, "pid %d: runtime.MemProfileRate cannot be written: %s", pid,
				strerror(-err));
	}
	if (err)
		close(r.memory);
	else
		*ret = r;
	return err;
}

int go_heap_rate_end(struct go_heap_rate *r)
{
	int err;

	if (r->memory < 0)
		return 0;
	undo_begin(r->undo);
	err = rate_undo(r);
	undo_drop(r->undo, undo, (uintptr_t)r->memory, r->at);
	undo_end(r->undo);
	close(r->memory);
	*r = GO_HEAP_RATE_NONE;
	return err == -ESRCH || err == -EIO ? 0 : err; /* the program has gone, and its memory with it */
}
