// SPDX-License-Identifier: Apache-2.0
#include "container/hierarchy.h"
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "container/host.h"

/* What of a line of mountinfo (proc(5)) counts here. */
struct mount_line {
	char *top, *dir, *type, *options;
};

static void mount_deinit(struct hierarchy_mount *m)
{
	free(m->hierarchy);
	free(m->dir);
	free(m->top);
}

void hierarchies_deinit(struct hierarchies *h)
{
	vec_foreach(m, h)
		mount_deinit(m);
	vec_foreach(name, &h->names)
		free(*name);
	vec_free(h);
	vec_free(&h->names);
}

static bool is_octal(const char *s)
{
	return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' && s[2] <= '7';
}

/* The kernel writes blanks and backslashes as \ooo. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (*s == '\\' && is_octal(s + 1)) {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/* "36 35 98:0 /top /dir rw,noatime master:1 - cgroup2 cgroup rw"; the line is taken apart. */
static bool parse_mount(char *line, struct mount_line *ret)
{
	char *field[5], *rest = strstr(line, " - "), *save = NULL;

	if (!rest)
		return false;
	*rest = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(field); i++) {
		field[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!field[i])
			return false;
	}
	ret->top = field[3];
	ret->dir = field[4];
	ret->type = strtok_r(rest + 3, " ", &save);
	ret->options = ret->type && strtok_r(NULL, " ", &save) ? strtok_r(NULL, " ", &save) : NULL;
	unescape(ret->top);
	unescape(ret->dir);
	return ret->options;
}

/* Whether `part` is one of the words of a list with commas. */
static bool has_word(const char *list, const char *part, size_t n)
{
	for (const char *at = list, *end; *at; at = *end ? end + 1 : end) {
		end = strchrnul(at, ',');
		if ((size_t)(end - at) == n && !memcmp(at, part, n))
			return true;
	}
	return false;
}

/* The hierarchy that is mounted, or NULL. A controller is in one hierarchy only: the first one tells. */
static const char *hierarchy_of_mount(const struct hierarchies *h, const struct mount_line *l)
{
	const bool v2 = !strcmp(l->type, "cgroup2");

	if (!v2 && strcmp(l->type, "cgroup"))
		return NULL;
	vec_foreach(name, &h->names)
		if (v2 ? !**name : **name && has_word(l->options, *name, strcspn(*name, ",")))
			return *name;
	return NULL;
}

/* What is behind `dir` in `path`: "" or "/..."; NULL: the one is not below the other. */
static const char *path_below(const char *path, const char *dir)
{
	const size_t n = dir[1] ? strlen(dir) : 0; /* "/" is above all */

	return !strncmp(path, dir, n) && (!path[n] || path[n] == '/') ? path + n : NULL;
}

/* What was mounted before at that place, or below it, is hidden now. */
static void hide_below(struct hierarchies *h, const char *dir)
{
	size_t kept = 0;

	for (size_t i = 0; i < h->n; i++) {
		if (path_below(h->items[i].dir, dir))
			mount_deinit(&h->items[i]);
		else
			h->items[kept++] = h->items[i];
	}
	h->n = kept;
}

static int add_mount(struct hierarchies *h, char *text)
{
	struct hierarchy_mount m = { 0 };
	struct mount_line line;
	const char *hierarchy;

	if (!parse_mount(text, &line) || *line.dir != '/')
		return 0;
	hide_below(h, line.dir);
	hierarchy = hierarchy_of_mount(h, &line);
	if (!hierarchy || *line.top != '/')
		return 0;
	m.hierarchy = strdup(hierarchy);
	m.dir = strdup(line.dir);
	m.top = strdup(line.top);
	if (m.hierarchy && m.dir && m.top && !vec_push(h, m))
		return 0;
	mount_deinit(&m);
	return -ENOMEM;
}

static int read_names(struct hierarchies *h)
{
	_cleanup_free_ char *text = NULL;
	struct cgroup_line line;
	int r = host_read(h->root, "/proc/self/cgroup", &text, NULL);

	if (r)
		return r;
	for (const char *at = text; cgroup_next_line(&at, &line);) {
		char *name = strndup(line.hierarchy.s, line.hierarchy.n);

		if (!name || vec_push(&h->names, name)) {
			free(name);
			return -ENOMEM;
		}
	}
	return 0;
}

static int read_mounts(struct hierarchies *h)
{
	_cleanup_free_ char *text = NULL;
	char *save = NULL;
	int r = host_read(h->root, "/proc/self/mountinfo", &text, NULL);

	if (r)
		return r;
	for (char *line = strtok_r(text, "\n", &save); line && !r; line = strtok_r(NULL, "\n", &save))
		r = add_mount(h, line);
	return r;
}

int hierarchies_read(const char *root, struct hierarchies *ret)
{
	struct hierarchies h = { .root = root };
	int r = read_names(&h);

	if (!r)
		r = read_mounts(&h);
	if (r)
		hierarchies_deinit(&h);
	else
		*ret = h;
	return r;
}

/* Groups outside of our namespace begin with "/..", which leads elsewhere in a file system. */
static bool leads_up(const char *path)
{
	const char *up = strstr(path, "/..");

	while (up && up[3] && up[3] != '/')
		up = strstr(up + 3, "/..");
	return up;
}

int hierarchies_dir(const struct hierarchies *h, const char *hierarchy, const char *path, char **ret)
{
	if (leads_up(path))
		return -ENOENT;
	vec_foreach(m, h) {
		const char *below = strcmp(m->hierarchy, hierarchy) ? NULL : path_below(path, m->top);

		if (!below)
			continue;
		if (asprintf(ret, "%s%s%s", h->root, m->dir[1] ? m->dir : "", path[1] ? below : "") >= 0)
			return 0;
		*ret = NULL;
		return -ENOMEM;
	}
	return -ENOENT;
}

int hierarchies_of_dir(const struct hierarchies *h, const char *dir, const char **ret_hierarchy,
		       char **ret_path)
{
	/* of mounts one below the other, the inner one */
	const struct hierarchy_mount *best = NULL;
	const char *below;

	vec_foreach(m, h)
		if (path_below(dir, m->dir) && (!best || strlen(m->dir) > strlen(best->dir)))
			best = m;
	if (!best)
		return -ENOENT;
	below = path_below(dir, best->dir);
	if (asprintf(ret_path, "%s%s", best->top[1] || !*below ? best->top : "", below) < 0) {
		*ret_path = NULL;
		return -ENOMEM;
	}
	*ret_hierarchy = best->hierarchy;
	return 0;
}
