/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control group that a process is in, and the container whose group that is. A path is whatever
 * somebody has called a directory; those of containers have a form of their own for each runtime:
 *
 *   docker, containerd, CRI-O, podman   .../docker-<64>.scope, .../cri-containerd-<64>.scope,
 *                                       .../libpod-<64>.scope/..., or just .../<64>: 64 hexadecimal digits
 *   LXC, LXD, Incus                     .../lxc.payload.NAME, .../lxc/NAME
 *   systemd-nspawn                      .../systemd-nspawn@NAME.service/payload, .../machine-NAME.scope/payload
 *
 * To add one: a row in the table in cgroup.c.
 */
#pragma once
#include <sys/types.h>

struct cgroup {
	char *path;	 /* of version 2, or of the hierarchy of version 1 that tells most; NULL: not known */
	char *container; /* its id, or the name where it has only that; NULL: there is none */
};

/* From the text of /proc/PID/cgroup. 0 or -ENOMEM, then there is nothing in `ret`. */
int cgroup_parse(const char *text, struct cgroup *ret);
/* Of a process. 0; or a negative errno, then there is nothing in `ret`. */
int cgroup_read(pid_t pid, struct cgroup *ret);
void cgroup_deinit(struct cgroup *c);
