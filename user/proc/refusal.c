// SPDX-License-Identifier: Apache-2.0
#include "proc/refusal.h"
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "proc/caps.h"
#include "proc/procfs.h"

#define YAMA_NOBODY 3 /* from then on nobody, whatever he may do, until the system is started anew */

bool refusal_is_of_process(pid_t pid)
{
	_cleanup_free_ char *link = NULL;
	int r = procfs_readlink(pid, "exe", &link);

	return r == -EACCES || r == -EPERM;
}

bool refusal_in_user_namespace(void)
{
	_cleanup_free_ char *map = NULL;
	unsigned long first, to, n;

	return !procfs_read(getpid(), "uid_map", &map, NULL) &&
	       (sscanf(map, "%lu %lu %lu", &first, &to, &n) != 3 || first || to || n != UINT32_MAX);
}

bool refusal_under_seccomp(void)
{
	uint64_t mode;

	return !procfs_status(getpid(), "Seccomp", &mode) && mode;
}

static int yama_scope(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope;

	return f && fscanf(f, "%d", &scope) == 1 ? scope : -1;
}

/* Without the capability it is that, whatever else there is: it helps first, and is asked of everybody. */
const char *refusal_words(const struct refusal_facts *facts)
{
	if (!facts->has_cap)
		return "run leaktrace as root, or with CAP_SYS_PTRACE";
	if (facts->in_user_namespace)
		return "leaktrace runs in a user namespace, whose root must not look into processes of others: start it "
		       "as root of the host";
	if (facts->yama_scope >= YAMA_NOBODY)
		return "kernel.yama.ptrace_scope is 3, with which nobody may look into other processes until this "
		       "system has been started anew";
	if (facts->under_seccomp)
		return "leaktrace runs under seccomp, as in a container: its profile must permit process_vm_readv and "
		       "ptrace";
	return "leaktrace has CAP_SYS_PTRACE, so a security module (SELinux, AppArmor) forbids it: its log tells the "
	       "rule";
}

const char *refusal_why(void)
{
	const struct refusal_facts facts = {
		.has_cap = caps_have_ptrace(),
		.in_user_namespace = refusal_in_user_namespace(),
		.under_seccomp = refusal_under_seccomp(),
		.yama_scope = yama_scope(),
	};

	return refusal_words(&facts);
}
