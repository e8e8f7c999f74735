/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control group that a process is in, and the container whose group that is. A path is whatever
 * somebody has called a directory; those of containers have a form of their own for each runtime:
 *
 *   docker, containerd, CRI-O, podman   .../docker-<64>.scope, .../cri-containerd-<64>.scope,
 *                                       .../libpod-<64>.scope/..., or just .../<64>: 64 hexadecimal digits
 *   runc, crun under systemd            .../runc-NAME.scope, .../crun-NAME.scope
 *   LXC, LXD, Incus                     .../lxc.payload.NAME, .../lxc/NAME
 *   systemd-nspawn                      .../systemd-nspawn@NAME.service/payload, .../machine-NAME.scope/payload
 *
 * To add one: a row in the table in cgroup.c.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A part of a text that somebody else owns. */
struct cgroup_part {
	const char *s;
	size_t n;
};

bool cgroup_part_is(struct cgroup_part p, const char *s);

/* -- /proc/PID/cgroup --------------------------------------------------------------------------- */

/* A line of it: the process's group in one of the hierarchies. */
struct cgroup_line {
	struct cgroup_part hierarchy; /* "memory", "cpu,cpuacct", "name=systemd"; empty: version 2 */
	struct cgroup_part path;      /* begins with '/' */
};

/* The line at `*text`, which is stepped over; lines that make no sense are skipped. False: there is none. */
bool cgroup_next_line(const char **text, struct cgroup_line *ret);
/*
 * How much a hierarchy tells, above 0: that of a container most, then one in which the process is anywhere but
 * at the top; among those that of version 2, and of version 1 the one that limits memory, and systemd's.
 */
int cgroup_line_rank(const struct cgroup_line *l);
/* The line that tells most. False: there is none. */
bool cgroup_best_line(const char *text, struct cgroup_line *ret);

/* -- containers --------------------------------------------------------------------------------- */

/* A container, as a path of groups names it. */
struct cgroup_container {
	struct cgroup_part id; /* its id, or the name where it has only that; may have systemd's escapes */
	const char *runtime;   /* "docker"; NULL: the path does not tell */
	size_t start, end;     /* of the path: its group ends at `end`, and is called what begins at `start` */
};

/* The innermost container of the path. False: there is none. */
bool cgroup_find_container(struct cgroup_part path, struct cgroup_container *ret);
/* What systemd writes as \xNN, since it may not be in the name of a unit, as it is. The caller's; NULL: out of
 * memory. */
char *cgroup_unescape(struct cgroup_part p);

/* -- of a process ------------------------------------------------------------------------------- */

struct cgroup {
	char *path;	 /* of version 2, or of the hierarchy of version 1 that tells most; NULL: not known */
	char *container; /* its id, or the name where it has only that; NULL: there is none */
};

/* From the text of /proc/PID/cgroup. 0 or -ENOMEM, then there is nothing in `ret`. */
int cgroup_parse(const char *text, struct cgroup *ret);
/* Of a process. 0; or a negative errno, then there is nothing in `ret`. */
int cgroup_read(pid_t pid, struct cgroup *ret);
void cgroup_deinit(struct cgroup *c);
