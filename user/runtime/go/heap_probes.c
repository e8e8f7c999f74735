// SPDX-License-Identifier: Apache-2.0
#include "runtime/go/heap_probes.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "probe/map.h"
#include "proc/procfs.h"
#include "runtime/go/checks.h"
#include "runtime/go/sites.h"
#include "runtime/go/turns.h"
#include "runtime/go/weights.h"

#define WATCH_NS  500000000ULL
#define BUSY	  4 /* times in turn: what is over soon can as well be seen whole */
#define HITS_FEW  1000
#define HITS_PS	  12000 /* more in a second of the process's CPU time are too many: see go_turns.c */
#define ROOM	  (LT_GO_SPANS / 2)

/* At how busy they are. */
struct look {
	uint64_t hits;		  /* of the points that are hit often */
	uint64_t cpu_ns, wall_ns; /* CPU: the process's */
	uint32_t generation;
};

struct go_heap_probes {
	const struct object *o;
	const struct go_runtime *rt;
	pid_t pid;
	int fd;				/* of the module */
	struct go_samples_maps maps;
	struct plan_points refills;	/* the points that are hit often */
	struct attachments attached;	/* what is attached there, while it always is */
	struct go_turns *turns;		/* NULL: it always is */
	struct go_checks *checks;
	bool in_turns; /* from some time on */
	struct go_checks_state checked;
	uint64_t room_made; /* checked.cycles, then */
	struct go_weights weights; /* of samples that were taken in turns */
	bool weighed;		   /* that was possible */
	double share; /* of the process's CPU time, that they are there */
	struct go_samples samples;
	struct look latest;
	unsigned int busy; /* looks in turn at which they were hit too often */
	bool stopped;
};

static const struct go_probe refills[] = {
	{ .function = "runtime.(*mcache).refill", .callee = "runtime.(*mcentral).cacheSpan",
	  .id = LT_GO_REFILL },
}, larges[] = {
	{ .function = "runtime.(*mcache).allocLarge", .callee = "runtime.(*mheap).alloc", .id = LT_GO_LARGE },
}, flushes[] = {
	{ .function = "runtime.(*mcache).releaseAll", .callee = "runtime.(*mcentral).uncacheSpan",
	  .at_call = true },
};

static int attach_at(const struct go_heap_probes *p, const struct plan_points *points, const char *program,
		     struct attachments *ret, struct err *e)
{
	int r = go_sites_attach(p->o->kind, object_program(p->o, program), p->pid, p->fd, points, ret);

	if (r)
		err_set(e, r, "probes on Go's allocator cannot be attached: %s", strerror(-r));
	return r;
}

static int attach_all(struct go_heap_probes *p, struct attachments *attached, struct err *e)
{
	struct plan_points large = { 0 }, flush = { 0 };
	const struct elf_image *img = &p->rt->image;
	const struct gopclntab *table = &p->rt->table;
	int r = go_sites_plan(img, table, refills, ARRAY_SIZE(refills), &p->refills, e);

	if (!r)
		r = go_sites_plan(img, table, larges, ARRAY_SIZE(larges), &large, e);
	if (!r)
		r = go_sites_plan(img, table, flushes, ARRAY_SIZE(flushes), &flush, e);
	if (!r)
		r = attach_at(p, &flush, "go_flush", attached, e);
	if (!r)
		r = attach_at(p, &large, "go_span", attached, e);
	if (!r)
		r = attach_at(p, &p->refills, "go_span", &p->attached, e);
	vec_free(&large);
	vec_free(&flush);
	return r;
}

/* What is there before is known when the first span is taken. */
static int begin(struct go_heap_probes *p, uint8_t via)
{
	uint32_t spans[LT_GO_CLASSES] = { 0 };
	struct lt_go_heap row;
	size_t n = 0;
	int r = go_spans_layout(p->rt, &row);

	row.via = via;
	if (!r)
		r = go_spans_begin(p->rt, row.shift, &p->samples);
	if (r)
		return r;
	vec_foreach(s, &p->samples)
		spans[s->span.spanclass]++;
	go_samples_make_room(spans, ROOM, row.shift);
	vec_foreach(s, &p->samples)
		if (lt_go_is_followed(s->start, row.shift[s->span.spanclass]))
			p->samples.items[n++] = *s;
	p->samples.n = n;
	r = go_samples_begin(&p->maps, &row);
	return r ? r : go_samples_put(&p->maps, &p->samples);
}

int go_heap_attach(const struct object *o, const struct go_runtime *rt, const struct module *m, pid_t pid,
		   uint8_t via, struct attachments *attached, struct go_heap_probes **ret, struct err *e)
{
	struct go_heap_probes *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->o = o;
	p->rt = rt;
	p->pid = pid;
	go_samples_init(&p->maps, o, pid);
	p->fd = module_open_for_probes(m);
	r = p->fd < 0 ? p->fd : begin(p, via);
	if (r)
		err_set(e, r, r == -EOPNOTSUPP ? "%s keeps spans in a way that is not known"
					       : "the spans of %s cannot be followed", go_runtime_version(rt));
	else
		r = attach_all(p, attached, e);
	if (r)
		go_heap_close(p);
	else
		*ret = p;
	return r;
}

static int counts_read(const struct go_heap_probes *p, struct go_counts *ret)
{
	int r = go_spans_allocated(p->rt, ret->allocated);

	return r ? r : go_samples_seen(&p->maps, &ret->seen);
}

