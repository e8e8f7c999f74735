// SPDX-License-Identifier: Apache-2.0
#include "app/report_target.h"
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/strbuf.h"
#include "proc/standstill.h"

#define NS 1000000000LL

/* What all have in common; NULL: they do not agree, or there is nothing. */
static const char *common(const struct tracer *t, const char *(*of)(const struct target *target))
{
	const char *first = t->processes.n ? of(&t->processes.first->target) : NULL;

	process_foreach(p, &t->processes)
		if (!first || !of(&p->target) || strcmp(of(&p->target), first))
			return NULL;
	return first;
}

static const char *comm_of(const struct target *target)
{
	return target->comm;
}

static const char *exe_of(const struct target *target)
{
	return target->exe;
}

static const char *cgroup_of(const struct target *target)
{
	return target->cgroup.path;
}

static const char *container_of(const struct target *target)
{
	return target->cgroup.container;
}

/* In words, which of the targets cannot do anything. */
static int fill_halted(const struct tracer *t, struct arena *arena, struct report *rep)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };

	process_foreach(p, &t->processes) {
		const char *halted = p->state == PROCESS_ENDED ? NULL : standstill_words(p->target.pid);

		if (halted)
			strbuf_addf(&b, "%spid %d is %s", b.n ? ", " : "", (int)p->target.pid, halted);
	}
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

	return names[p->state];
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
		.unseen_ms = p->parent || p->execed_ns ? (double)p->unseen_ns / 1e6 : -1,
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

static int fill_processes(const struct tracer *t, struct arena *arena, struct report *rep)
{
	const struct moment now = { clock_ns(CLOCK_REALTIME), clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_BOOTTIME) };

	rep->target.pids = arena_alloc(arena, (t->processes.n + 1) * sizeof(pid_t));
	rep->target.processes = arena_alloc(arena, (t->processes.n + t->ended.n + 1) *
							  sizeof(*rep->target.processes));
	if (!rep->target.pids || !rep->target.processes)
		return -ENOMEM;
	process_foreach(p, &t->processes) {
		rep->target.pids[rep->target.n_pids++] = p->target.pid;
		rep->target.processes[rep->target.n_processes++] = process_of(t, p, &now);
	}
	fill_ended(t, rep);
	return 0;
}

int report_target_fill(const struct tracer *t, const char *ended, struct arena *arena, struct report *rep)
{
	int r = fill_processes(t, arena, rep);

	rep->target.comm = common(t, comm_of);
	rep->target.exe = common(t, exe_of);
	rep->target.cgroup = common(t, cgroup_of);
	rep->target.container = common(t, container_of);
	rep->target.ended = ended ? ended : tracer_alive(t) ? NULL : "ended";
	return r ? r : fill_halted(t, arena, rep);
}
