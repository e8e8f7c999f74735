/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The containers that run on this host: those that the paths of control groups tell (proc/cgroup.h), and those whose
 * groups are called anything at all, of which the states of OCI runtimes tell (oci.h). What they are called comes
 * from the files of their runtimes and from Docker's socket (names.h).
 *
 * Names, pods and images are what somebody has called them: any bytes.
 */
#pragma once
#include "base/err.h"
#include "base/hashmap.h"
#include "base/strbuf.h"
#include "base/vec.h"
#include "container/hierarchy.h"
#include "proc/taskdir.h"

#define CONTAINERS_MAX	   10000
#define CONTAINER_WORD_MAX 255 /* bytes of a name, an image and the like: longer ones are not known */

/* What is known of a container by words; NULL: that is not known. All its own. */
struct container_words {
	char *name;	 /* as its runtime, or Kubernetes within the pod, calls it; the id unless that is a number */
	char *pod;	 /* of Kubernetes */
	char *namespace; /* that the pod is in */
	char *image;
	char *runtime;	 /* "docker", "containerd", "cri-o", "podman", "runc", "crun", "lxc", "systemd-nspawn" */
};

/* What an id rests on. Whoever has a group of his own, below /user.slice or in a container, may call one below it as he
 * likes, as a container of somebody else's, too. */
enum container_proof { CONTAINER_BY_USERS_PATH, CONTAINER_BY_PATH, CONTAINER_BY_STATE };

struct container {
	char *id; /* mostly 64 hexadecimal digits, or what its runtime was told to call it */
	enum container_proof proof;
	struct container_words words;
	const char *hierarchy; /* that tells of its group; of the list */
	char *cgroup;	       /* its group; NULL: it has none of its own */
	struct number_vec pids; /* that are in it, ascending, also in containers within it */
	size_t next_by_group, next_by_id; /* another one with the same hash, + 1; 0: none */
};

struct container_list {
	const char *root; /* as of host.h; the caller's */
	struct hierarchies hierarchies;
	VEC_OF(struct container); /* by namespace, pod, name and id */
	size_t left_out;	  /* beyond CONTAINERS_MAX */
	struct hashmap by_group, by_id; /* hash of hierarchy and path, of id -> index + 1 */
};

/* Finds all that have processes. Takes some 2 s of CPU time for 10,000 of them; each socket is waited for one second at
 * most. 0 or a negative errno with the reason in `e`, then there is nothing in `ret`. */
int container_list_find(const char *root, struct container_list *ret, struct err *e);
void container_list_deinit(struct container_list *l);

/* Lets the following find the items again that were put into the list, or moved in it. 0 or -ENOMEM. */
int container_list_index(struct container_list *l);
/* The container of that id, of several the one with the best proof; NULL: there is none. */
struct container *container_list_by_id(const struct container_list *l, struct cgroup_part id);
/* The innermost container that a process is in now; NULL: none that is known. */
const struct container *container_list_of_pid(const struct container_list *l, pid_t pid);
/* The innermost container of that path in any hierarchy; NULL: none that is known. */
const struct container *container_list_of_path(const struct container_list *l, const char *path);
/* The same by the text of /proc/PID/cgroup. */
const struct container *container_list_of_text(const struct container_list *l, const char *text);

/* What is meant by a name: containers of the list. */
struct container_choice {
	VEC_OF(const struct container *);
};

/*
 * By an id, a name, "POD/NAME" or "NAMESPACE/POD/NAME"; a pod, "POD" or "NAMESPACE/POD", stands for all of its
 * containers; what is none of those may be the beginning of an id or a name. Of several with the same id only the one
 * with the best proof is meant, and those with CONTAINER_BY_USERS_PATH only where no other is.
 * 0; -ENOENT, when nothing or more than one thing is meant, with the reason and what there is in `e`; or -ENOMEM.
 * vec_free() is due.
 */
int container_list_choose(const struct container_list *l, const char *name, struct container_choice *ret,
			  struct err *e);
/* What people call a container by: "NAMESPACE/POD/NAME", "NAME" or the first 12 digits of its id. */
void container_label(const struct container *c, struct strbuf *b);
/* An id as it is shown: 12 of 64 digits, others as they are. How many bytes of it. */
size_t container_id_shown(const char *id);
