/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What containers are called, by what is found on the host, in this order:
 *
 *   config.json in the folder where a runtime keeps it     annotations: containerd, CRI-O, nerdctl, crun
 *   /var/lib/docker/containers/ID/config.v2.json           docker
 *   containers.json of containers/storage                  podman, CRI-O: name and image
 *   conmon's arguments                                     podman, CRI-O, also of an unprivileged user's containers
 *   /var/log/containers/POD_NAMESPACE_NAME-ID.log          Kubernetes, whatever the runtime
 *   Docker's socket, and podman's                          what is still not known then
 *
 * To add one: a row in names.c, or a file that is looked for in a row of its table.
 */
#pragma once
#include "container/container.h"

/* Fills in the words of all containers in the list, as far as they are found. 0 or -ENOMEM. */
int container_names_find(struct container_list *l);

/* What `answer` of Docker's /containers/json says of the containers in the list. 0, -EBADMSG or -ENOMEM. */
int container_names_of_docker(struct container_list *l, const char *answer, size_t n);
/* Name and image from a containers.json of containers/storage. The same. */
struct json_object;
int container_names_of_storage(struct container_list *l, struct json_object *o);
