/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What OCI runtimes keep of their containers: the state.json of runc, the status of crun, and the config.json that a
 * container was made from, with annotations by which containerd, CRI-O, podman and nerdctl tell what it is called.
 */
#pragma once
#include <json-c/json_types.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/vec.h"
#include "container/container.h"

/* A state or a config.json has 60 KiB at most where they were met, most of it seccomp's. */
#define OCI_FILE_MAX (512U << 10)

/* What a runtime says of a container. */
struct oci_state {
	char *id;
	const char *runtime; /* NULL: whoever runs the runtime is not known by that */
	pid_t pid;	     /* of its first process */
	uint64_t start;	     /* when that began, as in /proc/PID/stat */
	struct {
		VEC_OF(char *);
	} groups; /* paths of its groups, or of their folders, as the runtime saw them */
	struct container_words words;
};

struct oci_states {
	VEC_OF(struct oci_state);
};

/* Of all containers that runc and crun know of, also under containerd, CRI-O, docker and podman; those that make no
 * sense are skipped. 0 or -ENOMEM, then what has been found so far is in `ret`. */
int oci_states_find(const char *root, struct oci_states *ret);
void oci_states_deinit(struct oci_states *s);
void oci_state_deinit(struct oci_state *s);

/* From a state.json of runc, or a status of crun, of the container `id` (crun leaves it to the folder's name). 0,
 * -EBADMSG or -ENOMEM. */
int oci_parse_runc(struct json_object *o, struct oci_state *ret);
int oci_parse_crun(struct json_object *o, const char *id, struct oci_state *ret);

/* Fills in what annotations (or labels of Docker's) tell, where it is not known yet. 0 or -ENOMEM. */
int oci_annotations(struct json_object *map, struct container_words *w);
/* The same of what a config.json has. */
int oci_config(struct json_object *config, struct container_words *w);

/* Sets a word that is not known yet. Nothing when `value` is NULL, empty or too long. 0 or -ENOMEM. */
int container_word_set(char **word, const char *value);
void container_words_deinit(struct container_words *w);
