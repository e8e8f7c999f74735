// SPDX-License-Identifier: Apache-2.0
#include "container/oci.h"
#include <errno.h>
#include <glob.h>
#include <json-c/json.h>
#include <limits.h>
#include <string.h>
#include "base/cleanup.h"
#include "container/host.h"

/* -- words -------------------------------------------------------------------------------------- */

int container_word_set(char **word, const char *value)
{
	if (*word || !value || !*value || strlen(value) > CONTAINER_WORD_MAX)
		return 0;
	*word = strdup(value);
	return *word ? 0 : -ENOMEM;
}

void container_words_deinit(struct container_words *w)
{
	free(w->name);
	free(w->pod);
	free(w->namespace);
	free(w->image);
	free(w->runtime);
	*w = (struct container_words){ 0 };
}

/* What annotations are called, the more telling ones first. */
static const struct {
	const char *key;
	size_t word;
} annotations[] = {
#define W(field) offsetof(struct container_words, field)
	{ "io.kubernetes.cri.container-name", W(name) },
	{ "io.kubernetes.cri.sandbox-name", W(pod) },
	{ "io.kubernetes.cri.sandbox-namespace", W(namespace) },
	{ "io.kubernetes.cri.image-name", W(image) },
	{ "io.kubernetes.container.name", W(name) },
	{ "io.kubernetes.pod.name", W(pod) },
	{ "io.kubernetes.pod.namespace", W(namespace) },
	{ "io.kubernetes.cri-o.ImageName", W(image) },
	{ "nerdctl/name", W(name) },
	{ "nerdctl/image-ref", W(image) },
#undef W
};

/* Who says by an annotation that it has made the container. */
static const struct {
	const char *manager, *runtime;
} managers[] = { { "cri-o", "cri-o" }, { "libpod", "podman" } };

int oci_annotations(struct json_object *map, struct container_words *w)
{
	const char *manager = host_json_text(map, "io.container.manager");
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(annotations); i++)
		r = container_word_set((char **)(void *)((char *)w + annotations[i].word),
				       host_json_text(map, annotations[i].key));
	for (size_t i = 0; !r && manager && i < ARRAY_SIZE(managers); i++)
		if (!strcmp(manager, managers[i].manager))
			r = container_word_set(&w->runtime, managers[i].runtime);
	return r;
}

int oci_config(struct json_object *config, struct container_words *w)
{
	struct json_object *map;

	return json_object_object_get_ex(config, "annotations", &map) ? oci_annotations(map, w) : 0;
}

/* runc keeps annotations as a list of "key=value", with the bundle's folder among them. */
static int labels(struct json_object *list, struct container_words *w)
{
	_cleanup_(host_json_free) struct json_object *map = json_object_new_object();
	const size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	if (!map)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *label = json_object_is_type(o, json_type_string) ? json_object_get_string(o) : "",
			   *value = strchr(label, '=');
		_cleanup_free_ char *key = value ? strndup(label, (size_t)(value - label)) : NULL;

		if (value && (!key || json_object_object_add(map, key, json_object_new_string(value + 1))))
			return -ENOMEM;
	}
	return oci_annotations(map, w);
}

/* -- states ------------------------------------------------------------------------------------- */

void oci_state_deinit(struct oci_state *s)
{
	free(s->id);
	vec_foreach(group, &s->groups)
		free(*group);
	vec_free(&s->groups);
	container_words_deinit(&s->words);
}

void oci_states_deinit(struct oci_states *s)
{
	vec_foreach(state, s)
		oci_state_deinit(state);
	vec_free(s);
}

static int add_group(struct oci_state *s, struct json_object *o)
{
	const char *path = json_object_is_type(o, json_type_string) ? json_object_get_string(o) : "";
	char *own;

	if (path[0] != '/' || !path[1] || strlen(path) >= PATH_MAX)
		return 0;
	own = strdup(path);
	if (own && !vec_push(&s->groups, own))
		return 0;
	free(own);
	return -ENOMEM;
}

/* The id and the first process, without which the rest says nothing. */
static int set_process(struct oci_state *s, struct json_object *o, const char *id, const char *pid_key,
		       const char *start_key)
{
	struct json_object *pid, *start;
	int64_t number;

	if (!id || !*id || strlen(id) > CONTAINER_WORD_MAX || strchr(id, '/') ||
	    !json_object_object_get_ex(o, pid_key, &pid) || !json_object_object_get_ex(o, start_key, &start) ||
	    !json_object_is_type(pid, json_type_int) || !json_object_is_type(start, json_type_int))
		return -EBADMSG;
	number = json_object_get_int64(pid);
	if (number <= 0 || number > INT_MAX)
		return -EBADMSG;
	s->pid = (pid_t)number;
	s->start = json_object_get_uint64(start);
	s->id = strdup(id);
	return s->id ? 0 : -ENOMEM;
}

