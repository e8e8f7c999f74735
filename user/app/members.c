// SPDX-License-Identifier: Apache-2.0
#include "app/members.h"
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "app/remedy.h"
#include "base/clock.h"
#include "base/strbuf.h"
#include "trace/sharers.h"

#define LOOK_NS	   100000000ULL /* between two looks, ... */
#define LOOK_SHARE 20		/* ... or that many times as long as the last one took */
#define ADD_NS	   100000000ULL /* spent on adding before others have their turn */
#define LIST_NS	   10000000000ULL /* between two lists of containers */
#define NS	   1000000000LL

/* -- the scope -------------------------------------------------------------------------------- */

static int join_cgroup(struct members *m, const char *path, struct err *e)
{
	struct scope s;
	int r = scope_of_cgroup(&m->containers.hierarchies, path, &s, e);

	if (r)
		return r;
	r = scope_join(&m->scope, &s);
	scope_deinit(&s);
	return r;
}

static int join_container(struct members *m, const char *name, struct err *e)
{
	struct container_choice chosen = { 0 };
	struct scope s = { 0 };
	int r = container_list_choose(&m->containers, name, &chosen, e);

	if (!r)
		r = scope_of_containers(&m->containers.hierarchies, &chosen, &s, e);
	if (!r)
		r = scope_join(&m->scope, &s);
	scope_deinit(&s);
	vec_free(&chosen);
	return r;
}

static void add_words(struct strbuf *b, const char *one, const char *many, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		strbuf_addf(b, "%s%s", i ? ", " : n > 1 ? many : one, names[i]);
}

static int find_words(struct members *m)
{
	const struct options *o = m->options;
	struct strbuf b = { 0 };

	add_words(&b, "cgroup ", "cgroups ", o->cgroups.items, o->cgroups.n);
	add_words(&b, "container ", "containers ", o->containers.items, o->containers.n);
	if (o->all)
		strbuf_adds(&b, "all processes");
	m->words = strbuf_steal(&b);
	return m->words ? 0 : -ENOMEM;
}

int members_open(const struct options *o, struct members *ret, struct err *e)
{
	struct members m = { .options = o };
	int r = container_list_find("", &m.containers, e);

	if (!r)
		m.scope = o->all ? scope_of_all("") : (struct scope){ .root = "" };
	if (!r)
		r = find_words(&m);
	vec_foreach(path, &o->cgroups)
		r = r ?: join_cgroup(&m, *path, e);
	vec_foreach(name, &o->containers)
		r = r ?: join_container(&m, *name, e);
	if (r) {
		members_deinit(&m);
		return r;
	}
	scope_look(&m.scope);
	*ret = m;
	return 0;
}

void members_deinit(struct members *m)
{
	scope_deinit(&m->scope);
	container_list_deinit(&m->containers);
	refusals_deinit(&m->refusals);
	free(m->words);
	*m = (struct members){ 0 };
}

/* -- one process ------------------------------------------------------------------------------ */

/* Whether it is a process of its own, and none of ours. One that is about to run exec shares its parent's memory till
 * then, and the parent's books. */
static bool is_member(const struct task_stat *t)
{
	const pid_t own = getpid();

	return !task_stat_is_kernels(t) && !task_stat_ended(t) && t->pid != own && t->ppid != own &&
	       !(t->ppid && sharers_are(t->pid, t->ppid));
}

/* When the process began, CLOCK_MONOTONIC, to a tick. */
static uint64_t began_ns(const struct target *target)
{
	struct timespec boot;
	int64_t ns = (int64_t)target->start_ticks * (NS / sysconf(_SC_CLK_TCK));

	clock_gettime(CLOCK_BOOTTIME, &boot);
	ns -= boot.tv_sec * NS + boot.tv_nsec - (int64_t)clock_now();
	return ns > 0 ? (uint64_t)ns : 1;
}

/* Of one that has begun since tracing did: how long that has gone on unseen. */
static void tell_unseen(const struct tracer *t, struct traced_process *p)
{
	const uint64_t ns = began_ns(&p->target);

	if (!t->start_ns || ns < t->start_ns)
		return;
	p->late = true;
	p->unseen_ns = p->begun_ns > ns ? p->begun_ns - ns : 0;
}

static int add(struct tracer *t, pid_t pid, struct err *why)
{
	struct target target;
	int r = target_open(pid, &target, why);

	if (r)
		return r;
	r = tracer_add_member(t, &target, why);
	if (r)
		target_deinit(&target);
	else
		tell_unseen(t, process_table_find(&t->processes, pid));
	return r;
}

