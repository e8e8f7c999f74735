// SPDX-License-Identifier: Apache-2.0
#include "container/container.h"
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "container/host.h"
#include "container/names.h"
#include "container/oci.h"

/* FNV-1a (Fowler, Noll, Vo). */
static uint64_t hash_add(uint64_t h, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)s[i]) * 0x100000001b3ULL;
	return h;
}

static uint64_t hash_of(const char *s, size_t n)
{
	return hash_add(0xcbf29ce484222325ULL, s, n);
}

static uint64_t hash_of_group(struct cgroup_part hierarchy, struct cgroup_part path)
{
	return hash_add(hash_add(hash_of(hierarchy.s, hierarchy.n), ":", 1), path.s, path.n);
}

static struct cgroup_part part_of(const char *s)
{
	return (struct cgroup_part){ s, strlen(s) };
}

static void container_deinit(struct container *c)
{
	free(c->id);
	free(c->cgroup);
	container_words_deinit(&c->words);
	vec_free(&c->pids);
}

void container_list_deinit(struct container_list *l)
{
	vec_foreach(c, l)
		container_deinit(c);
	vec_free(l);
	hashmap_deinit(&l->by_group);
	hashmap_deinit(&l->by_id);
	hierarchies_deinit(&l->hierarchies);
}

/* -- finding again ------------------------------------------------------------------------------ */

struct container *container_list_by_id(const struct container_list *l, struct cgroup_part id)
{
	const uint64_t *at = hashmap_get(&l->by_id, hash_of(id.s, id.n));
	struct container *best = NULL;

	for (size_t i = at ? *at : 0; i; i = l->items[i - 1].next_by_id)
		if (cgroup_part_is(id, l->items[i - 1].id) && (!best || l->items[i - 1].proof >= best->proof))
			best = &l->items[i - 1];
	return best;
}

static struct container *by_group(const struct container_list *l, struct cgroup_part hierarchy,
				  struct cgroup_part path)
{
	const uint64_t *at = hashmap_get(&l->by_group, hash_of_group(hierarchy, path));

	for (size_t i = at ? *at : 0; i; i = l->items[i - 1].next_by_group)
		if (cgroup_part_is(hierarchy, l->items[i - 1].hierarchy) &&
		    cgroup_part_is(path, l->items[i - 1].cgroup))
			return &l->items[i - 1];
	return NULL;
}

/* Puts the item in front of those with the same hash. */
static int index_put(struct hashmap *m, uint64_t hash, size_t i, size_t *ret_next)
{
	const uint64_t *first = hashmap_get(m, hash);

	*ret_next = first ? *first : 0;
	return hashmap_put(m, hash, i + 1);
}

static int index_add(struct container_list *l, size_t i)
{
	struct container *c = &l->items[i];
	int r = index_put(&l->by_id, hash_of(c->id, strlen(c->id)), i, &c->next_by_id);

	if (!r && c->cgroup)
		r = index_put(&l->by_group, hash_of_group(part_of(c->hierarchy), part_of(c->cgroup)), i,
			      &c->next_by_group);
	return r;
}

int container_list_index(struct container_list *l)
{
	int r = 0;

	hashmap_deinit(&l->by_id);
	hashmap_deinit(&l->by_group);
	l->by_id = l->by_group = (struct hashmap){ 0 };
	for (size_t i = 0; !r && i < l->n; i++)
		r = index_add(l, i);
	return r;
}

/* Takes what is in `c` over, also when it fails. */
static int add(struct container_list *l, struct container *c)
{
	int r;

	if (l->n >= CONTAINERS_MAX) {
		l->left_out++;
		container_deinit(c);
		return 0;
	}
	r = vec_push(l, *c);
	if (r)
		container_deinit(c);
	return r ?: index_add(l, l->n - 1);
}

/* -- from the states of runtimes ---------------------------------------------------------------- */

/* How much of the path is the group that the runtime calls `stated`, which is the path itself or that of its folder,
 * wherever the runtime had that: the process may be in a group below. 0: it is none of it. */
static size_t stated_part(struct cgroup_part path, const char *stated)
{
	const size_t m = strlen(stated);

	for (size_t n = path.n; n > 1; n--)
		if ((n == path.n || path.s[n] == '/') && m >= n && !memcmp(stated + m - n, path.s, n))
			return n;
	return 0;
}

/* The group that the process is in when its path has the container's id. */
static bool group_by_id(const char *id, const char *text, struct cgroup_line *ret)
{
	struct cgroup_container found;

	if (!cgroup_best_line(text, ret) || !cgroup_find_container(ret->path, &found) ||
	    !cgroup_part_is(found.id, id))
		return false;
	ret->path.n = found.end;
	return true;
}

