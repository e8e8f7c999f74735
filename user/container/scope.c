// SPDX-License-Identifier: Apache-2.0
#include "container/scope.h"
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "container/host.h"

static void group_deinit(struct scope_group *g)
{
	free(g->hierarchy);
	free(g->path);
	free(g->dir);
}

void scope_deinit(struct scope *s)
{
	vec_foreach(g, s)
		group_deinit(g);
	vec_free(s);
}

/* -- which groups ------------------------------------------------------------------------------- */

static int add_group(const struct hierarchies *h, const char *hierarchy, const char *path, struct scope *s)
{
	struct scope_group g = { .hierarchy = strdup(hierarchy), .path = strdup(path) };
	int r = g.hierarchy && g.path ? hierarchies_dir(h, hierarchy, path, &g.dir) : -ENOMEM;

	if (r == -ENOENT)
		r = 0;
	if (!r)
		r = vec_push(s, g);
	if (r)
		group_deinit(&g);
	return r;
}

/* `path` without what it can do without: "/a//b/" is "/a/b", and so is "a/b". */
static char *plain_path(const char *path)
{
	struct strbuf b = { 0 };

	for (; *path; path += strspn(path, "/")) {
		const size_t n = strcspn(path, "/");

		if (n && !(n == 1 && *path == '.')) {
			strbuf_adds(&b, "/");
			strbuf_add(&b, path, n);
		}
		path += n;
	}
	if (!b.n)
		strbuf_adds(&b, "/");
	return strbuf_steal(&b);
}

static bool is_there(const struct scope_group *g)
{
	struct stat st;

	return g->dir && !stat(g->dir, &st) && S_ISDIR(st.st_mode);
}

/* Keeps the groups that are there. Where one cannot be seen, some process in it tells. */
static int keep_those_there(struct scope *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct scope_group g = s->items[i];
		const struct scope one = { .root = s->root, .items = &g, .n = 1 };
		struct number_vec pids = { 0 };
		bool there = is_there(&g);
		int r = there || g.dir ? 0 : scope_members(&one, &pids);

		there = there || pids.n;
		vec_free(&pids);
		if (r == -ENOMEM)
			return r;
		if (there)
			s->items[kept++] = g;
		else
			group_deinit(&g);
	}
	s->n = kept;
	return 0;
}

static int no_group(const struct hierarchies *h, const char *path, struct err *e)
{
	const char *dir = h->n ? h->items[h->n - 1].dir : NULL;

	return err_set(e, -ENOENT, "there is no control group '%.200s': name it as /proc/PID/cgroup does%s%.100s", path,
		       dir ? ", or by its folder below " : "", dir ? dir : "");
}

static int add_by_path(const struct hierarchies *h, const char *path, struct scope *s)
{
	const char *hierarchy;
	char *of_dir = NULL;
	int r = hierarchies_of_dir(h, path, &hierarchy, &of_dir);

	if (!r)
		r = add_group(h, hierarchy, of_dir, s);
	free(of_dir);
	if (r != -ENOENT)
		return r;
	r = 0;
	vec_foreach(name, &h->names)
		r = r ?: add_group(h, *name, path, s);
	return r;
}

int scope_of_cgroup(const struct hierarchies *h, const char *path, struct scope *ret, struct err *e)
{
	_cleanup_free_ char *plain = plain_path(path);
	struct scope s = { .root = h->root };
	int r = plain ? 0 : -ENOMEM;

	/* neither nothing nor "." is a way to name all there is */
	if (!r && !plain[1] && *path != '/')
		r = -ENOENT;
	if (!r)
		r = add_by_path(h, plain, &s);
	if (!r)
		r = keep_those_there(&s);
	if (!r && !s.n)
		r = -ENOENT;
	if (r) {
		scope_deinit(&s);
		return r == -ENOENT ? no_group(h, path, e) : err_set(e, r, "%s", strerror(-r));
	}
	scope_look(&s);
	*ret = s;
	return 0;
}

int scope_of_containers(const struct hierarchies *h, const struct container_choice *chosen, struct scope *ret,
			struct err *e)
{
	struct scope s = { .root = h->root };
	int r = 0;

	vec_foreach(item, chosen) {
		const struct container *c = *item;

		if (c->cgroup)
			r = add_group(h, c->hierarchy, c->cgroup, &s);
		else
			r = err_set(e, -ENOENT, "container %.64s has no control group of its own: name its processes "
				    "with -p", c->id);
		if (r)
			break;
	}
	if (r) {
		scope_deinit(&s);
		return r == -ENOENT ? r : err_set(e, r, "%s", strerror(-r));
	}
	scope_look(&s);
	*ret = s;
	return 0;
}

struct scope scope_of_all(const char *root)
{
	return (struct scope){ .root = root, .all = true };
}

int scope_join(struct scope *s, struct scope *from)
{
	if (vec_reserve(s, from->n))
		return -ENOMEM;
	vec_foreach(g, from)
		s->items[s->n++] = *g;
	s->root = from->root;
	s->all |= from->all;
	vec_free(from);
	*from = (struct scope){ .root = s->root };
	return 0;
}

int scope_look(struct scope *s)
{
	int changed = 0;

	vec_foreach(g, s) {
		struct stat st;
		const uint64_t id = g->dir && !stat(g->dir, &st) ? st.st_ino : 0;

		changed |= id != g->id;
		g->id = id;
		g->seen |= id != 0;
	}
	return changed;
}

