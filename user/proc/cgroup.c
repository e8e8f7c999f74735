// SPDX-License-Identifier: Apache-2.0
#include "proc/cgroup.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "proc/procfs.h"
#include "proc/taskdir.h"

#define ID_DIGITS 64
#define DELETED	  " (deleted)"

bool cgroup_part_is(struct cgroup_part p, const char *s)
{
	return p.n == strlen(s) && !memcmp(p.s, s, p.n);
}

static bool cut_front(struct cgroup_part *p, const char *prefix)
{
	const size_t n = strlen(prefix);

	if (p->n < n || memcmp(p->s, prefix, n))
		return false;
	p->s += n;
	p->n -= n;
	return true;
}

static bool cut_back(struct cgroup_part *p, const char *suffix)
{
	const size_t n = strlen(suffix);

	if (p->n < n || memcmp(p->s + p->n - n, suffix, n))
		return false;
	p->n -= n;
	return true;
}

/* -- containers -------------------------------------------------------------------------------- */

/* A component, with those before and behind it; empty: there are none. */
struct place {
	struct cgroup_part before, here, behind;
};

/* The words that runtimes put before an id, and the groups that they keep containers in. */
static const struct {
	const char *word, *group, *runtime;
} runtimes[] = {
	{ "docker", "docker", "docker" },
	{ "cri-containerd", "k8s.io", "containerd" },
	{ "nerdctl", "default", "containerd" },
	{ "containerd", "containerd", "containerd" },
	{ "crio", "crio", "cri-o" },
	{ "libpod", "libpod_parent", "podman" },
	{ NULL, "moby", "docker" },
	{ "runc", "runc", "runc" },
	{ "crun", "crun", "crun" },
};

static const char *runtime_of(struct cgroup_part word, struct cgroup_part group)
{
	for (size_t i = 0; i < ARRAY_SIZE(runtimes); i++)
		if (word.n ? runtimes[i].word && cut_back(&word, runtimes[i].word)
			   : cgroup_part_is(group, runtimes[i].group))
			return runtimes[i].runtime;
	return NULL;
}

/* 64 digits, alone or behind a word: "docker-...", "kubepods-...:cri-containerd:..."; but not the monitor
 * that the runtime keeps beside a container. */
static bool by_id(const struct place *at, struct cgroup_container *ret)
{
	static const char digits[] = "0123456789abcdef";
	struct cgroup_part id = at->here, word;

	cut_back(&id, ".scope");
	if (id.n < ID_DIGITS)
		return false;
	word = (struct cgroup_part){ id.s, id.n - ID_DIGITS };
	ret->id = (struct cgroup_part){ id.s + word.n, ID_DIGITS };
	for (size_t i = 0; i < ID_DIGITS; i++)
		if (!memchr(digits, ret->id.s[i], sizeof(digits) - 1))
			return false;
	if (word.n && ((!cut_back(&word, "-") && !cut_back(&word, ":")) || cut_back(&word, "conmon")))
		return false;
	ret->runtime = runtime_of(word, at->before);
	return true;
}

/* What systemd calls the scope of a container that was given no other group. */
static bool by_scope(const struct place *at, struct cgroup_container *ret)
{
	ret->id = at->here;
	ret->runtime = cut_front(&ret->id, "runc-") ? "runc" : cut_front(&ret->id, "crun-") ? "crun" : NULL;
	return ret->runtime && cut_back(&ret->id, ".scope") && ret->id.n;
}

static bool by_lxc(const struct place *at, struct cgroup_container *ret)
{
	ret->id = at->here;
	ret->runtime = "lxc";
	return (cut_front(&ret->id, "lxc.payload.") || cgroup_part_is(at->before, "lxc")) && ret->id.n;
}

/* The unit holds the container in "payload", and what watches it in "supervisor". */
static bool by_nspawn(const struct place *at, struct cgroup_container *ret)
{
	const bool payload = cgroup_part_is(at->behind, "payload");

	if (payload)
		ret->end += 1 + at->behind.n;
	ret->id = at->here;
	ret->runtime = "systemd-nspawn";
	if (cut_front(&ret->id, "systemd-nspawn@"))
		return cut_back(&ret->id, ".service") && ret->id.n && !cgroup_part_is(at->behind, "supervisor");
	return cut_front(&ret->id, "machine-") && cut_back(&ret->id, ".scope") && ret->id.n && payload;
}

static bool (*const forms[])(const struct place *at, struct cgroup_container *ret) = {
	by_id, by_scope, by_lxc, by_nspawn,
};

