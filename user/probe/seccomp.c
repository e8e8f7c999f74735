// SPDX-License-Identifier: Apache-2.0
#include "probe/seccomp.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "probe/self.h"

SELF_FUNCTION(call_under_seccomp, "push %rbp\n\tpop %rbp\n\tret")

/* Only exit_group is allowed; anything else is a SIGSYS. Allocates nothing: it runs after fork. */
static void child(int ready)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(code[0]), code };
	char byte;

	if (read(ready, &byte, 1) != 1 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter))
		_exit(1);
	call_under_seccomp();
	_exit(0);
}

static int attach_to_child(const struct object *o, pid_t pid, struct attachments *links)
{
	struct attach_point point = { .returns = true };
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct attach_request rq = { .pid = pid, .fd = fd, .points = &point, .n = 1 };
	int r = fd < 0 ? -errno : self_function_offset(fd, call_under_seccomp, &point.offset);

	return r ? r : o->kind->attach(&o->memory, &rq, links);
}

int seccomp_return_probe_kills(const struct object *o)
{
	_cleanup_(attachments_deinit) struct attachments links = { 0 };
	int ready[2], status, r;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid == 0) {
		close(ready[1]); /* or it would wait for itself, should we be gone */
		child(ready[0]);
	}
	close(ready[0]);
	r = pid < 0 ? -errno : attach_to_child(o, pid, &links);
	if (!r && write(ready[1], "", 1) != 1)
		r = -EPIPE;
	close(ready[1]); /* without the byte the child gives up */
	if (pid > 0 && waitpid(pid, &status, 0) != pid)
		r = -errno;
	if (r)
		return r;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}