int oci_parse_runc(struct json_object *o, struct oci_state *ret)
{
	struct oci_state s = { 0 };
	struct json_object *config, *map;
	int r = set_process(&s, o, host_json_text(o, "id"), "init_process_pid", "init_process_start");

	if (!r && json_object_object_get_ex(o, "cgroup_paths", &map) &&
	    json_object_is_type(map, json_type_object)) {
		json_object_object_foreach(map, key, path) {
			(void)key;
			r = r ?: add_group(&s, path);
		}
	}
	if (!r && json_object_object_get_ex(o, "config", &config) &&
	    json_object_object_get_ex(config, "labels", &map))
		r = labels(map, &s.words);
	if (r)
		oci_state_deinit(&s);
	else
		*ret = s;
	return r;
}

int oci_parse_crun(struct json_object *o, const char *id, struct oci_state *ret)
{
	struct oci_state s = { 0 };
	struct json_object *group;
	int r = set_process(&s, o, id, "pid", "process-start-time");

	if (!r && json_object_object_get_ex(o, "cgroup-path", &group))
		r = add_group(&s, group);
	if (r)
		oci_state_deinit(&s);
	else
		*ret = s;
	return r;
}

/* -- where they are ----------------------------------------------------------------------------- */

static int parse_runc_file(struct json_object *o, const char *folder, struct oci_state *ret)
{
	return oci_parse_runc(o, ret);
}

/* containerd's own runtime folder: a namespace is the folder above. */
static int parse_containerd_file(struct json_object *o, const char *folder, struct oci_state *ret)
{
	int r = oci_parse_runc(o, ret);

	if (!r)
		ret->runtime = strstr(folder, "/moby/") ? "docker" : "containerd";
	return r;
}

static int parse_docker_file(struct json_object *o, const char *folder, struct oci_state *ret)
{
	int r = oci_parse_runc(o, ret);

	if (!r)
		ret->runtime = "docker";
	return r;
}

static int parse_crun_file(struct json_object *o, const char *folder, struct oci_state *ret)
{
	return oci_parse_crun(o, strrchr(folder, '/') + 1, ret);
}

/* The folders of containers, and the file in each. Who has had a runtime make the container, where nobody else
 * says so, is `runtime`. */
static const struct source {
	const char *folders, *file, *runtime;
	int (*parse)(struct json_object *o, const char *folder, struct oci_state *ret);
} sources[] = {
	{ "/run/runc/*", "state.json", "runc", parse_runc_file },
	{ "/run/crun/*", "status", "crun", parse_crun_file },
	{ "/run/containerd/runc/*/*", "state.json", NULL, parse_containerd_file },
	{ "/run/docker/runtime-runc/*/*", "state.json", NULL, parse_docker_file },
};

static int read_state(const char *root, const struct source *source, const char *folder, struct oci_states *ret)
{
	_cleanup_(host_json_free) struct json_object *o = NULL;
	struct oci_state s = { 0 };
	char path[PATH_MAX];
	int r;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, source->file) >= sizeof(path))
		return 0;
	r = host_read_json(root, path, OCI_FILE_MAX, &o);
	if (!r)
		r = source->parse(o, folder, &s);
	if (r)
		return r == -ENOMEM ? r : 0;
	if (!s.runtime)
		s.runtime = source->runtime;
	r = vec_push(ret, s);
	if (r)
		oci_state_deinit(&s);
	return r;
}

int oci_states_find(const char *root, struct oci_states *ret)
{
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(sources); i++) {
		char pattern[PATH_MAX];
		glob_t found;

		if ((size_t)snprintf(pattern, sizeof(pattern), "%s%s", root, sources[i].folders) >=
		    sizeof(pattern))
			return -ENAMETOOLONG;
		if (glob(pattern, GLOB_NOSORT, NULL, &found) == GLOB_NOSPACE)
			r = -ENOMEM;
		for (size_t k = 0; !r && k < found.gl_pathc && ret->n < CONTAINERS_MAX; k++)
			r = read_state(root, &sources[i], found.gl_pathv[k] + strlen(root), ret);
		globfree(&found);
	}
	return r;
}
