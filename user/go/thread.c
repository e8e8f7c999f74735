// SPDX-License-Identifier: Apache-2.0
/* Where a thread stands that is not on a processor: the kernel tells it, and nothing is stopped for
 * it. */
#include <errno.h>
#include <inttypes.h>
#include "go/goroutine.h"
#include "proc/procfs.h"

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
