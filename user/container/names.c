// SPDX-License-Identifier: Apache-2.0
#include "container/names.h"
#include <errno.h>
#include <glob.h>
#include <json-c/json.h>
#include <limits.h>
#include <string.h>
#include "base/cleanup.h"
#include "container/host.h"
#include "container/oci.h"
#include "container/unix_http.h"

#define ID_DIGITS	  64
#define STORAGE_FILE_MAX  (16U << 20) /* less than 1 KiB for a container */
#define DOCKER_ANSWER_MAX (32U << 20)
#define DOCKER_TIMEOUT_MS 1000
#define PARENTS_MAX	  32 /* of a container's processes: looked at for conmon */

static struct container *by_id(const struct container_list *l, const char *id)
{
	return id ? container_list_by_id(l, (struct cgroup_part){ id, strlen(id) }) : NULL;
}

/* An id that may stand in a path and a pattern, as all of OCI's may. */
static bool is_plain(const char *id)
{
	static const char plain[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_+-.";

	return *id && *id != '.' && !id[strspn(id, plain)];
}

static bool is_long_id(const char *id)
{
	return strlen(id) == ID_DIGITS && strspn(id, "0123456789abcdef") == ID_DIGITS;
}

/* -- a file for each container ------------------------------------------------------------------ */

/* What Docker tells both in its files and by its socket. "/web": links may add names like "/other/web". */
static int set_docker(struct container_words *w, const char *name, const char *image, struct json_object *labels)
{
	int r = labels ? oci_annotations(labels, w) : 0;

	if (!r && name)
		r = container_word_set(&w->name, name + (*name == '/'));
	return r ?: container_word_set(&w->image, image);
}

static int read_docker_config(struct json_object *o, const char *path, struct container_words *w)
{
	struct json_object *config = NULL, *labels = NULL;

	if (json_object_object_get_ex(o, "Config", &config))
		json_object_object_get_ex(config, "Labels", &labels);
	return set_docker(w, host_json_text(o, "Name"), config ? host_json_text(config, "Image") : NULL, labels) ?:
	       container_word_set(&w->runtime, "docker");
}

static int read_config(struct json_object *o, const char *path, struct container_words *w)
{
	return oci_config(o, w);
}

/* containerd's folder: Docker has a namespace of its own there. */
static int read_task_config(struct json_object *o, const char *path, struct container_words *w)
{
	return oci_config(o, w) ?: container_word_set(&w->runtime, strstr(path, "/moby/") ? "docker" : "containerd");
}

static const struct source {
	const char *before, *behind; /* the id; patterns of glob(3) */
	int (*read)(struct json_object *o, const char *path, struct container_words *w);
} sources[] = {
	{ "/run/containerd/io.containerd.runtime.v2.task/*/", "/config.json", read_task_config },
	{ "/run/k3s/containerd/io.containerd.runtime.v2.task/*/", "/config.json", read_task_config },
	{ "/run/containers/storage/overlay-containers/", "/userdata/config.json", read_config },
	{ "/var/lib/containers/storage/overlay-containers/", "/userdata/config.json", read_config },
	{ "/run/crun/", "/config.json", read_config },
	{ "/var/lib/docker/containers/", "/config.v2.json", read_docker_config },
};

static int read_source(const struct container_list *l, const struct source *source, struct container *c)
{
	char pattern[PATH_MAX];
	glob_t found;
	int r;

	if ((size_t)snprintf(pattern, sizeof(pattern), "%s%s%s%s", l->root, source->before, c->id,
			     source->behind) >= sizeof(pattern))
		return 0;
	r = glob(pattern, GLOB_NOSORT, NULL, &found) == GLOB_NOSPACE ? -ENOMEM : 0;
	for (size_t i = 0; !r && i < found.gl_pathc; i++) {
		_cleanup_(host_json_free) struct json_object *o = NULL;
		const char *path = found.gl_pathv[i] + strlen(l->root);

		r = host_read_json(l->root, path, OCI_FILE_MAX, &o);
		/* what cannot be used tells no name */
		r = r ? (r == -ENOMEM ? r : 0) : source->read(o, path, &c->words);
	}
	globfree(&found);
	return r;
}

static int names_of_files(struct container_list *l, struct container *c)
{
	int r = 0;

	for (size_t i = 0; !r && !c->words.name && is_plain(c->id) && i < ARRAY_SIZE(sources); i++)
		r = read_source(l, &sources[i], c);
	return r;
}

/* -- containers/storage ------------------------------------------------------------------------- */

static int set_storage(struct container *c, struct json_object *entry)
{
	_cleanup_(host_json_free) struct json_object *metadata = NULL;
	const char *text = host_json_text(entry, "metadata");
	struct json_object *names, *name;
	int r = 0;

	/* "k8s_..." of CRI-O is no name for people; its annotations have told one */
	if (json_object_object_get_ex(entry, "names", &names) && json_object_is_type(names, json_type_array) &&
	    (name = json_object_array_get_idx(names, 0)) && json_object_is_type(name, json_type_string))
		r = container_word_set(&c->words.name, json_object_get_string(name));
	if (r || !text || host_parse_json(text, strlen(text), &metadata))
		return r;
	return container_word_set(&c->words.image, host_json_text(metadata, "image-name"));
}

int container_names_of_storage(struct container_list *l, struct json_object *o)
{
	const size_t n = json_object_is_type(o, json_type_array) ? json_object_array_length(o) : 0;
	int r = json_object_is_type(o, json_type_array) ? 0 : -EBADMSG;

	for (size_t i = 0; !r && i < n; i++) {
		struct json_object *entry = json_object_array_get_idx(o, i);
		struct container *c = by_id(l, host_json_text(entry, "id"));

		if (c)
			r = set_storage(c, entry);
	}
	return r;
}

static int names_of_storage(struct container_list *l)
{
	static const char *const files[] = {
		"/var/lib/containers/storage/overlay-containers/containers.json",
		"/run/containers/storage/overlay-containers/volatile-containers.json",
	};
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(files); i++) {
		_cleanup_(host_json_free) struct json_object *o = NULL;

		r = host_read_json(l->root, files[i], STORAGE_FILE_MAX, &o) ?: container_names_of_storage(l, o);
		if (r != -ENOMEM)
			r = 0;
	}
	return r;
}

