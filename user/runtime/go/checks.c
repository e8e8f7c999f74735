// SPDX-License-Identifier: Apache-2.0
#include "runtime/go/checks.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/hashmap.h"
#include "probe/worker.h"

#define CHECKS_PS   20000 /* spans, in each second: reading them costs the program caches, too */
#define ROOM_MIN    512
#define ROOM_MAX    (LT_GO_SPANS / 2)
#define LOOKS	    8 /* at the generation, in the time of a garbage collection */
#define LOOK_MIN_NS 500000ULL
#define LOOK_MAX_NS 20000000ULL
#define OLD_NS	    500000000ULL /* longer than from one turn to the next */
#define AVERAGED    32 /* garbage collections: what was before counts for little in the average */
#define NICE	    (-10)
#define FRESH_MAX   256 /* of a class */

struct go_checks {
	const struct go_runtime *rt;
	struct go_samples_maps *maps;
	struct go_span_reader reader;
	struct go_samples samples; /* of the latest check; those that are not `checked` remain to be */
	struct go_samples unsure;  /* that could not be checked in time */
	uint32_t generation, last;
	uint64_t begun_ns, cycle_ns; /* of the garbage collection; and how long they take */
	struct worker worker;	     /* its lock is for what follows, too */
	struct go_checks_state state;
	struct {
		VEC_OF(struct go_heap_share);
	} fresh; /* what was allocated last */
	uint16_t n_fresh[LT_GO_CLASSES];
	struct {
		VEC_OF(struct go_heap_share);
	} young;		/* what is young, on average */
	struct hashmap by_class; /* class and stack -> its share in `young` */
	unsigned int averaged;	/* garbage collections that it is an average of */
	bool thin;		/* after the next check */
};

/* -- what was allocated last ------------------------------------------------------------------ */

/* The older half of them. */
static void fresh_drop(struct go_checks *c, uint8_t class)
{
	size_t n = 0;

	vec_foreach(s, &c->fresh) {
		if (s->class == class && c->n_fresh[class] > FRESH_MAX / 2)
			c->n_fresh[class]--;
		else
			c->fresh.items[n++] = *s;
	}
	c->fresh.n = n;
}

/* What was allocated from the check before until this one. */
static int fresh_add(struct go_checks *c, const struct lt_go_span *span)
{
	int r = 0;

	for (uint8_t i = 0; i < span->n && i < LT_GO_SAMPLES && !r; i++) {
		const struct lt_go_sample *sample = &span->samples[i];

		if (sample->generation - c->last >= c->generation - c->last ||
		    sample->stack == LT_STACK_BEFORE)
			continue;
		if (c->n_fresh[span->spanclass] >= FRESH_MAX)
			fresh_drop(c, span->spanclass);
		r = vec_push(&c->fresh, (struct go_heap_share){
			.stack = sample->stack,
			.class = span->spanclass,
			.age = GO_RECENT,
			.objects = sample->weight / (double)LT_GO_ONCE,
		});
		c->n_fresh[span->spanclass] += !r;
	}
	return r;
}

static int fresh_take(struct go_checks *c)
{
	int r = 0;

	vec_foreach(s, &c->samples)
		if (!r)
			r = fresh_add(c, &s->span);
	return r;
}

/* -- what is young ---------------------------------------------------------------------------- */

static struct go_heap_share *young_share(struct go_checks *c, uint8_t class, uint32_t stack)
{
	const uint64_t key = (uint64_t)class << 32 | stack;
	const uint64_t *at = hashmap_get(&c->by_class, key);

	if (at)
		return &c->young.items[*at];
	if (vec_push(&c->young, (struct go_heap_share){ .stack = stack, .class = class, .age = GO_YOUNG }))
		return NULL;
	if (hashmap_put(&c->by_class, key, c->young.n - 1)) {
		c->young.n--;
		return NULL;
	}
	return &c->young.items[c->young.n - 1];
}

