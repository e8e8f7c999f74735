// SPDX-License-Identifier: Apache-2.0
#include "probe/cost.h"
#include <leaktrace/system.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/clock.h"
#include "probe/self.h"

#define CALLS  100
#define ROUNDS 10
#define ON_NS  50000000ULL
#define OFF_NS 950000000ULL
#define QUIET_NS 200000000ULL /* when nothing ran that was to be measured, once the first second is over */
#define ENOUGH_RUNS 10000
#define TYPICAL_NS 1000 /* of a program at a probe, where not one of its runs was measured */

SELF_FUNCTION(call_emulated, "push %rbp\n\tpop %rbp\n\tret")
SELF_FUNCTION(call_stepped, "test %rdi, %rdi\n\tret")
SELF_FUNCTION(call_returning, "push %rbp\n\tpop %rbp\n\tret")

struct measured {
	void (*call)(void);
	double ns;
};

/* The best of some rounds: what is over that is somebody else's. */
static void *measure_all(void *arg)
{
	for (struct measured *m = arg; m->call; m++) {
		for (int round = 0; round < ROUNDS; round++) {
			uint64_t start = clock_now();
			double ns;

			for (int i = 0; i < CALLS; i++)
				m->call();
			ns = (double)(clock_now() - start) / CALLS;
			if (!round || ns < m->ns)
				m->ns = ns;
		}
	}
	return NULL;
}

static int measure_in_thread(struct measured *m)
{
	pthread_t thread;
	int r = -pthread_create(&thread, NULL, measure_all, m);

	if (!r)
		pthread_join(thread, NULL);
	return r;
}

/*
 * Once with statistics, for the programs' time, and once without, for that of the calls: what the
 * statistics cost is then in no trap's cost, and the part of it that they count as the programs' is
 * taken off here as it is added when programs are measured in earnest.
 */
static int measure_attached(const struct object *o, struct measured *m, double *ret_program_ns)
{
	struct bpf_run_stats before, after;
	int r = object_run_stats(o, &before), stats;

	*ret_program_ns = 0; /* not known: then nothing is, see cost_meter_ns() */
	if (r)
		return r;
	stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (stats < 0) /* without CAP_SYS_ADMIN; kernels with sessions do see the hits of all threads */
		return o->kind->session ? 0 : -errno;
	r = measure_in_thread(m);
	close(stats);
	if (!r)
		r = object_run_stats(o, &after);
	if (r)
		return r;
	if (after.runs - before.runs < 4 * ROUNDS * CALLS)
		return -ENOTSUP;
	*ret_program_ns = (double)(after.ns - before.ns) / (double)(after.runs - before.runs);
	return measure_in_thread(m);
}

int trap_cost_measure(const struct object *o, struct attachments *links, struct trap_cost *ret)
{
	struct measured m[] = { { .call = call_emulated }, { .call = call_stepped },
				{ .call = call_returning }, { NULL, 0 } };
	struct attach_point points[3] = { { 0 } };
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct attach_request rq = { .pid = getpid(), .fd = fd, .points = points, .n = 3 };
	double program_ns = 0;
	int r = fd < 0 ? -errno : 0;

	for (int i = 0; i < 3 && !r; i++)
		r = self_function_offset(fd, m[i].call, &points[i].offset);
	points[2].returns = true;
	if (!r)
		r = o->kind->attach(&o->memory, &rq, links);
	if (!r)
		r = measure_attached(o, m, &program_ns);
	if (r)
		return r;
	ret->emulated = m[0].ns - program_ns;
	ret->stepped = m[1].ns - program_ns;
	ret->returning = m[2].ns - m[0].ns - program_ns;
	return 0;
}

static void call_getppid(void)
{
	syscall(SYS_getppid);
}

double syscall_time_measure(void)
{
	double best = 0;

	for (int i = 0; i < ROUNDS; i++) { /* it is short: others disturb many of the rounds */
		struct measured m[] = { { .call = call_getppid }, { NULL, 0 } };

		measure_all(m);
		best = !i || m[0].ns < best ? m[0].ns : best;
	}
	return best;
}

/* What the programs take that a system call of this thread passes, by statistics that are on; 0: not known. */
static double syscall_programs_ns(const struct object *o)
{
	struct bpf_run_stats before, after;

	if (object_syscall_run_stats(o, &before))
		return 0;
	syscall_time_measure();
	if (object_syscall_run_stats(o, &after) || after.runs == before.runs)
		return 0;
	return 2 * (double)(after.ns - before.ns) / (double)(after.runs - before.runs);
}

static double at_least(double ns, double least)
{
	return ns > least ? ns : least;
}