/* -- conmon's arguments ------------------------------------------------------------------------- */

/* The argument behind `option`, of arguments that NULs end. */
static const char *argument(const char *args, size_t n, const char *option, const char *letter)
{
	for (const char *at = args; at < args + n; at += strlen(at) + 1) {
		const char *next = at + strlen(at) + 1;

		if (next < args + n && (!strcmp(at, option) || !strcmp(at, letter)))
			return next;
	}
	return NULL;
}

static int name_of_conmon(struct container_list *l, struct container *c, pid_t parent)
{
	_cleanup_free_ char *args = NULL;
	const char *program, *id;
	char path[64];
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)parent);
	if (host_read(l->root, path, &args, &n) || !n)
		return 0;
	program = strrchr(args, '/');
	id = argument(args, n, "--cid", "-c");
	if (strcmp(program ? program + 1 : args, "conmon") || !id || strcmp(id, c->id))
		return 0;
	return container_word_set(&c->words.name, argument(args, n, "--name", "-n")) ?:
	       container_word_set(&c->words.runtime, "podman");
}

static bool is_member(const struct container *c, uint64_t pid)
{
	size_t low = 0, high = c->pids.n;

	while (low < high) {
		const size_t mid = (low + high) / 2;

		if (c->pids.items[mid] < pid)
			low = mid + 1;
		else
			high = mid;
	}
	return low < c->pids.n && c->pids.items[low] == pid;
}

/* conmon is the parent of the first process, and of those that were started in the container later. A parent that is in
 * the container itself is none, whatever it calls itself. */
static int names_of_conmon(struct container_list *l, struct container *c)
{
	size_t looked_at = 0;
	int r = 0;

	for (size_t i = 0; !r && !c->words.name && i < c->pids.n && looked_at < PARENTS_MAX; i++) {
		_cleanup_free_ char *text = NULL;
		struct task_stat stat;
		char path[64];
		size_t n;

		snprintf(path, sizeof(path), "/proc/%llu/stat", (unsigned long long)c->pids.items[i]);
		if (host_read(l->root, path, &text, &n) || task_stat_parse(text, n, &stat) ||
		    is_member(c, (uint64_t)stat.ppid))
			continue;
		looked_at++;
		r = name_of_conmon(l, c, stat.ppid);
	}
	return r;
}

/* -- Kubernetes' logs --------------------------------------------------------------------------- */

