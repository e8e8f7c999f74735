// SPDX-License-Identifier: Apache-2.0
#include "app/report_target.h"
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/strbuf.h"
#include "proc/standstill.h"
#include "trace/source.h"

#define NS	   1000000000LL
#define HALTED_MAX 8 /* processes that are named */

static const char *comm_of(const struct report_process *p)
{
	return p->comm;
}

static const char *exe_of(const struct report_process *p)
{
	return p->exe;
}

static const char *cgroup_of(const struct report_process *p)
{
	return p->cgroup;
}

static const char *container_of(const struct report_process *p)
{
	return p->container;
}

/* What all that are traced, or have been, have in common; NULL: they do not agree, or there is nothing. */
static const char *common(const struct report *rep, const char *(*of)(const struct report_process *p))
{
	const char *first = NULL;

	for (size_t i = 0; i < rep->target.n_processes; i++) {
		const struct report_process *p = &rep->target.processes[i];

		if (p->refused || p->n_ended)
			continue;
		if (!of(p) || (first && strcmp(of(p), first)))
			return NULL;
		first = of(p);
	}
	return first;
}

/* In words, which of the targets cannot do anything. */
static int fill_halted(const struct tracer *t, struct arena *arena, struct report *rep)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	size_t n = 0;

	process_foreach(p, &t->processes) {
		const char *halted = p->state == PROCESS_ENDED ? NULL : standstill_words(p->target.pid);

		if (halted && n++ < HALTED_MAX)
			strbuf_addf(&b, "%spid %d is %s", b.n ? ", " : "", (int)p->target.pid, halted);
	}
	if (n > HALTED_MAX)
		strbuf_addf(&b, ", and %zu more stand still", n - HALTED_MAX);
	rep->target.halted = arena_strdup(arena, b.s);
	return b.oom || (b.s && !rep->target.halted) ? -ENOMEM : 0;
}

/* One moment by each of the clocks that things are told by. */
struct moment {
	int64_t real, monotonic, boot;
};

static int64_t clock_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * NS + now.tv_nsec;
}

static struct timespec timespec_of(int64_t ns)
{
	return (struct timespec){ ns / NS, ns % NS };
}

static const char *state_of(const struct traced_process *p)
{
	static const char *const names[] = {
		[PROCESS_STARTING] = "starting",
		[PROCESS_TRACED] = "traced",
		[PROCESS_EXECED] = "starting",
		[PROCESS_ENDED] = "ended",
	};

	return p->left ? "left" : names[p->state];
}

/* How long the process has been traced. */
static double seconds_of(const struct tracer *t, const struct traced_process *p, const struct moment *now)
{
	uint64_t end_ns = t->stop_ns ? t->stop_ns : (uint64_t)now->monotonic;
	uint64_t begin_ns = p->begun_ns > t->start_ns ? p->begun_ns : t->start_ns;

	if (p->ended_ns && p->ended_ns < end_ns)
		end_ns = p->ended_ns;
	if (!p->begun_ns || !t->start_ns)
		return -1;
	return end_ns > begin_ns ? (double)(end_ns - begin_ns) / NS : 0;
}

static struct report_process process_of(const struct tracer *t, const struct traced_process *p,
					const struct moment *now)
{
	const struct target *target = &p->target;
	int64_t started = (int64_t)target->start_ticks * (NS / sysconf(_SC_CLK_TCK));
	struct report_process ret = {
		.pid = target->pid,
		.ns_pid = target->ns_pid,
		.comm = target->comm,
		.exe = target->exe,
		.cgroup = target->cgroup.path,
		.container = target->cgroup.container,
		.state = state_of(p),
		.started = timespec_of(now->real - now->boot + started),
		.seconds = seconds_of(t, p, now),
		.unseen_ms = p->parent || p->execed_ns || p->late ? (double)p->unseen_ns / 1e6 : -1,
	};

	if (p->ended_ns)
		ret.ended = timespec_of(now->real - now->monotonic + (int64_t)p->ended_ns);
	return ret;
}

/* Of those that have ended and are only counted. */
static void fill_ended(const struct tracer *t, struct report *rep)
{
	for (size_t i = 0; i < t->ended.n; i++)
		rep->target.processes[rep->target.n_processes++] = (struct report_process){
			.pid = (pid_t)(BOOKS_GROUP | i),
			.n_ended = t->ended.items[i].n,
			.comm = t->ended.items[i].comm,
			.state = "ended",
			.seconds = -1,
			.unseen_ms = -1,
		};
}

