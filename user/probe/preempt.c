// SPDX-License-Identifier: Apache-2.0
#include "probe/preempt.h"
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"

bool preempt_mode_preempts(const char *modes, const char *version)
{
	if (modes && strchr(modes, '('))
		return strstr(modes, "(full)") || strstr(modes, "(lazy)");
	return version && strstr(version, " PREEMPT"); /* PREEMPT_DYNAMIC may be any of the modes */
}

static const char *first_line(const char *path, char *line, int size)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");

	return f ? fgets(line, size, f) : NULL;
}

bool kernel_preempts(void)
{
	char modes[128], version[512];

	return preempt_mode_preempts(first_line("/sys/kernel/debug/sched/preempt", modes, sizeof(modes)),
				     first_line("/proc/version", version, sizeof(version)));
}