/* "POD_NAMESPACE_NAME-ID.log"; none of the words has a '_'. The text is taken apart. */
static int set_log_name(struct container_list *l, char *file)
{
	static const char suffix[] = ".log";
	const size_t n = strlen(file), tail = 1 + ID_DIGITS + sizeof(suffix) - 1;
	char *namespace = strchr(file, '_'), *name = namespace ? strchr(namespace + 1, '_') : NULL;
	struct container *c;

	if (!name || n <= tail || file[n - tail] != '-' || strcmp(file + n - (sizeof(suffix) - 1), suffix))
		return 0;
	file[n - tail] = file[n - (sizeof(suffix) - 1)] = '\0';
	c = by_id(l, file + n - tail + 1);
	if (!c || c->words.pod || name > file + n - tail)
		return 0;
	*namespace++ = *name++ = '\0';
	return container_word_set(&c->words.pod, file) ?: container_word_set(&c->words.namespace, namespace) ?:
	       container_word_set(&c->words.name, name);
}

static int names_of_logs(struct container_list *l)
{
	_cleanup_(cleanup_closedir) DIR *dir = NULL;
	char path[PATH_MAX];
	struct dirent *d;
	int r = 0;

	if ((size_t)snprintf(path, sizeof(path), "%s/var/log/containers", l->root) >= sizeof(path))
		return 0;
	dir = opendir(path);
	while (!r && dir && (d = readdir(dir)))
		r = set_log_name(l, d->d_name);
	return r;
}

/* -- Docker's socket ---------------------------------------------------------------------------- */

/* The container's own name is "/NAME"; links of others add "/OTHER/NAME". */
static const char *own_name(struct json_object *names)
{
	const size_t n = json_object_is_type(names, json_type_array) ? json_object_array_length(names) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *name = json_object_array_get_idx(names, i);
		const char *text = json_object_is_type(name, json_type_string) ? json_object_get_string(name) : "";

		if (*text && !strchr(text + 1, '/'))
			return text;
	}
	return NULL;
}

int container_names_of_docker(struct container_list *l, const char *answer, size_t n)
{
	_cleanup_(host_json_free) struct json_object *all = NULL;
	int r = host_parse_json(answer, n, &all);
	size_t count;

	if (r || !json_object_is_type(all, json_type_array))
		return r ?: -EBADMSG;
	count = json_object_array_length(all);
	for (size_t i = 0; !r && i < count; i++) {
		struct json_object *one = json_object_array_get_idx(all, i), *names = NULL, *labels = NULL;
		struct container *c = by_id(l, host_json_text(one, "Id"));

		if (!c)
			continue;
		json_object_object_get_ex(one, "Names", &names);
		json_object_object_get_ex(one, "Labels", &labels);
		r = set_docker(&c->words, own_name(names), host_json_text(one, "Image"), labels);
	}
	return r;
}

/* Whether there is one that Docker might know; a pod's sandbox has no name. */
static bool misses_any(const struct container_list *l)
{
	vec_foreach(c, l)
		if (is_long_id(c->id) && !c->words.name && !c->words.pod)
			return true;
	return false;
}

static int names_of_docker(struct container_list *l)
{
	static const char *const sockets[] = { "/run/docker.sock", "/run/podman/podman.sock" };
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(sockets) && misses_any(l); i++) {
		_cleanup_(strbuf_deinit) struct strbuf answer = { 0 };

		r = unix_http_get(l->root, sockets[i], "/containers/json", DOCKER_TIMEOUT_MS, DOCKER_ANSWER_MAX,
				  &answer);
		if (!r)
			r = container_names_of_docker(l, answer.s ? answer.s : "", answer.n);
		if (r != -ENOMEM)
			r = 0;
	}
	return r;
}

/* -- all ---------------------------------------------------------------------------------------- */

/* "POD" is what some call the container that only holds a pod's namespaces. */
static void drop_sandbox_name(struct container_words *w)
{
	if (w->pod && w->name && !strcmp(w->name, "POD")) {
		free(w->name);
		w->name = NULL;
	}
}

/* For each that is the one known by its id. */
static int for_each(struct container_list *l, int (*find)(struct container_list *l, struct container *c))
{
	int r = 0;

	vec_foreach(c, l)
		if (!r && by_id(l, c->id) == c)
			r = find(l, c);
	return r;
}

int container_names_find(struct container_list *l)
{
	int r = for_each(l, names_of_files) ?: names_of_storage(l) ?: for_each(l, names_of_conmon) ?:
		names_of_logs(l) ?: names_of_docker(l);

	vec_foreach(c, l) {
		drop_sandbox_name(&c->words);
		/* where people give ids, they are names */
		if (!r && !is_long_id(c->id))
			r = container_word_set(&c->words.name, c->id);
	}
	return r;
}