/* The group that the runtime has put the process into, in the hierarchy that tells most. */
static bool group_of_state(const struct oci_state *s, const char *text, struct cgroup_line *ret)
{
	struct cgroup_line line;
	int best = 0;

	while (cgroup_next_line(&text, &line)) {
		size_t n = 0;

		vec_foreach(stated, &s->groups)
			n = n ?: stated_part(line.path, *stated);
		if (!n || cgroup_line_rank(&line) <= best)
			continue;
		best = cgroup_line_rank(&line);
		line.path.n = n;
		*ret = line;
	}
	return best || group_by_id(s->id, text, ret);
}

/* Whether the process is still the one that it was. */
static bool is_alive(const char *root, const struct oci_state *s)
{
	_cleanup_free_ char *text = NULL;
	unsigned long long start;
	const char *rest;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)s->pid);
	if (host_read(root, path, &text, NULL))
		return false;
	rest = strrchr(text, ')'); /* the name itself may hold anything */
	return rest &&
	       sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		      &start) == 1 &&
	       start == s->start;
}

static const char *hierarchy_name(const struct container_list *l, struct cgroup_part name)
{
	vec_foreach(known, &l->hierarchies.names)
		if (cgroup_part_is(name, *known))
			return *known;
	return NULL;
}

static int add_state(struct container_list *l, struct oci_state *s)
{
	_cleanup_free_ char *text = NULL;
	struct container c = { .proof = CONTAINER_BY_STATE };
	struct cgroup_line line;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)s->pid);
	if (!is_alive(l->root, s) || host_read(l->root, path, &text, NULL) || container_list_by_id(l, part_of(s->id)))
		return 0;
	if (container_word_set(&s->words.runtime, s->runtime))
		return -ENOMEM;
	if (group_of_state(s, text, &line) && (c.hierarchy = hierarchy_name(l, line.hierarchy))) {
		c.cgroup = strndup(line.path.s, line.path.n);
		if (!c.cgroup)
			return -ENOMEM;
	} else if (vec_push(&c.pids, (uint64_t)s->pid)) {
		return -ENOMEM;
	}
	c.id = take_ptr(s->id);
	c.words = s->words;
	s->words = (struct container_words){ 0 };
	return add(l, &c);
}

static int add_states(struct container_list *l)
{
	struct oci_states states = { 0 };
	int r = oci_states_find(l->root, &states);

	vec_foreach(s, &states)
		r = r ?: add_state(l, s);
	oci_states_deinit(&states);
	return r;
}

/* -- from the groups of processes --------------------------------------------------------------- */

static int add_pid(struct container *c, uint64_t pid)
{
	if (c->pids.n && c->pids.items[c->pids.n - 1] == pid)
		return 0;
	return vec_push(&c->pids, pid);
}

/* Of a container whose group is called what stands behind `above`. */
static enum container_proof proof_of_path(struct cgroup_part above)
{
	static const char users[] = "/user.slice/";
	struct cgroup_container outer;

	if (above.n >= sizeof(users) - 1 && !memcmp(above.s, users, sizeof(users) - 1))
		return CONTAINER_BY_USERS_PATH;
	return cgroup_find_container(above, &outer) ? CONTAINER_BY_USERS_PATH : CONTAINER_BY_PATH;
}

/* The path says better whose the container is than the state of the runtime that has made it does. */
static int set_runtime(struct container *c, const char *runtime)
{
	if (!runtime)
		return 0;
	free(c->words.runtime);
	c->words.runtime = NULL;
	return container_word_set(&c->words.runtime, runtime);
}

/* Adds the container that a path tells, when it is new. */
static int add_path(struct container_list *l, const struct cgroup_line *line, const struct cgroup_container *found)
{
	const struct cgroup_part group = { line->path.s, found->end };
	_cleanup_free_ char *id = cgroup_unescape(found->id);
	struct container *known = by_group(l, line->hierarchy, group);
	struct container c = { .proof = proof_of_path((struct cgroup_part){ group.s, found->start }),
			       .hierarchy = hierarchy_name(l, line->hierarchy) };

	if (known)
		return set_runtime(known, found->runtime);
	if (!id)
		return -ENOMEM;
	if (!c.hierarchy || strlen(id) > CONTAINER_WORD_MAX)
		return 0;
	c.cgroup = strndup(group.s, group.n);
	if (!c.cgroup || set_runtime(&c, found->runtime)) {
		container_deinit(&c);
		return -ENOMEM;
	}
	c.id = take_ptr(id);
	return add(l, &c);
}

