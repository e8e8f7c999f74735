// SPDX-License-Identifier: Apache-2.0
#include "runtime/go/turns.h"
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include "base/clock.h"
#include "probe/worker.h"
#include "runtime/go/sites.h"

#define HITS_PS	     4000 /* in each second of the process's CPU time: nearly one percent of it */
#define TURN_NS	     10000000ULL
#define STAY_NS	     100000000ULL /* when it can stay attached */
#define PAUSE_MAX_NS 200000000ULL
#define SHARE_MIN    0.01
#define LATELY	     0.9 /* what is left of an average after another turn */

struct go_turns {
	struct go_turns_probe probe;
	struct attachments attached;
	struct worker worker; /* its lock is for `share`, too */
	double share;	      /* of the process's CPU time that is seen, on average of late */
	clockid_t cpu;	      /* that time */
	/* in a nanosecond while it is attached, on average of late; 0 before the first turn */
	double hits, cpu_ns;
	bool stays; /* attached, as it is not hit often now */
};

struct moment {
	uint64_t wall_ns, cpu_ns, hits;
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
	struct lt_go_seen seen;
	int r = go_samples_seen(t->probe.maps, &seen);

	if (!r && clock_gettime(t->cpu, &cpu))
		r = -ESRCH;
	*ret = (struct moment){
		.wall_ns = clock_now(),
		.cpu_ns = (uint64_t)cpu.tv_sec * 1000000000ULL + (uint64_t)cpu.tv_nsec,
		.hits = seen.hits,
	};
	return r;
}

static void average(double *of, double now)
{
	*of = *of > 0 ? *of * LATELY + now * (1 - LATELY) : now;
}

/* What is seen of the time since `last`, where the turn before ended, if the process is as busy in this one
 * as it was in others. */
static double share_of(const struct go_turns *t, const struct moment *last,
		       const struct moment *begin, double ns)
{
	const double unseen = (double)(begin->cpu_ns - last->cpu_ns);
	const double seen = t->cpu_ns > 0 ? ns * t->cpu_ns : ns;

	return seen / (seen + unseen);
}

/* Looks for a while; `*last`: when it was last looked, and then the end. 0 or a negative errno. */
static int look(struct go_turns *t, struct moment *last)
{
	const uint64_t ns = t->stays ? STAY_NS : TURN_NS;
	struct moment begin, end;
	double share, wall_ns;
	int r = moment_now(t, &begin);

	if (r)
		return r;
	share = share_of(t, last, &begin, (double)ns);
	r = go_samples_set_times(t->probe.maps, go_turns_times(share));
	worker_wait(&t->worker, ns);
	if (!r)
		r = go_samples_set_times(t->probe.maps, 0);
	if (!r)
		r = moment_now(t, &end);
	if (r)
		return r;
	wall_ns = (double)(end.wall_ns - begin.wall_ns);
	average(&t->hits, (double)(end.hits - begin.hits) / wall_ns);
	average(&t->cpu_ns, (double)(end.cpu_ns - begin.cpu_ns + 1) / wall_ns);
	worker_lock(&t->worker);
	average(&t->share, share);
	worker_unlock(&t->worker);
	*last = end;
	return 0;
}

/* How long to wait for the next turn; 0 or less: not at all. That must not depend on what this one has seen,
 * but on what they see on average: else little would be looked at of the times when there is much to see. */
static double pause_ns(const struct go_turns *t)
{
	const double ns = go_turns_period_ns(t->hits * TURN_NS) / t->cpu_ns - TURN_NS;

	return ns > PAUSE_MAX_NS ? PAUSE_MAX_NS : ns;
}

static int attach(struct go_turns *t)
{
	const struct go_turns_probe *p = &t->probe;

	return t->attached.n || t->attached.perf.n
		? 0 : go_sites_attach(p->object->kind, object_program(p->object, p->program), p->pid, p->fd,
				      p->points, &t->attached);
}

/* A turn, and the pause behind it. False: there will be no more. */
static bool take_turn(struct go_turns *t, struct moment *last)
{
	double ns = PAUSE_MAX_NS;
	int r = attach(t);

	if (!r)
		r = look(t, last);
	if (!r)
		ns = pause_ns(t);
	t->stays = ns <= 0;
	if (t->stays)
		return worker_wait(&t->worker, 0);
	attachments_deinit(&t->attached);
	if (r) {
		worker_lock(&t->worker);
		average(&t->share, 0);
		worker_unlock(&t->worker);
	}
	return worker_wait(&t->worker, (uint64_t)ns) && r != -ESRCH;
}

static void *take_turns(void *arg)
{
	struct go_turns *t = arg;
	struct moment last;

	if (!moment_now(t, &last))
		while (take_turn(t, &last))
			;
	return NULL;
}

int go_turns_begin(const struct go_turns_probe *probe, struct attachments *attached, struct go_turns **ret)
{
	struct go_turns *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	*t = (struct go_turns){ .probe = *probe, .attached = *attached };
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