bool scope_has_gone(const struct scope *s)
{
	vec_foreach(g, s)
		if (g->id || !g->seen)
			return false;
	return !s->all && s->n;
}

/* -- members, by the folders -------------------------------------------------------------------- */

struct walk {
	struct {
		VEC_OF(char *);
	} folders; /* to be looked at */
	struct number_vec *pids;
};

static void walk_deinit(struct walk *w)
{
	vec_foreach(folder, &w->folders)
		free(*folder);
	vec_free(&w->folders);
}

static int push_folder(struct walk *w, const char *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s%s%s", dir, name ? "/" : "", name ? name : "") < 0)
		return -ENOMEM;
	if (strlen(path) < PATH_MAX - sizeof("/cgroup.threads") && !vec_push(&w->folders, path))
		return 0;
	free(path);
	return -E2BIG;
}

/* Of the threads in a group of threads, those that are their process's first. */
static bool is_first_thread(const char *root, uint64_t tid)
{
	_cleanup_free_ char *text = NULL;
	char path[64];
	const char *line;

	snprintf(path, sizeof(path), "/proc/%llu/status", (unsigned long long)tid);
	if (host_read(root, path, &text, NULL))
		return false;
	line = strstr(text, "\nTgid:");
	return line && strtoull(line + strlen("\nTgid:"), NULL, 10) == tid;
}

static int read_numbers(const char *dir, const char *file, char **ret)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return host_read("", path, ret, NULL);
}

static int add_members(const struct scope *s, struct walk *w, const char *dir)
{
	_cleanup_free_ char *text = NULL;
	bool threads = false;
	char *end;
	int r = read_numbers(dir, "cgroup.procs", &text);

	if (r == -EOPNOTSUPP) {
		threads = true;
		r = read_numbers(dir, "cgroup.threads", &text);
	}
	if (r)
		return r;
	for (const char *at = text; *at; at = end + (*end == '\n')) {
		const uint64_t pid = strtoull(at, &end, 10);

		if (end == at)
			return -EBADMSG;
		/* 0: it is not in our namespace of process ids */
		if (pid && (!threads || is_first_thread(s->root, pid)) && vec_push(w->pids, pid))
			return -ENOMEM;
	}
	return 0;
}

static int walk_folder(const struct scope *s, struct walk *w, const char *dir, size_t *seen)
{
	_cleanup_(cleanup_closedir) DIR *d = opendir(dir);
	struct dirent *entry;
	int r = d ? add_members(s, w, dir) : -errno;

	/* it may go while it is looked at */
	if (r)
		return r == -ENOENT || r == -ENODEV ? 0 : r;
	while (!r && (entry = readdir(d))) {
		if (entry->d_type != DT_DIR || !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		r = ++*seen > SCOPE_FOLDERS_MAX ? -E2BIG : push_folder(w, dir, entry->d_name);
	}
	return r;
}

static int members_by_folders(const struct scope *s, struct number_vec *ret)
{
	struct walk w = { .pids = ret };
	size_t seen = 0;
	int r = 0;

	vec_foreach(g, s)
		r = r ?: g->dir ? push_folder(&w, g->dir, NULL) : -E2BIG;
	while (!r && w.folders.n) {
		char *dir = w.folders.items[--w.folders.n];

		r = walk_folder(s, &w, dir, &seen);
		free(dir);
	}
	walk_deinit(&w);
	return r;
}

/* -- members, by the processes ------------------------------------------------------------------ */

static bool line_is_in(const struct scope *s, const struct cgroup_line *l)
{
	vec_foreach(g, s) {
		const size_t n = g->path[1] ? strlen(g->path) : 0;

		if (cgroup_part_is(l->hierarchy, g->hierarchy) && l->path.n >= n &&
		    !memcmp(l->path.s, g->path, n) && (l->path.n == n || l->path.s[n] == '/'))
			return true;
	}
	return false;
}

int scope_has(const struct scope *s, pid_t pid)
{
	_cleanup_free_ char *text = NULL;
	struct cgroup_line line;
	char path[64];
	int r;

	/* of a process that is gone it says so in any case */
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	r = host_read(s->root, path, &text, NULL);
	if (r)
		return r == -ENOENT ? -ESRCH : r;
	for (const char *at = text; cgroup_next_line(&at, &line);)
		if (line_is_in(s, &line))
			return 1;
	return s->all;
}

static int members_by_processes(const struct scope *s, struct number_vec *ret)
{
	struct number_vec all = { 0 };
	int r = host_pids(s->root, &all);

	vec_foreach(pid, &all) {
		if (r)
			break;
		r = scope_has(s, (pid_t)*pid);
		if (r > 0)
			r = vec_push(ret, *pid);
		else if (r == -ESRCH)
			r = 0;
	}
	vec_free(&all);
	return r;
}

int scope_members(const struct scope *s, struct number_vec *ret)
{
	int r = s->all ? host_pids(s->root, ret) : members_by_folders(s, ret);

	if (r && r != -ENOMEM && !s->all) {
		ret->n = 0;
		r = members_by_processes(s, ret);
	}
	/* one that was moved meanwhile was seen twice, as is one in groups of several hierarchies */
	if (!r)
		number_vec_sort(ret);
	return r;
}
