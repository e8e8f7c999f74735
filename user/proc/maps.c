// SPDX-License-Identifier: Apache-2.0
#include "proc/maps.h"
#include <inttypes.h>
#include <string.h>
#include "base/cleanup.h"
#include "proc/procfs.h"
#include "proc/taskdir.h"

/* "start-end perms offset major:minor inode   path"; the path may hold spaces, or be missing. */
static bool map_parse_line(char *line, struct map_entry *ret)
{
	char perms[5];
	int at = 0;

	*ret = (struct map_entry){ 0 };
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %" SCNx32 ":%" SCNx32 " %" SCNu64 "%n",
		   &ret->start, &ret->end, perms, &ret->offset, &ret->dev_major, &ret->dev_minor,
		   &ret->inode, &at) < 7 ||
	    strlen(perms) != 4 || ret->start >= ret->end)
		return false;
	ret->read = perms[0] == 'r';
	ret->write = perms[1] == 'w';
	ret->exec = perms[2] == 'x';
	ret->shared = perms[3] == 's';
	ret->path = line + at + strspn(line + at, " ");
	return true;
}

int maps_parse(char *text, struct map_vec *ret)
{
	struct map_vec maps = { .text = text };
	char *next;

	for (char *line = text; line && *line; line = next) {
		struct map_entry e;
		char *nl = strchr(line, '\n');

		next = nl ? nl + 1 : NULL;
		if (nl)
			*nl = '\0';
		if (map_parse_line(line, &e) && vec_push(&maps, e)) {
			maps_deinit(&maps);
			return -ENOMEM;
		}
	}
	*ret = maps;
	return 0;
}

int maps_read(pid_t pid, struct map_vec *ret)
{
	char *text;
	int r = procfs_read(task_proc(pid), "maps", &text, NULL);

	return r ? r : maps_parse(text, ret);
}

void maps_deinit(struct map_vec *maps)
{
	vec_free(maps);
	free(maps->text);
	maps->text = NULL;
}
