// SPDX-License-Identifier: Apache-2.0
#include "proc/memory.h"
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include "proc/taskdir.h"

/*
 * A call costs as much as copying a few kilobytes, and so does a place in it, for the kernel looks
 * up pages for each anew: what is between two parts is read along up to this size.
 */
#define GAP_MAX 2048
#define RUN_MAX (1U << 20)

/* Parts [first, first + n) of those that are sorted, which are read as one. */
struct memory_run {
	uint64_t at;
	size_t size, first, n;
};

/* Through another thread, when the first one has ended before the others. */
static ssize_t process_read(pid_t pid, const struct iovec *local, const struct iovec *places, size_t n)
{
	ssize_t r = process_vm_readv(pid, local, 1, places, n, 0);
	pid_t living;

	if (r >= 0 || errno != ESRCH)
		return r < 0 ? -errno : r;
	if (task_living(pid, &living) || living == pid)
		return -ESRCH;
	r = process_vm_readv(living, local, 1, places, n, 0);
	return r < 0 ? -errno : r;
}

static int memory_read_process(const struct memory *m, uint64_t at, void *to, size_t size)
{
	struct iovec local = { to, size };
	struct iovec remote = { (void *)(uintptr_t)at, size };
	ssize_t n = process_read(m->pid, &local, &remote, 1);

	if (n < 0)
		return (int)n;
	return (size_t)n == size ? 0 : -EFAULT;
}

static ssize_t memory_read_process_places(const struct memory *m, const struct iovec *places,
					  size_t n, void *to)
{
	struct iovec local = { .iov_base = to };

	for (size_t i = 0; i < n; i++)
		local.iov_len += places[i].iov_len;
	return process_read(m->pid, &local, places, n);
}

struct memory memory_of(pid_t pid)
{
	return (struct memory){
		.read = memory_read_process,
		.read_places = memory_read_process_places,
		.pid = pid,
	};
}

/* -- many parts ------------------------------------------------------------------------------- */
static int compare_parts(const void *a, const void *b)
{
	const struct memory_part *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

static void sort_parts(struct memory_part *parts, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		if (parts[i].at < parts[i - 1].at) {
			qsort(parts, n, sizeof(*parts), compare_parts);
			return;
		}
	}
}

/* Whether `part` is read with what the run has; if so it has it too. */
static bool run_extend(struct memory_run *run, const struct memory_part *part)
{
	const uint64_t from = part->at - run->at;
	uint64_t end;

	if (from > RUN_MAX || part->size > RUN_MAX || from > run->size + GAP_MAX)
		return false;
	end = from + part->size;
	if (end > RUN_MAX && end > run->size)
		return false;
	if (end > run->size)
		run->size = end;
	run->n++;
	return true;
}

/* How many runs the parts make; `*ret_size` bytes in all. */
static size_t make_runs(const struct memory_part *parts, size_t n, struct memory_run *runs,
			size_t *ret_size)
{
	size_t n_runs = 0;

	*ret_size = 0;
	for (size_t i = 0; i < n; i++) {
		if (n_runs && run_extend(&runs[n_runs - 1], &parts[i]))
			continue;
		runs[n_runs++] = (struct memory_run){ parts[i].at, parts[i].size, i, 1 };
	}
	for (size_t i = 0; i < n_runs; i++)
		*ret_size += runs[i].size;
	return n_runs;
}

/* Not all of the run is there: each part of it for itself. */
static int read_parts(const struct memory *m, const struct memory_run *run,
		      struct memory_part *parts, uint8_t *to)
{
	struct memory_part *p = parts + run->first;
	int r;

	for (size_t i = 0; i < run->n; i++, p++) {
		r = memory_read(m, p->at, to + (p->at - run->at), p->size);
		if (r == -ESRCH || r == -EPERM)
			return r;
		p->bytes = r ? NULL : to + (p->at - run->at);
	}
	return 0;
}

static void give_bytes(const struct memory_run *run, struct memory_part *parts, const uint8_t *from)
{
	for (size_t i = run->first; i < run->first + run->n; i++)
		parts[i].bytes = from + (parts[i].at - run->at);
}

/* Reads runs, at most `n`, up to the first that cannot be read at once: how many it has dealt with.
 */
static ssize_t read_some(const struct memory *m, const struct memory_run *runs, size_t n,
			 struct memory_part *parts, uint8_t **to)
{
	struct iovec places[IOV_MAX];
	size_t i, count = n < IOV_MAX ? n : IOV_MAX;
	ssize_t got = 0;
	int r;

	for (i = 0; i < count; i++)
		places[i] = (struct iovec){ (void *)(uintptr_t)runs[i].at, runs[i].size };
	if (m->read_places)
		got = m->read_places(m, places, count, *to);
	if (got == -ESRCH || got == -EPERM)
		return got;
	for (i = 0; i < count && got >= (ssize_t)runs[i].size; i++) {
		give_bytes(&runs[i], parts, *to);
		got -= (ssize_t)runs[i].size;
		*to += runs[i].size;
	}
	if (i == count)
		return (ssize_t)count;
	r = read_parts(m, &runs[i], parts, *to);
	*to += runs[i].size;
	return r ? r : (ssize_t)i + 1;
}

static int buffer_grow(void **items, size_t *cap, size_t n, size_t size)
{
	void *p;

	if (n <= *cap)
		return 0;
	p = reallocarray(NULL, n, size);
	if (!p)
		return -ENOMEM;
	free(*items);
	*items = p;
	*cap = n;
	return 0;
}

int memory_gather(const struct memory *m, struct memory_part *parts, size_t n,
		  struct memory_buffer *buffer)
{
	size_t n_runs, size;
	ssize_t done;
	uint8_t *to;

	for (size_t i = 0; i < n; i++)
		parts[i].bytes = NULL;
	if (buffer_grow((void **)&buffer->runs, &buffer->runs_cap, n, sizeof(*buffer->runs)))
		return -ENOMEM;
	sort_parts(parts, n);
	n_runs = make_runs(parts, n, buffer->runs, &size);
	if (buffer_grow((void **)&buffer->bytes, &buffer->bytes_cap, size, 1))
		return -ENOMEM;
	to = buffer->bytes;
	for (size_t i = 0; i < n_runs; i += (size_t)done) {
		done = read_some(m, buffer->runs + i, n_runs - i, parts, &to);
		if (done < 0)
			return (int)done;
	}
	return 0;
}

void memory_buffer_deinit(struct memory_buffer *buffer)
{
	free(buffer->bytes);
	free(buffer->runs);
	*buffer = (struct memory_buffer){ 0 };
}