/* While we are traced ourselves, no descriptor may come or go: it would be in the books. */
void syscall_cost_measure(const struct object *o, double before_ns, double *ret_untraced, double *ret_traced)
{
	double untraced = syscall_time_measure() - before_ns, traced;
	int stats;

	object_trace_self(o, true);
	traced = syscall_time_measure() - before_ns;
	object_trace_self(o, false);
	stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (stats >= 0) {
		untraced = at_least(untraced, syscall_programs_ns(o));
		object_trace_self(o, true);
		traced = at_least(traced, syscall_programs_ns(o));
		object_trace_self(o, false);
		close(stats);
	}
	*ret_untraced = at_least(untraced, 0);
	*ret_traced = at_least(traced, 0);
}

void cost_meter_init(struct cost_meter *m, const struct trap_cost *trap)
{
	*m = (struct cost_meter){ .trap = *trap, .stats_fd = -1 };
}

/* How many events have been timed so far. */
static uint64_t timed(const struct object *o)
{
	struct bpf_counters c;

	return object_counters(o, &c) ? 0 : c.n[LT_COUNT_TIMED];
}

static void cost_meter_off(struct cost_meter *m, const struct object *o)
{
	struct bpf_run_stats after;

	if (m->stats_fd < 0)
		return;
	if (!object_run_stats(o, &after)) {
		uint64_t runs = after.runs - m->before.runs, passed = after.passed - m->before.passed;

		/* those that did nothing are a part of what the hits beside them cost */
		m->runs += runs > passed ? runs - passed : 0;
		m->ns += after.ns - m->before.ns;
	}
	close(m->stats_fd);
	m->stats_fd = -1;
}

/* So long the statistics are off after a moment in which `runs` were measured; 0: not at all. */
static uint64_t pause_ns(const struct cost_meter *m, const struct object *o, uint64_t now_ns, uint64_t runs)
{
	if (m->runs + timed(o) >= ENOUGH_RUNS)
		return OFF_NS;
	return runs || now_ns < m->began_ns + ON_NS + OFF_NS ? 0 : QUIET_NS;
}

/*
 * The kernel's statistics cost each run of any BPF program, and so, where all system calls are hooked, each
 * call of every process about as much as the hooks do. So they are not left on until something happens.
 * Events are timed at the cost of those that are timed, so that few of them can all be.
 */
void cost_meter_tick(struct cost_meter *m, const struct object *o, uint64_t now_ns)
{
	if (now_ns < m->switch_ns)
		return;
	if (!m->began_ns)
		m->began_ns = now_ns;
	if (m->stats_fd >= 0) {
		uint64_t before = m->runs, pause;

		cost_meter_off(m, o);
		pause = pause_ns(m, o, now_ns, m->runs - before);
		object_time_events(o, pause != OFF_NS);
		m->switch_ns = now_ns + pause;
		if (pause)
			return;
	}
	if (object_run_stats(o, &m->before))
		return;
	m->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	object_time_events(o, m->stats_fd >= 0);
	m->timed |= m->stats_fd >= 0;
	m->switch_ns = now_ns + ON_NS;
}

void cost_meter_stop(struct cost_meter *m, const struct object *o)
{
	cost_meter_off(m, o);
	object_time_events(o, false);
	m->switch_ns = UINT64_MAX;
}

/*
 * What a run of a program takes; < 0: not known. Those at probes and at hooks do much the same: if none
 * of the few runs of the one sort was measured, the other stands for it.
 */
static double run_ns(const struct cost_meter *m, const struct bpf_counters *c, bool at_hook)
{
	uint64_t timed = c->n[LT_COUNT_TIMED];
	double hook_ns = timed ? (double)c->n[LT_COUNT_TIMED_NS] / (double)timed : -1;
	double probe_ns = m->runs ? (double)m->ns / (double)m->runs : -1;

	if (at_hook ? timed : !m->runs && timed)
		return hook_ns;
	if (m->runs)
		return probe_ns;
	if (!m->timed)
		return -1;
	return at_hook ? LT_EVENT_MAX_NS : TYPICAL_NS; /* all took longer at hooks: a slow machine */
}

static double cost_of_probes(const struct cost_meter *m, const struct bpf_counters *c)
{
	double hits = (double)c->n[LT_COUNT_HITS], stepped = (double)c->n[LT_COUNT_STEPPED];
	double returns = (double)c->n[LT_COUNT_RETURNS], ns = run_ns(m, c, false);

	if (ns < 0 || !hits)
		return hits > 0 ? -1 : 0;
	return (hits - stepped) * m->trap.emulated + stepped * m->trap.stepped +
	       returns * m->trap.returning + (hits + returns) * ns;
}

static double cost_of_hooks(const struct cost_meter *m, const struct bpf_counters *c)
{
	double events = (double)c->n[LT_COUNT_EVENTS], ns = run_ns(m, c, true);

	if (ns < 0 && events > 0)
		return -1;
	return (events > 0 ? events * ns : 0) +
	       (events + (double)c->n[LT_COUNT_SYSCALLS]) * m->traced_syscall_ns;
}

double cost_meter_ns(const struct cost_meter *m, const struct bpf_counters *c)
{
	double probes = cost_of_probes(m, c), hooks = cost_of_hooks(m, c);

	return probes < 0 || hooks < 0 ? -1 : probes + hooks;
}