static int young_add(struct go_checks *c, const struct lt_go_span *span)
{
	for (uint8_t i = 0; i < span->n && i < LT_GO_SAMPLES; i++) {
		const struct lt_go_sample *sample = &span->samples[i];
		const uint32_t age = c->generation - sample->generation;
		struct go_heap_share *share;

		if (sample->stack == LT_STACK_BEFORE || !age || age >= c->state.old)
			continue;
		share = young_share(c, span->spanclass, sample->stack);
		if (!share)
			return -ENOMEM;
		share->objects += sample->weight / (double)LT_GO_ONCE / c->averaged;
	}
	return 0;
}

/* Large objects are always seen, and so are theirs. */
static bool stays(const struct go_checks *c, const struct go_span_samples *s)
{
	bool any = false;

	for (uint8_t i = 0; i < s->span.n && i < LT_GO_SAMPLES; i++)
		any |= (int32_t)(c->generation - s->span.samples[i].generation) > 2;
	return any && lt_go_size_class(s->span.spanclass);
}

/* Once all that is there has been checked. */
static int count(struct go_checks *c)
{
	int r = 0;

	worker_lock(&c->worker);
	vec_foreach(s, &c->young)
		s->objects *= 1 - 1.0 / c->averaged;
	memset(c->state.spans, 0, sizeof(c->state.spans));
	vec_foreach(s, &c->samples) {
		c->state.spans[s->span.spanclass] += stays(c, s);
		if (!r)
			r = young_add(c, &s->span);
	}
	c->state.counted = c->state.cycles;
	worker_unlock(&c->worker);
	/* the first is of when all was seen */
	c->averaged = c->averaged == 1 ? AVERAGED / 2 : c->averaged + (c->averaged < AVERAGED);
	return r;
}

/* The shares take the place of those of the heap. */
static int tell_shares(struct go_heap *heap, const struct go_heap_share *shares, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		r = vec_push(&heap->shares, shares[i]);
	return r;
}

int go_checks_tell(struct go_checks *c, struct go_heap *heap, struct go_checks_state *ret)
{
	size_t n = 0;
	int r;

	worker_lock(&c->worker);
	*ret = c->state;
	vec_foreach(s, &heap->shares)
		if (s->age == GO_OLD || (s->age == GO_RECENT && !c->n_fresh[s->class]))
			heap->shares.items[n++] = *s;
	heap->shares.n = n;
	r = tell_shares(heap, c->fresh.items, c->fresh.n);
	if (!r)
		r = tell_shares(heap, c->young.items, c->young.n);
	worker_unlock(&c->worker);
	return r;
}

/* -- a check ---------------------------------------------------------------------------------- */

static int unsure_collect(struct go_checks *c)
{
	int r = 0;

	c->unsure.n = 0;
	vec_foreach(s, &c->samples)
		if (!s->checked && !r)
			r = vec_push(&c->unsure, *s);
	go_samples_sort(&c->unsure);
	return r;
}

static void unsure_mark(const struct go_checks *c, struct go_samples *samples)
{
	vec_foreach(s, samples)
		s->unsure = go_samples_find(&c->unsure, s->start);
}

static void state_update(struct go_checks *c)
{
	const double room = CHECKS_PS * (double)c->cycle_ns / 1e9;

	c->state.old = OLD_NS / (c->cycle_ns + 1) * 2 + 2;
	c->state.room = room > ROOM_MAX ? ROOM_MAX : room < ROOM_MIN ? ROOM_MIN : (size_t)room;
}

static void count_cycles(struct go_checks *c, uint32_t generation)
{
	const uint64_t now_ns = clock_now();
	uint64_t cycles = (generation - c->generation) / 2;

	cycles += !cycles; /* it is another process's number */
	c->state.cycles += cycles;
	c->state.missed += cycles - 1;
	c->cycle_ns = c->cycle_ns / 4 * 3 + (now_ns - c->begun_ns) / (cycles * 4);
	c->begun_ns = now_ns;
	state_update(c);
}