static void weights_update(struct go_heap_probes *p)
{
	struct go_counts now;

	if (p->weighed && !counts_read(p, &now))
		go_weights_update(&p->weights, &now);
}

void go_heap_stop(struct go_heap_probes *p, struct attachments *ret)
{
	if (!p)
		return;
	if (p->turns) {
		p->share = go_turns_share(p->turns);
		weights_update(p);
	}
	go_turns_end(p->turns, ret);
	go_checks_end(p->checks);
	p->turns = NULL;
	p->checks = NULL;
	p->stopped = true;
	attachments_move(&p->attached, ret);
}

void go_heap_close(struct go_heap_probes *p)
{
	struct attachments attached = { 0 };

	if (!p)
		return;
	go_heap_stop(p, &attached);
	attachments_deinit(&attached);
	go_samples_forget(&p->maps);
	go_samples_deinit(&p->maps);
	vec_free(&p->samples);
	vec_free(&p->refills);
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}

/* -- reading ---------------------------------------------------------------------------------- */

/* A stack keeps its slot, so its number becomes its id at any time. */
static void records_name(const struct object *o, struct go_heap *heap)
{
	int stacks = object_map(o, "stacks");

	vec_foreach(rec, heap) {
		uint32_t number = (uint32_t)rec->stack;
		struct lt_stack stack = { 0 };

		map_lookup(stacks, &number, &stack);
		rec->stack = stack.id;
	}
}

/* They are looked at in turns, from now on, if that is possible. */
static void take_turns(struct go_heap_probes *p, uint64_t cycle_ns)
{
	const struct go_turns_probe probe = { p->o, "go_span", p->pid, p->fd, &p->refills, &p->maps };
	struct go_counts now = { 0 };
	int r = go_checks_begin(p->rt, &p->maps, cycle_ns, &p->checks);

	p->weighed = !counts_read(p, &now);
	go_weights_begin(&p->weights, &now);
	if (!r)
		r = go_turns_begin(&probe, &p->attached, &p->turns);
	p->in_turns = !r;
	if (r) {
		go_checks_end(p->checks);
		p->checks = NULL;
	}
}

void go_heap_watch(struct go_heap_probes *p)
{
	const struct look then = p->latest;
	struct look now = { .wall_ns = clock_now() };
	struct lt_go_seen seen;
	uint64_t most;

	if (p->in_turns || p->stopped || now.wall_ns - then.wall_ns < WATCH_NS ||
	    go_samples_seen(&p->maps, &seen) || procfs_cpu_ns(p->pid, &now.cpu_ns) ||
	    go_spans_generation(p->rt, &now.generation))
		return;
	now.hits = seen.hits;
	p->latest = now;
	most = HITS_FEW + (uint64_t)(HITS_PS * (double)(now.cpu_ns - then.cpu_ns) / 1e9);
	p->busy = then.wall_ns && now.hits - then.hits > most ? p->busy + 1 : 0;
	if (p->busy >= BUSY)
		take_turns(p, (now.wall_ns - then.wall_ns) * 2 / (now.generation - then.generation + 1ULL));
}

/* While all spans that are taken are seen, all that there are may come to have samples. In turns few do, and
 * how many is known when they have been checked with what there is room for now. */
static bool make_more_room(struct go_heap_probes *p, const struct go_heap *heap, uint8_t shift[LT_GO_CLASSES])
{
	uint32_t spans[LT_GO_CLASSES];

	if (!p->in_turns)
		return go_samples_make_room(heap->spans, ROOM, shift);
	if (p->checked.counted <= p->room_made)
		return false;
	for (unsigned int i = 0; i < LT_GO_CLASSES; i++)
		spans[i] = p->checked.spans[i] << shift[i];
	if (!go_samples_make_room(spans, p->checked.room, shift))
		return false;
	p->room_made = p->checked.cycles;
	return true;
}

int go_heap_read(struct go_heap_probes *p, struct go_heap *heap)
{
	const bool all_seen = !p->in_turns;
	struct lt_go_heap row;
	int r = go_samples_row(&p->maps, &row);

	if (!r && p->turns)
		p->share = go_turns_share(p->turns);
	if (!r && !all_seen && p->checks) {
		weights_update(p);
		r = go_checks_tell(p->checks, heap, &p->checked);
		go_weights_apply_shares(&p->weights, heap);
	}
	if (!r)
		r = go_samples_read(&p->maps, &p->samples);
	go_samples_sort(&p->samples);
	if (!r && make_more_room(p, heap, row.shift))
		r = go_samples_set_shift(&p->maps, row.shift);
	if (!all_seen)
		go_weights_apply(&p->weights, &p->samples);
	if (!r)
		r = go_heap_read_spans(p->rt, &p->samples, row.shift, all_seen ? 0 : (uint32_t)p->checked.old,
				       heap);
	if (!r) {
		go_samples_prune(&p->maps, &p->samples);
		records_name(p->o, heap);
	}
	return r;
}

const char *go_heap_probes_words(const struct go_heap_probes *p, const struct go_heap *heap, char *buf,
				 size_t size)
{
	size_t n = strlen(go_heap_words(heap, buf, size));

	if (p->in_turns)
		snprintf(buf + n, size - n,
			 "; it allocates so much that the probes are there %.1f %% of its CPU time%s; "
			 "of %llu garbage collections meanwhile, %llu went by unseen", 100 * p->share,
			 p->weighed ? "" : ", and how much it allocates otherwise is not known",
			 (unsigned long long)p->checked.cycles, (unsigned long long)p->checked.missed);
	return buf;
}
