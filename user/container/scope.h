/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scope of a trace: control groups with all that is below them. Processes come into it and leave it as they
 * start, end and are moved; nothing is remembered of them here, each question is answered by the system anew.
 *
 *   struct hierarchies h;           hierarchies_read("", &h)
 *   struct scope s;                 scope_of_cgroup(&h, "/system.slice/web.service", &s, e)
 *                                   scope_of_containers(...): by name
 *                                   scope_of_all(""): the whole host
 *   scope_join(&all, &s)            several scopes as one
 *   scope_members(&s, &pids)        which processes are in it now
 *   scope_has(&s, pid)              is this one?
 *   scope_look(&s)                  fills in the ids, for BPF, of groups that are there now
 *   scope_has_gone(&s)              are they all removed?
 *
 * For BPF, `id` of a group of version 2 is what bpf_get_current_ancestor_cgroup_id() and the `kn->id` of a
 * cgroup's ancestors tell, and bpf_current_task_under_cgroup() takes a descriptor of `dir`. In a hierarchy of
 * version 1 those helpers say nothing (the process is in version 2's top group, whose id is 1): there `id` is that
 * of task->cgroups->subsys[CONTROLLER]->cgroup and its parents, of the controller that the hierarchy is called by;
 * hierarchies without one (name=systemd) can be asked by scope_has() only. A group that is removed and made again
 * has the same path and another id.
 *
 * A process counts as where its first thread is. The top group of a hierarchy holds the kernel's threads as well.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "container/container.h"
#include "container/hierarchy.h"
#include "proc/taskdir.h"

/* Whoever has a group of his own can make as many below it as he likes: beyond these, processes are asked instead. */
#define SCOPE_FOLDERS_MAX 5000

struct scope_group {
	char *hierarchy; /* empty: version 2 */
	char *path;	 /* as in /proc/PID/cgroup */
	char *dir;	 /* its folder; NULL: it cannot be seen from here */
	uint64_t id;	 /* of the group that is there now; 0: there is none */
	bool seen;	 /* there has been one */
};

struct scope {
	const char *root; /* as of host.h */
	bool all;	  /* every process is in it, whatever the groups are */
	VEC_OF(struct scope_group);
};

/*
 * The group `path`: as in /proc/PID/cgroup, where it stands for the groups of that path in all hierarchies; or an
 * absolute path of a folder where one is mounted, then it is only that one. -ENOENT with the reason in `e` when
 * there is none, or another negative errno.
 */
int scope_of_cgroup(const struct hierarchies *h, const char *path, struct scope *ret, struct err *e);
/* The groups of containers, as container_list_choose() has found them. -ENOENT with the reason in `e` when
 * one has no group of its own, or another negative errno. */
int scope_of_containers(const struct hierarchies *h, const struct container_choice *chosen, struct scope *ret,
			struct err *e);
/* All processes of the host. */
struct scope scope_of_all(const char *root);
/* Adds what is in `from`, which is empty then, to `s`. 0, or -ENOMEM and nothing has changed. */
int scope_join(struct scope *s, struct scope *from);
void scope_deinit(struct scope *s);

/* Fills in the ids anew. 1 when one has changed, else 0. */
int scope_look(struct scope *s);
/* Whether all of its groups have been there, and are no more, as of the last scope_look(). */
bool scope_has_gone(const struct scope *s);
/* Adds the processes that are in the scope now, ascending, each once, to `ret`, which is empty. 0 or a negative
 * errno; groups that have gone have none. */
int scope_members(const struct scope *s, struct number_vec *ret);
/* Whether a process is in the scope: 1 or 0, -ESRCH when it is gone, or another negative errno. */
int scope_has(const struct scope *s, pid_t pid);
