// SPDX-License-Identifier: Apache-2.0
#include "probe/preempt.h"
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"

enum preemption preemption_of(const char *modes, const char *version)
{
	if (modes && strchr(modes, '('))
		return strstr(modes, "(full)") || strstr(modes, "(lazy)") ? PREEMPTION_SURE
									  : PREEMPTION_NEVER;
	if (!version || !strstr(version, " PREEMPT"))
		return PREEMPTION_NEVER;
	return strstr(version, " PREEMPT_DYNAMIC") ? PREEMPTION_MAYBE : PREEMPTION_SURE;
}

static const char *first_line(const char *path, char *line, int size)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");

	return f ? fgets(line, size, f) : NULL;
}

enum preemption kernel_preemption(void)
{
	char modes[128], version[512];

	return preemption_of(first_line("/sys/kernel/debug/sched/preempt", modes, sizeof(modes)),
			     first_line("/proc/version", version, sizeof(version)));
}
