// SPDX-License-Identifier: Apache-2.0
#include "probe/go_turns.h"
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include "base/clock.h"
#include "probe/go_sites.h"
#include "probe/worker.h"

#define HITS_PS	     5000 /* in each second of the process's CPU time: about one percent of it */
#define TURN_NS	     10000000ULL /* at least */
#define CYCLES_MAX   16		 /* in a turn, and one */
#define CYCLE_MAX_NS 250000000.0
#define CYCLE_HITS   20000 /* at most, to look from one garbage collection to another */
#define STAY_NS	     100000000ULL /* when it can stay attached */
#define STEP_NS	     1000000ULL
#define STEPS	     16 /* of a garbage collection */
#define PAUSE_MAX_NS 2000000000ULL
#define SHARE_MIN    0.01
#define LATELY	     0.75 /* what is left of an average after another turn */
#define STEADILY     0.9

struct go_turns {
	struct go_turns_probe probe;
	struct attachments attached;
	struct worker worker; /* its lock is for `share`, too */
	double share;	   /* of the time that is seen, on average of late */
	clockid_t cpu;	   /* the process's CPU time */
	/* of late: how long from one garbage collection to the next */
	struct {
		double ns, cycles;
	} passed;
	double rate; /* hits in a nanosecond while it is attached */
	bool stays; /* attached, as it is not hit often now */
};

struct moment {
	uint64_t wall_ns, cpu_ns;
	uint32_t hits, generation;
};

double go_turns_period_ns(double hits)
{
	return hits * 1e9 / HITS_PS;
}

uint16_t go_turns_times(double share)
{
	return (uint16_t)(LT_GO_ONCE / (share < SHARE_MIN ? SHARE_MIN : share > 1 ? 1 : share));
}

static int moment_now(struct go_turns *t, struct moment *ret)
{
	struct timespec cpu = { 0 };
	struct lt_go_heap row;
	int r = go_samples_row(t->probe.maps, &row);

	if (r)
		return r;
	clock_gettime(t->cpu, &cpu);
	ret->wall_ns = clock_now();
	ret->cpu_ns = (uint64_t)cpu.tv_sec * 1000000000ULL + (uint64_t)cpu.tv_nsec;
	ret->hits = row.hits;
	return go_spans_generation(t->probe.rt, &ret->generation);
}

static double cycle_of(const struct go_turns *t)
{
	return t->passed.cycles > 0 ? t->passed.ns / t->passed.cycles : 1e18;
}

/* Waits until so many garbage collections more have been, or it takes too long: false. */
static bool await_cycles(struct go_turns *t, uint32_t n)
{
	const uint64_t until = clock_now() + (n + 1) * (uint64_t)CYCLE_MAX_NS;
	const uint64_t step = (uint64_t)(cycle_of(t) / STEPS) + STEP_NS;
	uint32_t from, now;

	if (go_spans_generation(t->probe.rt, &from))
		return false;
	do {
		if (!worker_wait(&t->worker, step) || clock_now() > until ||
		    go_spans_generation(t->probe.rt, &now))
			return false;
	} while (now - from < 2 * n);
	return true;
}

/*
 * Looks, from one moment to another; `last`: when it was last looked. How much is allocated from one garbage
 * collection to the next hardly changes, unlike how much in the same time. So it is looked at
 * from one to another; or for some time, if they are rare. 0 or a negative errno.
 */
