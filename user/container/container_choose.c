// SPDX-License-Identifier: Apache-2.0
#include "container/container.h"
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"

#define ID_DIGITS	64
#define ID_DIGITS_SHOWN 12

size_t container_id_shown(const char *id)
{
	const size_t n = strlen(id);

	return n == ID_DIGITS && strspn(id, "0123456789abcdef") == n ? ID_DIGITS_SHOWN : n;
}

static void add_part(struct strbuf *b, const char *part, const char *separator)
{
	if (part) {
		strbuf_adds(b, part);
		strbuf_adds(b, separator);
	}
}

void container_label(const struct container *c, struct strbuf *b)
{
	const struct container_words *w = &c->words;

	if (w->pod) {
		add_part(b, w->namespace, "/");
		add_part(b, w->pod, "/");
	}
	if (w->name)
		strbuf_adds(b, w->name);
	else
		strbuf_add(b, c->id, container_id_shown(c->id));
}

/* -- what a name may mean ----------------------------------------------------------------------- */

/* Steps over `part` in `*s`; NULL is no part of anything. */
static bool takes(const char **s, const char *part)
{
	const size_t n = part ? strlen(part) : 0;

	if (!n || strncmp(*s, part, n))
		return false;
	*s += n;
	return true;
}

/* Whether `s` is the words with slashes in between. */
static bool is_path(const char *s, const char *first, const char *second, const char *third)
{
	return takes(&s, first) && (!second || (takes(&s, "/") && takes(&s, second))) &&
	       (!third || (takes(&s, "/") && takes(&s, third))) && !*s;
}

static bool is_called(const struct container *c, const char *name)
{
	const struct container_words *w = &c->words;

	if (!strcmp(c->id, name))
		return true;
	return w->name &&
	       (is_path(name, w->name, NULL, NULL) || (w->pod && is_path(name, w->pod, w->name, NULL)) ||
		(w->pod && w->namespace && is_path(name, w->namespace, w->pod, w->name)));
}

static bool is_pod(const struct container *c, const char *name)
{
	const struct container_words *w = &c->words;

	return w->pod && (is_path(name, w->pod, NULL, NULL) ||
			  (w->namespace && is_path(name, w->namespace, w->pod, NULL)));
}

static bool begins(const struct container *c, const char *name)
{
	const size_t n = strlen(name);

	return !strncmp(c->id, name, n) || (c->words.name && !strncmp(c->words.name, name, n));
}

static bool is_same_pod(const struct container *a, const struct container *b)
{
	return !strcmp(a->words.pod, b->words.pod) &&
	       !strcmp(a->words.namespace ?: "", b->words.namespace ?: "");
}

/* Whether another has the same id, and the better proof of it. */
static bool is_shadowed(const struct container_list *l, const struct container *c)
{
	return container_list_by_id(l, (struct cgroup_part){ c->id, strlen(c->id) }) != c;
}

/* The ways to mean a container, the surest first; the first in which anything is meant counts. */
static const struct way {
	bool (*is)(const struct container *c, const char *name);
	bool many; /* of one pod */
} ways[] = { { is_called, false }, { is_pod, true }, { begins, false } };

/* What somebody calls a container in a group of his own means nobody else's: those count only among themselves. */
static void drop_users_own(struct container_choice *found)
{
	size_t kept = 0;

	for (size_t i = 0; i < found->n; i++)
		if (found->items[i]->proof != CONTAINER_BY_USERS_PATH) {
			const struct container *c = found->items[i];

			found->items[i] = found->items[kept];
			found->items[kept++] = c;
		}
	if (kept)
		found->n = kept;
}

static bool is_one_thing(const struct way *way, const struct container_choice *found)
{
	for (size_t i = 1; i < found->n; i++)
		if (!way->many || !is_same_pod(found->items[0], found->items[i]))
			return false;
	return true;
}

/* -- what there is ------------------------------------------------------------------------------ */

#define LIST_MAX 300 /* bytes, so that the line that they are put in has room for them */

/* As many as there is room for: "web (0123456789ab), db (3f4c8b1d5e6a), and 7 more". */
static void list_them(const struct container *const *items, size_t n, struct strbuf *b)
{
	size_t shown = 0;

	for (; shown < n; shown++) {
		_cleanup_(strbuf_deinit) struct strbuf one = { 0 };
		const struct container *c = items[shown];

		container_label(c, &one);
		if (c->words.name && strcmp(c->words.name, c->id))
			strbuf_addf(&one, " (%.*s)", (int)container_id_shown(c->id), c->id);
		if (one.oom || b->n + one.n > LIST_MAX)
			break;
		strbuf_addf(b, "%s%s", shown ? ", " : "", one.s);
	}
	if (shown < n)
		strbuf_addf(b, "%s%zu%s (leaktrace containers lists them)", shown ? ", and " : "", n - shown,
			    shown ? " more" : "");
}

static int refuse(const char *name, const char *what, const struct container *const *items, size_t n, struct err *e)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };

	list_them(items, n, &b);
	if (b.oom)
		return err_set(e, -ENOMEM, "out of memory");
	return err_set(e, -ENOENT, "%s '%.64s'%s%s", what, name, n ? ": there are " : ": no container runs",
		       b.s ? b.s : "");
}

int container_list_choose(const struct container_list *l, const char *name, struct container_choice *ret,
			  struct err *e)
{
	struct container_choice found = { 0 };
	int r = 0;

	for (size_t i = 0; *name && !found.n && i < ARRAY_SIZE(ways); i++) {
		vec_foreach(c, l)
			if (!r && ways[i].is(c, name) && !is_shadowed(l, c))
				r = vec_push(&found, c);
		drop_users_own(&found);
		if (!r && !is_one_thing(&ways[i], &found))
			r = refuse(name, "more than one container is meant by", found.items, found.n, e);
	}
	if (!r && !found.n) {
		vec_foreach(c, l)
			r = r ?: vec_push(&found, c);
		r = r ?: refuse(name, "there is no container", found.items, found.n, e);
	}
	if (r) {
		vec_free(&found);
		return r;
	}
	*ret = found;
	return 0;
}
