// SPDX-License-Identifier: Apache-2.0
#include "proc/cgroup.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "proc/procfs.h"
#include "proc/taskdir.h"

#define ID_DIGITS 64
#define DELETED	  " (deleted)"

/* A part of a path, or of one of its components. */
struct part {
	const char *s;
	size_t n;
};

static bool part_is(struct part p, const char *s)
{
	return p.n == strlen(s) && !memcmp(p.s, s, p.n);
}

static bool cut_front(struct part *p, const char *prefix)
{
	const size_t n = strlen(prefix);

	if (p->n < n || memcmp(p->s, prefix, n))
		return false;
	p->s += n;
	p->n -= n;
	return true;
}

static bool cut_back(struct part *p, const char *suffix)
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
	struct part before, here, behind;
};

/* 64 digits, alone or behind a word: "docker-...", "kubepods-...:cri-containerd:..."; but not the monitor
 * that the runtime keeps beside a container. */
static bool by_id(const struct place *at, struct part *ret)
{
	static const char digits[] = "0123456789abcdef";
	struct part id = at->here, word;

	cut_back(&id, ".scope");
	if (id.n < ID_DIGITS)
		return false;
	word = (struct part){ id.s, id.n - ID_DIGITS };
	*ret = (struct part){ id.s + word.n, ID_DIGITS };
	for (size_t i = 0; i < ID_DIGITS; i++)
		if (!memchr(digits, ret->s[i], sizeof(digits) - 1))
			return false;
	return !word.n || ((cut_back(&word, "-") || cut_back(&word, ":")) && !cut_back(&word, "conmon"));
}

static bool by_lxc(const struct place *at, struct part *ret)
{
	*ret = at->here;
	return (cut_front(ret, "lxc.payload.") || part_is(at->before, "lxc")) && ret->n;
}

/* The unit holds the container in "payload", and what watches it in "supervisor". */
static bool by_nspawn(const struct place *at, struct part *ret)
{
	*ret = at->here;
	if (cut_front(ret, "systemd-nspawn@"))
		return cut_back(ret, ".service") && ret->n && !part_is(at->behind, "supervisor");
	return cut_front(ret, "machine-") && cut_back(ret, ".scope") && ret->n &&
	       part_is(at->behind, "payload");
}

static bool (*const forms[])(const struct place *at, struct part *ret) = { by_id, by_lxc, by_nspawn };

/* The component that ends before `end`, and where the one before that ends. */
static struct part component_before(const char *path, const char *end, const char **ret_end)
{
	const char *start = end;

	while (start > path && start[-1] != '/')
		start--;
	*ret_end = start > path ? start - 1 : path;
	return (struct part){ start, (size_t)(end - start) };
}

/* The innermost container of the path. */
static bool find_container(struct part path, struct part *ret)
{
	const char *end = path.s + path.n, *rest;
	struct place at = { .here = component_before(path.s, end, &rest) };

	while (rest > path.s || at.here.n) {
		end = rest;
		at.before = component_before(path.s, end, &rest);
		for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
			if (forms[i](&at, ret))
				return true;
		if (end == path.s)
			break;
		at.behind = at.here;
		at.here = at.before;
	}
	return false;
}

/* systemd writes what may not be in the name of a unit as \xNN. */
static char *unescape(struct part p)
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
struct line {
	struct part controllers, path;
};

static bool parse_line(struct part text, struct line *ret)
{
	const char *first = memchr(text.s, ':', text.n), *second, *end = text.s + text.n;

	second = first ? memchr(first + 1, ':', (size_t)(end - first - 1)) : NULL;
	if (!second)
		return false;
	ret->controllers = (struct part){ first + 1, (size_t)(second - first - 1) };
	ret->path = (struct part){ second + 1, (size_t)(end - second - 1) };
	cut_back(&ret->path, DELETED);
	return ret->path.n && ret->path.s[0] == '/';
}

/*
 * How much a hierarchy tells: that of a container most, then one in which the process is anywhere but at
 * the top; among those that of version 2 (which names no controllers), and of version 1 the one that
 * limits memory, and systemd's.
 */
static int line_rank(const struct line *l)
{
	static const char *const order[] = { "name=systemd", "memory", "" };
	struct part container;
	int rank = 1;

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (part_is(l->controllers, order[i]))
			rank = (int)i + 2;
	if (!part_is(l->path, "/"))
		rank += 10;
	return find_container(l->path, &container) ? rank + 100 : rank;
}

int cgroup_parse(const char *text, struct cgroup *ret)
{
	struct part best = { NULL, 0 }, container;
	struct cgroup c = { 0 };
	int best_rank = 0;

	for (const char *at = text, *end; *at; at = *end ? end + 1 : end) {
		struct line l;

		end = strchrnul(at, '\n');
		if (!parse_line((struct part){ at, (size_t)(end - at) }, &l) || line_rank(&l) <= best_rank)
			continue;
		best_rank = line_rank(&l);
		best = l.path;
	}
	if (!best.s) {
		*ret = c;
		return 0;
	}
	c.path = strndup(best.s, best.n);
	if (find_container(best, &container))
		c.container = unescape(container);
	if (!c.path || (best_rank > 100 && !c.container)) {
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