/* The innermost container whose group the first `*end` bytes of the line's path lead into; `*end` is then where the
 * path above that group ends. NULL: there is none. */
static struct container *innermost(const struct container_list *l, const struct cgroup_line *line, size_t *end)
{
	struct cgroup_part path = { line->path.s, *end };
	struct container *c = NULL;

	while (!c && path.n > 1) {
		c = by_group(l, line->hierarchy, path);
		while (path.n > 1 && path.s[--path.n] != '/')
			;
	}
	*end = path.n;
	return c;
}

static int add_process(struct container_list *l, uint64_t pid)
{
	_cleanup_free_ char *text = NULL;
	struct cgroup_container found;
	struct cgroup_line line;
	struct container *c;
	char name[64];
	int r;

	snprintf(name, sizeof(name), "/proc/%llu/cgroup", (unsigned long long)pid);
	r = host_read(l->root, name, &text, NULL);
	if (r)
		return r == -ENOMEM ? r : 0; /* it has ended */
	if (cgroup_best_line(text, &line))
		for (struct cgroup_part path = line.path; !r && cgroup_find_container(path, &found);
		     path.n = found.start)
			r = add_path(l, &line, &found);
	for (const char *at = text; !r && cgroup_next_line(&at, &line);) {
		size_t end = line.path.n;

		while (!r && (c = innermost(l, &line, &end)))
			r = add_pid(c, pid);
	}
	return r;
}

static int add_processes(struct container_list *l)
{
	struct number_vec pids = { 0 };
	int r = host_pids(l->root, &pids);

	vec_foreach(pid, &pids)
		r = r ?: add_process(l, *pid);
	vec_free(&pids);
	return r;
}

/* -- all ---------------------------------------------------------------------------------------- */

static void drop_those_without_processes(struct container_list *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (l->items[i].pids.n)
			l->items[kept++] = l->items[i];
		else
			container_deinit(&l->items[i]);
	}
	l->n = kept;
}

static int word_order(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) : !a - !b;
}

static int container_order(const void *a, const void *b)
{
	const struct container *x = a, *y = b;

	return word_order(x->words.namespace, y->words.namespace) ?: word_order(x->words.pod, y->words.pod) ?:
	       word_order(x->words.name, y->words.name) ?: strcmp(x->id, y->id) ?:
	       (int)y->proof - (int)x->proof ?: word_order(x->cgroup, y->cgroup) ?:
	       word_order(x->hierarchy, y->hierarchy);
}

int container_list_find(const char *root, struct container_list *ret, struct err *e)
{
	struct container_list l = { .root = root };
	int r = hierarchies_read(root, &l.hierarchies);

	if (r)
		return err_set(e, r, "the control groups of this host cannot be read: %s", strerror(-r));
	r = add_states(&l) ?: add_processes(&l);
	if (!r) {
		drop_those_without_processes(&l);
		r = container_list_index(&l) ?: container_names_find(&l);
	}
	if (!r && l.n)
		qsort(l.items, l.n, sizeof(*l.items), container_order);
	r = r ?: container_list_index(&l);
	if (r) {
		container_list_deinit(&l);
		return err_set(e, r, "containers cannot be listed: %s", strerror(-r));
	}
	*ret = l;
	return 0;
}

const struct container *container_list_of_text(const struct container_list *l, const char *text)
{
	const struct container *best = NULL;
	struct cgroup_line line;
	int rank = 0;

	while (cgroup_next_line(&text, &line)) {
		size_t end = line.path.n;
		const struct container *c = innermost(l, &line, &end);

		if (c && cgroup_line_rank(&line) > rank) {
			rank = cgroup_line_rank(&line);
			best = c;
		}
	}
	return best;
}

const struct container *container_list_of_path(const struct container_list *l, const char *path)
{
	const struct container *best = NULL;

	vec_foreach(name, &l->hierarchies.names) {
		const struct cgroup_line line = { part_of(*name), part_of(path) };
		size_t end = line.path.n;
		const struct container *c = innermost(l, &line, &end);

		if (c && (!best || strlen(c->cgroup) > strlen(best->cgroup)))
			best = c;
	}
	return best;
}

const struct container *container_list_of_pid(const struct container_list *l, pid_t pid)
{
	_cleanup_free_ char *text = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	return host_read(l->root, path, &text, NULL) ? NULL : container_list_of_text(l, text);
}