/* What is in the scope and not traced: adds it, or puts down why that could not be. */
static int meet(struct members *m, struct tracer *t, pid_t pid)
{
	struct err why = { "" };
	struct task_stat stat;
	int r = task_stat_read(pid, &stat);

	if (r)
		return 0; /* it has gone */
	if (!is_member(&stat))
		return refusals_put(&m->refusals, pid, NULL, clock_now());
	r = add(t, pid, &why);
	if (!r || r == -EEXIST) {
		m->came |= t->start_ns != 0;
		refusals_drop(&m->refusals, pid);
		return 0;
	}
	if (task_stat_read(pid, &stat) || task_stat_ended(&stat)) /* of a child of a traced one BPF tells */
		return process_table_find(&t->processes, stat.ppid) ? 0
			       : refusals_count(&m->refusals, "it ended before it could be traced");
	err_complete(&why, r, "it cannot be traced");
	remedy_add(m->options, &why, r);
	return refusals_put(&m->refusals, pid, why.text, clock_now());
}

/* -- all of them ------------------------------------------------------------------------------ */

/* Whether they were all dealt with before the time was over. */
static int meet_all(struct members *m, struct tracer *t, const struct number_vec *pids, uint64_t until_ns)
{
	vec_foreach(pid, pids) {
		const struct refusal *refused = refusals_find(&m->refusals, (pid_t)*pid);
		const uint64_t now_ns = clock_now();
		int r;

		if (now_ns >= until_ns)
			return 0;
		if (process_table_find(&t->processes, (pid_t)*pid) || (refused && refused->again_ns > now_ns))
			continue;
		r = meet(m, t, (pid_t)*pid);
		if (r)
			return r;
	}
	return 1;
}

static bool has_left(const struct members *m, const struct traced_process *p, const struct number_vec *pids)
{
	const uint64_t pid = (uint64_t)p->target.pid;
	struct task_stat stat;

	if (p->state == PROCESS_ENDED || number_vec_has(pids, pid) || scope_has(&m->scope, p->target.pid))
		return false;
	/* whoever ends is moved to the top of some hierarchies */
	return !task_stat_read(p->target.pid, &stat) && !task_stat_is_ending(&stat);
}

/* Those who are not listed any more are asked for: one who was just moved from one group of the scope into another may
 * be in neither of the lists. */
static void release_those_who_left(struct members *m, struct tracer *t, const struct number_vec *pids)
{
	if (m->scope.all)
		return;
	process_foreach(p, &t->processes)
		if (has_left(m, p, pids))
			tracer_release(t, p);
}

static int look(struct members *m, struct tracer *t, uint64_t add_ns, struct err *e)
{
	const uint64_t began = clock_now();
	struct number_vec pids = { 0 };
	uint64_t took, between;
	int r = scope_members(&m->scope, &pids);

	took = clock_now() - began;
	between = took * LOOK_SHARE > LOOK_NS ? took * LOOK_SHARE : LOOK_NS;
	if (!r) {
		release_those_who_left(m, t, &pids);
		refusals_keep(&m->refusals, &pids);
		r = meet_all(m, t, &pids, add_ns ? clock_now() + add_ns : UINT64_MAX);
		m->look_ns = r ? clock_now() + between : 0;
	}
	vec_free(&pids);
	if (r >= 0)
		scope_look(&m->scope);
	return r < 0 ? err_set(e, r, "who is in %s cannot be found out: %s", m->words, strerror(-r)) : 0;
}

int members_begin(struct members *m, struct tracer *t, struct err *e)
{
	return look(m, t, 0, e);
}

int members_look(struct members *m, struct tracer *t, struct err *e)
{
	int r = clock_now() < m->look_ns ? 0 : look(m, t, ADD_NS, e);

	return r == -ENOMEM ? r : 0; /* it is tried again: with too many files open, those who end leave room */
}

bool members_want(void *members, pid_t pid)
{
	const struct members *m = members;

	return scope_has(&m->scope, pid) != 0; /* one that is gone is dealt with by whoever asks */
}

void members_list_containers(struct members *m)
{
	struct container_list l;
	struct err why;

	if (!m->came || clock_now() < m->list_ns)
		return;
	m->list_ns = clock_now() + LIST_NS;
	if (container_list_find("", &l, &why))
		return;
	container_list_deinit(&m->containers);
	m->containers = l;
	m->came = false;
}

bool members_over(const struct members *m, const struct tracer *t)
{
	return scope_has_gone(&m->scope) && !tracer_alive(t);
}

const char *members_ended(const struct members *m, const struct tracer *t)
{
	if (!members_over(m, t))
		return NULL;
	if (m->options->containers.n)
		return m->options->containers.n > 1 ? "the containers have gone" : "the container has gone";
	return m->scope.n > 1 ? "the control groups were removed" : "the control group was removed";
}