/* What is known of the container that the process is in. */
static int fill_container(const struct members *m, struct arena *arena, struct report_process *p)
{
	const struct container *c = m && p->cgroup ? container_list_of_path(&m->containers, p->cgroup) : NULL;
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };

	if (!c)
		return 0;
	container_label(c, &b);
	p->container = c->id;
	p->container_name = b.oom ? NULL : arena_strdup(arena, b.s);
	return p->container_name ? 0 : -ENOMEM;
}

static struct report_process refused_of(const struct members *m, const struct refusal *f)
{
	return (struct report_process){
		.pid = f->who.pid,
		.comm = f->who.comm,
		.exe = f->who.exe,
		.cgroup = f->who.cgroup.path,
		.container = f->who.cgroup.container,
		.state = "refused",
		.refused = true,
		.why = m->refusals.reasons.items[f->reason - 1].why,
		.seconds = -1,
		.unseen_ms = -1,
	};
}

static int add_process(const struct members *m, struct arena *arena, const struct report_process *p,
		       struct report *rep)
{
	struct report_process *to = &rep->target.processes[rep->target.n_processes++];

	*to = *p;
	return fill_container(m, arena, to);
}

static int fill_processes(const struct tracer *t, const struct members *m, struct arena *arena, struct report *rep)
{
	const struct moment now = { clock_ns(CLOCK_REALTIME), clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_BOOTTIME) };
	const size_t n = t->processes.n + t->ended.n + (m ? m->refusals.n : 0) + 1;
	int r = 0;

	rep->target.pids = arena_alloc(arena, n * sizeof(pid_t));
	rep->target.processes = arena_alloc(arena, n * sizeof(*rep->target.processes));
	if (!rep->target.pids || !rep->target.processes)
		return -ENOMEM;
	process_foreach(p, &t->processes) {
		const struct report_process row = process_of(t, p, &now);

		rep->target.pids[rep->target.n_pids++] = p->target.pid;
		r = r ?: add_process(m, arena, &row, rep);
	}
	for (size_t i = 0; m && i < m->refusals.n; i++) {
		const struct refusal *f = &m->refusals.items[i];
		const struct report_process row = f->reason ? refused_of(m, f) : (struct report_process){ 0 };

		if (f->reason)
			r = r ?: add_process(m, arena, &row, rep);
	}
	fill_ended(t, rep);
	return r;
}

/* Of how many the memory is not traced, although they are. */
static size_t n_without_allocator(const struct tracer *t)
{
	size_t n = 0;

	process_foreach(p, &t->processes)
		n += p->begun && !p->allocator && !(sources_begun(p) & LT_KINDS_MEMORY);
	return t->options.kinds >> LT_KIND_MEMORY & 1 ? n : 0;
}

/* Whoever is in the scope, and in the report only in part, or not at all. */
static int fill_untraced(const struct tracer *t, const struct members *m, struct arena *arena,
			 struct report_coverage *c)
{
	const size_t n = n_without_allocator(t);

	c->untraced = arena_alloc(arena, (m->refusals.reasons.n + 1) * sizeof(*c->untraced));
	if (!c->untraced)
		return -ENOMEM;
	vec_foreach(reason, &m->refusals.reasons)
		if (reason->count)
			c->untraced[c->n_untraced++] = (struct report_untraced){ "process", reason->why, reason->count };
	if (n)
		c->untraced[c->n_untraced++] = (struct report_untraced){
			"memory", "no known allocator (glibc, jemalloc) is mapped", n };
	return 0;
}

static void fill_scope(const struct members *m, struct report_scope *ret)
{
	const struct options *o = m->options;

	ret->kind = o->all ? "all" : o->cgroups.n ? "cgroup" : "container";
	ret->names = o->cgroups.n ? o->cgroups.items : o->containers.items;
	ret->n_names = o->cgroups.n + o->containers.n;
	ret->words = m->words;
}

/* In words; NULL: it goes on. */
static const char *how_ended(const struct tracer *t, const struct members *m)
{
	return m ? members_ended(m, t) : tracer_alive(t) ? NULL : "ended";
}

int report_target_fill(const struct tracer *t, const struct members *m, const char *ended, struct arena *arena,
		       struct report *rep)
{
	int r = fill_processes(t, m, arena, rep);

	if (m) {
		fill_scope(m, &rep->target.scope);
		r = r ?: fill_untraced(t, m, arena, &rep->coverage);
	}
	rep->target.comm = common(rep, comm_of);
	rep->target.exe = common(rep, exe_of);
	rep->target.cgroup = common(rep, cgroup_of);
	rep->target.container = common(rep, container_of);
	rep->target.ended = ended ? ended : how_ended(t, m);
	return r ? r : fill_halted(t, arena, rep);
}
