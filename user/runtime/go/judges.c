// SPDX-License-Identifier: Apache-2.0
#include "runtime/go/judges.h"
#include <errno.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/vec.h"
#include "probe/worker.h"

/* From the end of a pass to the next one of the same program: as long as there is something to be certain of, and when
 * there is not. */
#define OPEN_NS	 200000000ULL
#define CALM_NS	 5000000000ULL
/* One part of so many is what passes take of a CPU: of a program that is new, until they may agree, and later. */
#define SHARE_FIRST 2
#define PASSES_FIRST 8
#define SHARE	 10
#define LOOK_NS	 50000000ULL /* at who is to be looked at */
#define LIMIT_NS 4000000000ULL
#define HEAP_MAX (1ULL << 30)

struct go_judge {
	struct go_judges *judges;
	struct go_runtime *rt;
	struct go_leaks leaks; /* of the thread, with the lock held, until `over` */
	uint64_t due_ns;       /* CLOCK_MONOTONIC */
	bool over;	       /* the thread leaves it alone */
	_Atomic uint64_t cut_ns; /* when the pass that goes on has to end; 0: it may take its time */
};

struct go_judges {
	struct worker worker; /* its lock is for all that follows, too */
	struct {
		VEC_OF(struct go_judge *);
	} all;
	struct go_judge *busy; /* with a pass */
	uint64_t rest_ns;      /* until then, none */
	pthread_cond_t free;   /* it is not busy any more */
};

static struct go_leak_limits limits_until(const _Atomic uint64_t *until_ns)
{
	return (struct go_leak_limits){ .heap = HEAP_MAX, .ns = LIMIT_NS, .until_ns = until_ns };
}

/* -- the thread ------------------------------------------------------------------------------- */

static struct go_judge *choose(const struct go_judges *js, uint64_t now_ns)
{
	struct go_judge *next = NULL;

	if (now_ns < js->rest_ns)
		return NULL;
	vec_foreach(j, &js->all)
		if (!(*j)->over && (*j)->due_ns <= now_ns && (!next || (*j)->due_ns < next->due_ns))
			next = *j;
	return next;
}

/* Without the lock. */
static struct go_pass *pass_over(struct go_judge *j)
{
	const struct go_leak_limits limits = limits_until(&j->cut_ns);
	struct go_pass *pass;
	struct err unwanted;

	return go_leaks_pass(j->rt, &limits, &pass, &unwanted) ? NULL : pass;
}

static void take_pass(struct go_judges *js, struct go_judge *j, struct go_pass *pass, uint64_t began_ns)
{
	const uint64_t now_ns = clock_now();
	uint64_t share;

	if (pass)
		go_leaks_add(&j->leaks, pass);
	share = pass && j->leaks.open && j->leaks.summary.passes < PASSES_FIRST ? SHARE_FIRST : SHARE;
	js->rest_ns = now_ns + (now_ns - began_ns) * (share - 1);
	j->due_ns = now_ns + (pass && j->leaks.open ? OPEN_NS : CALM_NS);
	js->busy = NULL;
	pthread_cond_broadcast(&js->free);
}

static void *judge_all(void *arg)
{
	struct go_judges *js = arg;

	while (worker_wait(&js->worker, LOOK_NS)) {
		const uint64_t now_ns = clock_now();
		struct go_pass *pass;
		struct go_judge *j;

		worker_lock(&js->worker);
		j = js->busy = choose(js, now_ns);
		worker_unlock(&js->worker);
		if (!j)
			continue;
		pass = pass_over(j);
		worker_lock(&js->worker);
		take_pass(js, j, pass, now_ns);
		worker_unlock(&js->worker);
	}
	return NULL;
}

int go_judges_create(struct go_judges **ret)
{
	struct go_judges *js = calloc(1, sizeof(*js));
	int r;

	if (!js)
		return -ENOMEM;
	pthread_cond_init(&js->free, NULL);
	r = worker_start(&js->worker, judge_all, js);
	if (r) {
		pthread_cond_destroy(&js->free);
		free(js);
		return r;
	}
	*ret = js;
	return 0;
}

void go_judges_destroy(struct go_judges *js)
{
	if (!js)
		return;
	worker_stop(&js->worker);
	pthread_cond_destroy(&js->free);
	vec_free(&js->all);
	free(js);
}

/* -- one program ------------------------------------------------------------------------------ */

int go_judges_add(struct go_judges *js, struct go_runtime *rt, struct go_judge **ret)
{
	struct go_judge *j = calloc(1, sizeof(*j));
	int r;

	if (!j)
		return -ENOMEM;
	*j = (struct go_judge){ .judges = js, .rt = rt };
	worker_lock(&js->worker);
	r = vec_push(&js->all, j);
	worker_unlock(&js->worker);
	if (r)
		free(j);
	else
		*ret = j;
	return r;
}

/* With the lock: the thread has nothing to do with it any more. */
static void take_back(struct go_judge *j)
{
	struct go_judges *js = j->judges;

	j->over = true;
	j->cut_ns = 1;
	while (js->busy == j)
		pthread_cond_wait(&js->free, &js->worker.lock);
}

void go_judge_remove(struct go_judge *j)
{
	struct go_judges *js;

	if (!j)
		return;
	js = j->judges;
	worker_lock(&js->worker);
	take_back(j);
	for (size_t i = 0; i < js->all.n; i++) {
		if (js->all.items[i] == j) {
			js->all.items[i] = js->all.items[--js->all.n];
			break;
		}
	}
	worker_unlock(&js->worker);
	go_leaks_deinit(&j->leaks);
	go_runtime_close(j->rt);
	free(j);
}

int go_judge_settle(struct go_judge *j, const _Atomic uint64_t *until_ns, struct err *e)
{
	const struct go_leak_limits limits = limits_until(until_ns);

	worker_lock(&j->judges->worker);
	take_back(j);
	worker_unlock(&j->judges->worker);
	return go_leaks_settle(&j->leaks, j->rt, &limits, e);
}

void go_judge_verdicts(struct go_judge *j, const struct go_runtime *rt, const struct goroutine_list *l,
		       enum go_verdict *ret, struct go_leak_summary *ret_summary)
{
	worker_lock(&j->judges->worker);
	go_leaks_judge(&j->leaks, rt, l, ret);
	*ret_summary = j->leaks.summary;
	worker_unlock(&j->judges->worker);
}