/* Garbage has been collected: all samples are to be checked. */
static int begin(struct go_checks *c, uint32_t generation)
{
	int r = unsure_collect(c);

	if (!r)
		r = go_samples_read(c->maps, &c->samples);
	if (r)
		return r;
	unsure_mark(c, &c->samples);
	worker_lock(&c->worker);
	count_cycles(c, generation);
	c->last = c->generation;
	c->generation = generation;
	r = fresh_take(c);
	worker_unlock(&c->worker);
	return r;
}

static size_t count_open(const struct go_checks *c)
{
	size_t n = 0;

	vec_foreach(s, &c->samples)
		n += !s->checked;
	return n;
}

/* Writes down what was dropped, once. */
static void prune(struct go_checks *c)
{
	size_t n = 0;

	go_samples_prune(c->maps, &c->samples);
	vec_foreach(s, &c->samples) {
		s->changed = false;
		if (!s->gone && s->span.n)
			c->samples.items[n++] = *s;
	}
	c->samples.n = n;
}

/* While all spans that were taken were seen, far more came to have samples than will come now. */
static int thin_out(struct go_checks *c)
{
	uint8_t more[LT_GO_CLASSES] = { 0 };
	struct lt_go_heap row;
	int r = go_samples_row(c->maps, &row);

	if (r)
		return r;
	if (go_samples_make_room(c->state.spans, c->state.room / 2, more)) {
		go_samples_thin(&c->samples, row.shift, more);
		prune(c);
	}
	c->thin = false;
	return count(c);
}

static int go_on(struct go_checks *c)
{
	int r;

	if (!count_open(c))
		return 0;
	r = go_spans_check(c->rt, &c->reader, c->generation, c->last, c->samples.items, c->samples.n);
	if (r)
		return r;
	prune(c);
	if (count_open(c))
		return 0;
	r = count(c);
	return !r && c->thin ? thin_out(c) : r;
}

/* How long until the next look. */
static uint64_t look_ns(const struct go_checks *c)
{
	const uint64_t ns = c->cycle_ns / LOOKS;

	return ns < LOOK_MIN_NS ? LOOK_MIN_NS : ns > LOOK_MAX_NS ? LOOK_MAX_NS : ns;
}

static void *check_all(void *arg)
{
	struct go_checks *c = arg;
	uint32_t generation;
	int r = 0;

	setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
	while (r != -ESRCH && worker_wait(&c->worker, look_ns(c))) {
		r = go_spans_generation(c->rt, &generation);
		if (!r && generation != c->generation)
			r = begin(c, generation);
		if (!r)
			r = go_on(c);
	}
	return NULL;
}

static void checks_free(struct go_checks *c)
{
	go_span_reader_deinit(&c->reader);
	vec_free(&c->samples);
	vec_free(&c->unsure);
	vec_free(&c->fresh);
	vec_free(&c->young);
	hashmap_deinit(&c->by_class);
	free(c);
}

/* The first check is of the latest garbage collection. */
int go_checks_begin(const struct go_runtime *rt, struct go_samples_maps *maps, uint64_t cycle_ns,
		    struct go_checks **ret)
{
	struct go_checks *c = calloc(1, sizeof(*c));
	int r = c ? 0 : -ENOMEM;

	if (r)
		return r;
	*c = (struct go_checks){ .rt = rt, .maps = maps, .begun_ns = clock_now() - cycle_ns,
				 .cycle_ns = cycle_ns, .averaged = 1, .thin = true };
	state_update(c);
	r = go_spans_generation(rt, &c->generation);
	c->generation -= 2;
	if (!r)
		r = worker_start(&c->worker, check_all, c);
	if (r)
		checks_free(c);
	else
		*ret = c;
	return r;
}

void go_checks_end(struct go_checks *c)
{
	if (!c)
		return;
	worker_stop(&c->worker);
	checks_free(c);
}