/* The component that ends before `end`, and where the one before that ends. */
static struct cgroup_part component_before(const char *path, const char *end, const char **ret_end)
{
	const char *start = end;

	while (start > path && start[-1] != '/')
		start--;
	*ret_end = start > path ? start - 1 : path;
	return (struct cgroup_part){ start, (size_t)(end - start) };
}

bool cgroup_find_container(struct cgroup_part path, struct cgroup_container *ret)
{
	const char *end = path.s + path.n, *rest;
	struct place at = { .here = component_before(path.s, end, &rest) };

	while (rest > path.s || at.here.n) {
		end = rest;
		at.before = component_before(path.s, end, &rest);
		for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
			struct cgroup_container c = {
				.start = (size_t)(at.here.s - path.s),
				.end = (size_t)(at.here.s - path.s) + at.here.n,
			};

			if (forms[i](&at, &c)) {
				*ret = c;
				return true;
			}
		}
		if (end == path.s)
			break;
		at.behind = at.here;
		at.here = at.before;
	}
	return false;
}

char *cgroup_unescape(struct cgroup_part p)
{
	char *s = malloc(p.n + 1), *to = s;
	unsigned int byte;

	if (!s)
		return NULL;
	for (size_t i = 0; i < p.n; i++) {
		const char hex[3] = { i + 3 < p.n ? p.s[i + 2] : 0, i + 3 < p.n ? p.s[i + 3] : 0 };

		if (p.s[i] == '\\' && i + 3 < p.n && p.s[i + 1] == 'x' &&
		    strspn(hex, "0123456789abcdef") == 2 && (byte = (unsigned int)strtoul(hex, NULL, 16))) {
			*to++ = (char)byte;
			i += 3;
		} else {
			*to++ = p.s[i];
		}
	}
	*to = '\0';
	return s;
}

/* -- hierarchies -------------------------------------------------------------------------------- */

/* "NUMBER:CONTROLLERS:PATH" */
static bool parse_line(struct cgroup_part text, struct cgroup_line *ret)
{
	const char *first = memchr(text.s, ':', text.n), *second, *end = text.s + text.n;

	second = first ? memchr(first + 1, ':', (size_t)(end - first - 1)) : NULL;
	if (!second)
		return false;
	ret->hierarchy = (struct cgroup_part){ first + 1, (size_t)(second - first - 1) };
	ret->path = (struct cgroup_part){ second + 1, (size_t)(end - second - 1) };
	cut_back(&ret->path, DELETED);
	return ret->path.n && ret->path.s[0] == '/';
}

bool cgroup_next_line(const char **text, struct cgroup_line *ret)
{
	bool found = false;

	while (!found && **text) {
		const char *end = strchrnul(*text, '\n');

		found = parse_line((struct cgroup_part){ *text, (size_t)(end - *text) }, ret);
		*text = *end ? end + 1 : end;
	}
	return found;
}

int cgroup_line_rank(const struct cgroup_line *l)
{
	static const char *const order[] = { "name=systemd", "memory", "" };
	struct cgroup_container container;
	int rank = 1;

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (cgroup_part_is(l->hierarchy, order[i]))
			rank = (int)i + 2;
	if (!cgroup_part_is(l->path, "/"))
		rank += 10;
	return cgroup_find_container(l->path, &container) ? rank + 100 : rank;
}

bool cgroup_best_line(const char *text, struct cgroup_line *ret)
{
	struct cgroup_line l;
	int best = 0, rank;

	while (cgroup_next_line(&text, &l)) {
		rank = cgroup_line_rank(&l);
		if (rank > best) {
			best = rank;
			*ret = l;
		}
	}
	return best;
}

int cgroup_parse(const char *text, struct cgroup *ret)
{
	struct cgroup_container container;
	struct cgroup_line best;
	struct cgroup c = { 0 };
	bool contained;

	if (!cgroup_best_line(text, &best)) {
		*ret = c;
		return 0;
	}
	contained = cgroup_find_container(best.path, &container);
	c.path = strndup(best.path.s, best.path.n);
	if (contained)
		c.container = cgroup_unescape(container.id);
	if (!c.path || (contained && !c.container)) {
		cgroup_deinit(&c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

int cgroup_read(pid_t pid, struct cgroup *ret)
{
	_cleanup_free_ char *text = NULL;
	int r = procfs_read(task_proc(pid), "cgroup", &text, NULL);

	return r ? r : cgroup_parse(text, ret);
}

void cgroup_deinit(struct cgroup *c)
{
	free(c->path);
	free(c->container);
	*c = (struct cgroup){ 0 };
}
