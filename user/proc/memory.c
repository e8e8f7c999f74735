// SPDX-License-Identifier: Apache-2.0
#include "proc/memory.h"
#include <errno.h>
#include <sys/uio.h>

static int memory_read_process(const struct memory *m, uint64_t at, void *to, size_t size)
{
	struct iovec local = { to, size };
	struct iovec remote = { (void *)(uintptr_t)at, size };
	ssize_t n = process_vm_readv(m->pid, &local, 1, &remote, 1, 0);

	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EFAULT;
}

struct memory memory_of(pid_t pid)
{
	return (struct memory){ .read = memory_read_process, .pid = pid };
}
