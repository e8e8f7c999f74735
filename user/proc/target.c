// SPDX-License-Identifier: Apache-2.0
#include "proc/target.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/clock.h"
#include "proc/foreign.h"
#include "proc/procfs.h"
#include "proc/refusal.h"
#include "proc/taskdir.h"

static int target_check_exe(pid_t pid, struct err *e)
{
	unsigned char ident[sizeof(Elf64_Ehdr)];
	_cleanup_close_ int fd = -1;
	uint16_t machine;

	fd = foreign_open_program(pid);
	if (fd == -EACCES && refusal_is_of_process(pid))
		return err_set(e, -EACCES, "pid %d: permission denied: %s", (int)pid, refusal_why());
	if (fd == -EACCES)
		return err_set(e, -EACCES, "pid %d: its program cannot be opened: %s: %s", (int)pid, strerror(EACCES),
			       geteuid() ? "run leaktrace as root" : "its file system does not permit it even to root");
	if (fd < 0)
		return err_set(e, -ESRCH, "pid %d: its program cannot be opened: %s", (int)pid,
			       strerror(-fd));
	if (read(fd, ident, sizeof(ident)) != sizeof(ident) || memcmp(ident, ELFMAG, SELFMAG))
		return err_set(e, -ENOEXEC, "pid %d: its program is not an ELF file", (int)pid);
	if (ident[EI_CLASS] != ELFCLASS64)
		return err_set(e, -ENOEXEC,
			       "pid %d: a 32-bit process; leaktrace traces 64-bit processes only",
			       (int)pid);
	memcpy(&machine, ident + offsetof(Elf64_Ehdr, e_machine), sizeof(machine));
	if (machine != EM_X86_64)
		return err_set(e, -ENOEXEC,
			       "pid %d: a program of another architecture (ELF machine %u); leaktrace "
			       "traces x86-64 processes only", (int)pid, machine);
	return 0;
}

static int target_check(pid_t pid, pid_t *ret_ns_pid, struct err *e)
{
	_cleanup_free_ char *status = NULL;
	uint64_t tgid = 0;
	pid_t living;
	int r = procfs_read(pid, "status", &status, NULL);

	if (r)
		return err_set(e, -ESRCH, "no process with pid %d", (int)pid);
	if (!procfs_status(pid, "Tgid", &tgid) && (pid_t)tgid != pid)
		return err_set(e, -EINVAL, "pid %d is a thread of process %d: use -p %d", (int)pid,
			       (int)tgid, (int)tgid);
	*ret_ns_pid = (pid_t)procfs_inner_id(status);
	/* a first thread that has ended is not yet the end of the process */
	if (strstr(status, "\nState:\tZ")) {
		if (task_living(pid, &living))
			return err_set(e, -ESRCH, "pid %d: it has already exited (a zombie)", (int)pid);
		free(take_ptr(status));
		if (procfs_read(living, "status", &status, NULL))
			return err_set(e, -ESRCH, "pid %d: it has just exited", (int)pid);
	}
	if (!strstr(status, "\nVmSize:"))
		return err_set(e, -EINVAL, "pid %d is a kernel thread: it has no memory of its own",
			       (int)pid);
	return target_check_exe(pid, e);
}

void target_read_cgroup(struct target *t)
{
	struct cgroup cgroup;
	struct task_stat stat;

	/* who ends is moved to the top of some hierarchies first */
	if (cgroup_read(t->pid, &cgroup))
		return;
	if (task_stat_read(t->pid, &stat) || task_stat_is_ending(&stat)) {
		cgroup_deinit(&cgroup);
		return;
	}
	cgroup_deinit(&t->cgroup);
	t->cgroup = cgroup;
}

int target_refresh(struct target *t)
{
	char *comm = NULL, *exe = NULL;
	int r = procfs_read(t->pid, "comm", &comm, NULL);

	if (r)
		return r;
	comm[strcspn(comm, "\n")] = '\0';
	procfs_readlink(task_proc(t->pid), "exe", &exe);
	free(t->comm);
	free(t->exe);
	t->comm = comm;
	t->exe = exe;
	target_read_cgroup(t); /* or it is not known */
	return 0;
}

int target_open(pid_t pid, struct target *ret, struct err *e)
{
	struct target t = { .pid = pid, .pidfd = -1 };
	int r = target_check(pid, &t.ns_pid, e);

	if (r)
		return r;
	t.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (t.pidfd < 0)
		return err_set(e, -errno, "no process with pid %d", (int)pid);
	t.opened_ns = clock_now();
	r = procfs_start_ticks(pid, &t.start_ticks);
	if (!r)
		r = target_refresh(&t);
	if (r) {
		target_deinit(&t);
		return err_set(e, r, "pid %d: it has just exited", (int)pid);
	}
	*ret = t;
	return 0;
}

void target_deinit(struct target *t)
{
	free(t->comm);
	free(t->exe);
	cgroup_deinit(&t->cgroup);
	if (t->pidfd >= 0)
		close(t->pidfd);
	*t = (struct target){ .pidfd = -1 };
}

bool target_alive(const struct target *t)
{
	struct pollfd p = { .fd = t->pidfd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}
