// SPDX-License-Identifier: Apache-2.0
#include "proc/standstill.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"
#include "proc/procfs.h"

/* Whether the file below a cgroup's folder has the word; one that is not there has not. */
static bool cgroup_says(const char *mount, const char *group, const char *file, const char *word)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[4096], line[64];
	bool found = false;

	snprintf(path, sizeof(path), "%s%s/%s", mount, group, file);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, word);
	return found;
}

/* A group is frozen with all that is above it, which both files know. */
static bool group_is_frozen(const char *controllers, const char *group)
{
	static const char *const unified[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	if (strstr(controllers, "freezer"))
		return cgroup_says("/sys/fs/cgroup/freezer", group, "freezer.state", "FR");
	for (size_t i = 0; i < ARRAY_SIZE(unified) && !*controllers; i++)
		if (cgroup_says(unified[i], group, "cgroup.events", "frozen 1"))
			return true;
	return false;
}

/* Lines are "number:controllers:/group". */
static bool is_frozen(pid_t pid)
{
	_cleanup_free_ char *groups = NULL;
	char *rest, *line;

	if (procfs_read(pid, "cgroup", &groups, NULL))
		return false;
	for (rest = groups; (line = strsep(&rest, "\n"));) {
		char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!group || strstr(group, "/..")) /* outside of our namespace */
			continue;
		*group++ = '\0';
		if (group_is_frozen(controllers + 1, strcmp(group, "/") ? group : ""))
			return true;
	}
	return false;
}

const char *standstill_words(pid_t pid)
{
	_cleanup_free_ char *status = NULL;
	const char *state;

	if (procfs_read(pid, "status", &status, NULL))
		return NULL;
	state = strstr(status, "\nState:\t");
	state = state ? state + strlen("\nState:\t") : "";
	if (*state == 'T')
		return "stopped by a signal, as by Ctrl-Z (kill -CONT has it go on)";
	if (*state == 't')
		return "held by a debugger";
	return is_frozen(pid) ? "frozen with its cgroup" : NULL;
}