static int look(struct go_turns *t, const struct moment *last, struct moment *ret_end)
{
	const double cycle = cycle_of(t), ns = t->stays ? STAY_NS : TURN_NS;
	const uint32_t n = (uint32_t)(TURN_NS / (cycle + TURN_NS / CYCLES_MAX)) + 1;
	bool by_cycles = cycle < CYCLE_MAX_NS && t->rate > 0 && t->rate * cycle < CYCLE_HITS &&
			 await_cycles(t, 1);
	struct moment begin;
	double all, seen;
	int r = moment_now(t, &begin);

	if (r)
		return r;
	seen = by_cycles ? 2 * n : ns;
	all = seen + (by_cycles ? begin.generation - last->generation : (double)(begin.cpu_ns - last->cpu_ns));
	go_samples_set_times(t->probe.maps, go_turns_times(seen / all));
	if (!by_cycles)
		worker_wait(&t->worker, (uint64_t)ns);
	else
		await_cycles(t, n);
	go_samples_set_times(t->probe.maps, 0);
	r = moment_now(t, ret_end);
	t->passed.ns = t->passed.ns * LATELY + (double)(ret_end->wall_ns - last->wall_ns);
	t->passed.cycles = t->passed.cycles * LATELY + (ret_end->generation - last->generation) / 2.0;
	worker_lock(&t->worker);
	t->share = t->share < 1 ? t->share * LATELY + seen / all * (1 - LATELY) : seen / all;
	worker_unlock(&t->worker);
	return r;
}

/* How long to wait for the next turn, when there was one from `begin` to `end`; 0 or less: not at all. That
 * must not depend on what the turn itself has seen, but on what they see on average: else little would be
 * looked at of the times when there is much to see. */
static double pause_ns(struct go_turns *t, const struct moment *begin, const struct moment *end)
{
	const double wall_ns = (double)(end->wall_ns - begin->wall_ns);
	const double use = (double)(end->cpu_ns - begin->cpu_ns + 1) / wall_ns;
	const double hits = (end->hits - begin->hits) / wall_ns;
	double ns;

	t->rate = t->rate > 0 ? t->rate * STEADILY + hits * (1 - STEADILY) : hits;
	ns = go_turns_period_ns(t->rate * wall_ns) / use - wall_ns;
	return ns > PAUSE_MAX_NS ? PAUSE_MAX_NS : ns;
}

static int attach(struct go_turns *t)
{
	const struct go_turns_probe *p = &t->probe;

	return t->attached.n || t->attached.perf.n
		? 0 : go_sites_attach(p->object->kind, object_program(p->object, p->program), p->pid, p->fd,
				      p->points, &t->attached);
}

/* A turn that began then, and the pause behind it: whether to go on. `*last`: its end. */
static bool take_turn(struct go_turns *t, struct moment *begin, struct moment *last)
{
	struct moment end;
	double ns;

	if (attach(t) || look(t, last, &end))
		return false;
	*last = end;
	ns = pause_ns(t, begin, &end);
	t->stays = ns <= 0;
	if (t->stays) {
		*begin = end;
		return worker_wait(&t->worker, 0);
	}
	attachments_deinit(&t->attached);
	return worker_wait(&t->worker, (uint64_t)ns) && !moment_now(t, begin);
}

static void *take_turns(void *arg)
{
	struct go_turns *t = arg;
	struct moment begin, last;

	if (!moment_now(t, &begin)) {
		last = begin;
		while (take_turn(t, &begin, &last))
			;
	}
	return NULL;
}

int go_turns_begin(const struct go_turns_probe *probe, uint64_t cycle_ns, struct attachments *attached,
		   struct go_turns **ret)
{
	struct go_turns *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	*t = (struct go_turns){ .probe = *probe, .attached = *attached, .share = 1,
				.passed = { (double)cycle_ns, 1 } };
	r = -clock_getcpuclockid(probe->pid, &t->cpu);
	if (!r)
		r = worker_start(&t->worker, take_turns, t);
	if (r) {
		free(t);
		return r;
	}
	*attached = (struct attachments){ 0 };
	*ret = t;
	return 0;
}

void go_turns_end(struct go_turns *t, struct attachments *ret)
{
	if (!t)
		return;
	worker_stop(&t->worker);
	attachments_move(&t->attached, ret);
	attachments_deinit(&t->attached);
	free(t);
}

double go_turns_share(struct go_turns *t)
{
	double share;

	worker_lock(&t->worker);
	share = t->share;
	worker_unlock(&t->worker);
	return share;
}
