/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hierarchies of control groups, and where they are mounted. A host has one of version 2 (whose name is
 * empty, as in /proc/PID/cgroup), or up to a dozen of version 1 (named by their controllers), or both (hybrid:
 * there most groups are in version 1, and version 2 may hold nothing but its top group).
 *
 * Paths are those of /proc/PID/cgroup, seen from the cgroup namespace that we are in.
 */
#pragma once
#include "base/vec.h"
#include "proc/cgroup.h"

struct hierarchy_mount {
	char *hierarchy; /* as /proc/PID/cgroup calls it */
	char *dir;	 /* below the host's root */
	char *top;	 /* the path of the group that is there: "/" mostly */
};

struct hierarchies {
	const char *root; /* as of host.h; the caller's */
	struct {
		VEC_OF(char *);
	} names; /* of all there are, mounted or not */
	VEC_OF(struct hierarchy_mount);
};

/* From /proc/self. 0 or a negative errno, then there is nothing in `ret`. */
int hierarchies_read(const char *root, struct hierarchies *ret);
void hierarchies_deinit(struct hierarchies *h);

/* The folder of a group, the host's root before it, the caller's to free; whether it is there is not asked. 0,
 * -ENOENT when the hierarchy is not mounted, or not as far up as that, or -ENOMEM. */
int hierarchies_dir(const struct hierarchies *h, const char *hierarchy, const char *path, char **ret);
/* The opposite: what the folder `dir` (absolute, below the host's root) is of. `*ret_hierarchy` is of `h`,
 * `*ret_path` the caller's. 0, -ENOENT when it is below no mount, or -ENOMEM. */
int hierarchies_of_dir(const struct hierarchies *h, const char *dir, const char **ret_hierarchy,
		       char **ret_path);
