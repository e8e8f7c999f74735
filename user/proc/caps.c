// SPDX-License-Identifier: Apache-2.0
#include "proc/caps.h"
#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "proc/procfs.h"

/* CAP_SYS_ADMIN implies the two that were split from it. */
static const struct {
	const char *name;
	unsigned int cap;
	bool in_sys_admin;
} needed[] = {
	{ "CAP_BPF", CAP_BPF, true },
	{ "CAP_PERFMON", CAP_PERFMON, true },
	{ "CAP_SYS_PTRACE", CAP_SYS_PTRACE, false },
};

/* All, where that cannot be told: what is missing will show. */
static uint64_t effective(void)
{
	_cleanup_free_ char *status = NULL;
	const char *at = procfs_read(getpid(), "status", &status, NULL) ? NULL : strstr(status, "\nCapEff:");

	return at ? strtoull(at + strlen("\nCapEff:"), NULL, 16) : UINT64_MAX;
}

bool caps_have_sys_admin(void)
{
	return effective() >> CAP_SYS_ADMIN & 1;
}

bool caps_have_ptrace(void)
{
	return effective() >> CAP_SYS_PTRACE & 1;
}

int caps_check(struct err *e)
{
	_cleanup_(strbuf_deinit) struct strbuf missing = { 0 };
	uint64_t have = effective();

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!(have >> needed[i].cap & 1) &&
		    !(needed[i].in_sys_admin && have >> CAP_SYS_ADMIN & 1))
			strbuf_addf(&missing, "%s%s", missing.n ? ", " : "", needed[i].name);
	if (!missing.n)
		return 0;
	return err_set(e, -EPERM, "permission denied: run leaktrace as root (missing: %s)", missing.s);
}
