// SPDX-License-Identifier: Apache-2.0
/* Allocates under a strict filter of system calls, of which any other kills it. Says "ready PID",
 * works for each line of its input, and ends with status 29 at the end of it. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALLOW(nr)                                                                                  \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static void *volatile kept;

__attribute__((noinline)) static void keep(size_t n)
{
	kept = malloc(n);
}

int main(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(SYS_read),
		ALLOW(SYS_write),
		ALLOW(SYS_brk),
		ALLOW(SYS_mmap),
		ALLOW(SYS_getrandom),
		ALLOW(SYS_exit_group),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(code[0]), code };
	char line[64];
	int n;

	n = snprintf(line, sizeof(line), "ready %d\n", (int)getpid());
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) || write(1, line, (size_t)n) != n)
		return 1;
	while (read(0, line, 1) == 1) {
		for (int i = 0; i < 53; i++)
			keep(37);
		if (write(1, "done\n", 5) != 5)
			return 1;
	}
	return 29;
}
