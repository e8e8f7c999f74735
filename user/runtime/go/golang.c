// SPDX-License-Identifier: Apache-2.0
#include "runtime/go/golang.h"
#include <errno.h>
#include <leaktrace/unwind.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "go/runtime.h"
#include "leak/recursion.h"

#define READ_EVERY_NS 1000000000ULL
#define READ_SHARE    20 /* of our time, at most one part of so many is spent on reading */

/* -- stacks ----------------------------------------------------------------------------------- */

uint64_t golang_frame(const struct golang *g, uint64_t pc)
{
	uint64_t at = pc - g->runtime->bias;

	return g->module && at < 1ULL << LT_OFFSET_BITS ? LT_FRAME(g->module, at) : pc;
}

static uint64_t hash_place(uint64_t h, const struct stack_place *place)
{
	h = lt_hash_frame(h, (uintptr_t)place->state);
	h = lt_hash_frame(h, place->leaked);
	for (unsigned int i = 0; i < place->n; i++)
		h = lt_hash_frame(h, place->frames[i]);
	return h;
}

/* One that runs is somewhere else each time that it is looked at: those count together. */
static bool stands_still(const struct goroutine *gr)
{
	return go_status_waits(gr->status);
}

/* Where it stands, into `ret->frames`, which has room for LT_MAX_FRAMES: with recursion folded, and cut if there
 * still are more. */
static void take_place(const struct golang *g, const struct goroutine_list *l, const struct goroutine *gr,
		       struct stack_place *ret)
{
	uint64_t *many = gr->n_pcs > LT_MAX_FRAMES ? calloc(gr->n_pcs, sizeof(*many)) : NULL;
	uint64_t *frames = many ? many : ret->frames;
	size_t n = many || gr->n_pcs <= LT_MAX_FRAMES ? gr->n_pcs : LT_MAX_FRAMES;

	ret->complete = gr->complete && n == gr->n_pcs;
	for (size_t i = 0; i < n; i++)
		frames[i] = golang_frame(g, l->pcs.items[gr->pcs + i]);
	n = recursion_fold(frames, n, 1);
	if (n > LT_MAX_FRAMES) {
		n = LT_MAX_FRAMES;
		ret->complete = false;
	}
	ret->n = (uint16_t)n;
	if (many)
		memcpy(ret->frames, many, n * sizeof(*many));
	free(many);
}

/* The group of those that were started at the same place and stand at the same: it is put into the
 * books. `before`: it was there before tracing, so nobody saw what made it. 0: no memory. */
static uint64_t group_of(const struct golang *g, const struct goroutine_list *l, const struct goroutine *gr,
			 bool before, bool leaked, struct books *b)
{
	uint64_t place[LT_MAX_FRAMES];
	struct go_cause cause = { .frames = { golang_frame(g, gr->created_pc) }, };
	struct stack s = {
		.tgid = (uint32_t)g->pid,
		.kind = LT_KIND_GOROUTINE,
		.via = g->via_go,
		.frames = cause.frames,
		.place = { .state = gr->state, .frames = place, .leaked = leaked },
	};

	/* the runtime starts the first one itself */
	cause.n = gr->created_pc && gr->id != 1;
	take_place(g, l, gr, &s.place);
	if (g->net && !before)
		go_net_cause(g->net, gr->id, gr->created_pc, &cause);
	s.n = (uint16_t)cause.n;
	s.id = lt_stack_seed(s.tgid, s.kind, s.via);
	for (unsigned int i = 0; i < cause.n; i++)
		s.id = lt_hash_frame(s.id, cause.frames[i]);
	if (stands_still(gr)) {
		s.id = hash_place(s.id, &s.place);
		s.stop = s.place.complete ? LT_STOP_NONE : LT_STOP_UNREADABLE;
	} else {
		s.id = lt_hash_frame(s.id, (uintptr_t)gr->state);
	}
	return stack_table_put(&b->stacks, &s) ? s.id : 0;
}

/* -- goroutines ------------------------------------------------------------------------------- */

static int compare_seen(const void *a, const void *b)
{
	const struct go_seen *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static struct go_seen *find_seen(const struct go_seen_vec *v, uint64_t id)
{
	const struct go_seen key = { .id = id };

	return v->n ? bsearch(&key, v->items, v->n, sizeof(*v->items), compare_seen) : NULL;
}

/* It has not run since: what it is now it was all the time. */
static bool is_unchanged(const struct go_seen *then, const struct go_seen *now)
{
	const bool same = then->status == now->status ||
			  (go_status_waits(then->status) && go_status_waits(now->status));

	return same && then->switches == now->switches && then->sp == now->sp && then->state == now->state;
}

static void remember(const struct golang *g, struct go_seen *now, uint64_t now_ns, bool fresh)
{
	const struct go_seen *then = find_seen(&g->seen, now->id);

	now->first_ns = then ? then->first_ns : g->begun || fresh ? now_ns : 0;
	now->since_ns = then && is_unchanged(then, now) ? then->since_ns : now_ns;
}

/* Books the end of those that are not there any more. */
static void book_ended(const struct golang *g, const struct go_seen_vec *now, struct books *b)
{
	size_t i = 0;

	vec_foreach(then, &g->seen) {
		struct stack *s;

		while (i < now->n && now->items[i].id < then->id)
			i++;
		if (!then->first_ns || (i < now->n && now->items[i].id == then->id))
			continue;
		s = stack_table_get(&b->stacks, then->stack);
		if (!s)
			continue;
		s->ranges.acquired++;
		s->ranges.acquired_amount++;
		s->ranges.released++;
		s->ranges.released_amount++;
	}
}

static int take_goroutines(struct golang *g, const struct goroutine_list *l, const enum go_verdict *verdicts,
			   struct books *b, const struct golang_reading *how)
{
	struct go_seen_vec now = { 0 };
	int r = vec_reserve(&now, l->n);

	vec_foreach(gr, l) {
		struct go_seen seen = {
			.id = gr->id,
			.sp = gr->sp,
			.state = gr->state,
			.tid = gr->tid,
			.switches = gr->switches,
			.status = gr->status,
		};

		if (r || gr->system)
			continue;
		remember(g, &seen, how->now_ns, how->fresh);
		if (g->net)
			r = go_net_want(g->net, gr->created_pc);
		seen.stack = r ? 0 : group_of(g, l, gr, !seen.first_ns,
						     verdicts[gr - l->items] == GO_LEAK, b);
		r = seen.stack ? vec_push(&now, seen) : -ENOMEM;
	}
	if (r) {
		vec_free(&now);
		return r;
	}
	if (now.n)
		qsort(now.items, now.n, sizeof(*now.items), compare_seen);
	book_ended(g, &now, b);
	vec_free(&g->seen);
	g->seen = now;
	g->torn = l->torn;
	g->unread = l->unread;
	return 0;
}

static void judge(struct golang *g, const struct goroutine_list *l, const struct golang_reading *how,
		  enum go_verdict *ret)
{
	if (how->judge)
		g->judged_ns = how->now_ns;
	if (!g->judge)
		return;
	if (how->judge) {
		g->not_judged.text[0] = '\0';
		if (go_judge_settle(g->judge, how->until_ns, &g->not_judged))
			return;
	}
	go_judge_verdicts(g->judge, g->runtime, l, ret, &g->judged);
}

static int read_goroutines(struct golang *g, struct books *b, const struct golang_reading *how)
{
	_cleanup_(goroutine_list_deinit) struct goroutine_list l = { 0 };
	_cleanup_free_ enum go_verdict *verdicts = NULL;
	int r = goroutines_read(g->runtime, &l);

	if (r)
		return r;
	verdicts = calloc(l.n + 1, sizeof(*verdicts));
	if (!verdicts)
		return -ENOMEM;
	judge(g, &l, how, verdicts);
	return take_goroutines(g, &l, verdicts, b, how);
}

void golang_goroutine_words(const struct golang *g, char *buf, size_t size)
{
	int n = snprintf(buf, size, "read from memory once a second: what came and went between two readings "
			 "is not counted");

	if ((g->torn || g->unread) && n >= 0 && (size_t)n < size)
		n += snprintf(buf + n, size - (size_t)n, "; %llu changed too fast to have a stack, %llu more "
			      "could not be read",
			      (unsigned long long)g->torn, (unsigned long long)g->unread);
	if (!g->judged_ns || n < 0 || (size_t)n >= size)
		return;
	if (*g->not_judged.text)
		snprintf(buf + n, size - (size_t)n, "; which of them are leaked is not known: %s",
			 g->not_judged.text);
	else
		snprintf(buf + n, size - (size_t)n, "; blocked: %zu, of which waiting for what nobody can reach "
			 "any more (LOST): %zu, not judged: %zu",
			 g->judged.suspects, g->judged.leaked, g->judged.not_judged);
}

bool golang_goroutine(const struct golang *g, uint64_t id, uint64_t now_ns, struct goroutine_state *ret)
{
	const struct go_seen *s = find_seen(&g->seen, id);

	if (!s)
		return false;
	*ret = (struct goroutine_state){
		.state = s->state,
		.waits = go_status_waits(s->status),
		.wait_seconds = now_ns > s->since_ns ? (double)(now_ns - s->since_ns) / 1e9 : 0,
		.tid = s->tid,
	};
	return true;
}

/* -- what the runtime maps -------------------------------------------------------------------- */

/* Programs with C in them map their heap by libc's mmap: src/runtime/cgo_mmap.go. */
static bool is_runtime_mapping(const struct golang *g, const struct stack *s)
{
	static const char *const functions[] = { "runtime.mmap", "runtime.mmap.func1", "runtime.callCgoMmap" };
	const unsigned int first_frames = 4;

	for (unsigned int i = 0; i < s->n && i < first_frames; i++) {
		struct go_function f;

		if (LT_FRAME_MODULE(s->frames[i]) != g->module ||
		    !gopclntab_at(&g->runtime->table, LT_FRAME_OFFSET(s->frames[i]) - 1, &f))
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(functions); k++)
			if (gopclntab_is_named(&f, functions[k]))
				return true;
	}
	return false;
}

/* Of these mappings the heap tells, as malloc's blocks do of what malloc maps. */
static void claim_mappings(const struct golang *g, struct stack_table *stacks)
{
	vec_foreach(s, stacks) {
		if (s->looked_at || s->kind != LT_KIND_MEMORY || s->tgid != (uint32_t)g->pid)
			continue;
		s->looked_at = true;
		s->internal = is_runtime_mapping(g, s);
	}
}

/* -- all -------------------------------------------------------------------------------------- */

/* The module that holds the address of the process. */
static int module_at(pid_t pid, uint64_t address, struct module_table *modules, uint32_t *ret)
{
	struct map_vec maps;
	int r = maps_read(pid, &maps);

	if (r)
		return r;
	r = -ENOENT;
	vec_foreach(m, &maps) {
		struct module *module;

		if (!m->exec || address < m->start || address >= m->end)
			continue;
		r = module_table_map(modules, pid, m, &module);
		if (!r)
			*ret = module->id;
		break;
	}
	maps_deinit(&maps);
	return r;
}

int golang_open(struct golang *g, pid_t pid, uint32_t kinds, struct module_table *modules)
{
	int r;

	if (g->runtime || !(kinds & ~(1U << LT_KIND_MEMORY)))
		return g->runtime ? 0 : -ENOENT;
	g->refused.text[0] = '\0';
	r = go_runtime_open(pid, &modules->opener, &g->runtime, &g->refused);
	if (r)
		return r;
	g->pid = pid;
	g->kinds = kinds;
	r = module_at(pid, g->runtime->table.text + g->runtime->bias, modules, &g->module);
	if (r) {
		go_runtime_close(g->runtime);
		g->runtime = NULL;
	}
	return r;
}

void golang_judge_by(struct golang *g, struct go_judges *judges, struct opener *opener)
{
	struct go_runtime *rt;
	int r;

	if (go_runtime_open(g->pid, opener, &rt, &g->not_judged))
		return;
	r = go_judges_add(judges, rt, &g->judge);
	if (!r)
		return;
	go_runtime_close(rt);
	err_set(&g->not_judged, r, "%s", strerror(-r));
}

static bool is_due(const struct golang *g, uint64_t now_ns)
{
	uint64_t every = g->cost_ns * READ_SHARE;

	return !g->begun || now_ns - g->read_ns >= (every > READ_EVERY_NS ? every : READ_EVERY_NS);
}

/* There is no time for it any more: what was read last has to do. */
static bool is_too_late(const struct golang *g, const struct golang_reading *how)
{
	const uint64_t until_ns = how->judge && how->until_ns ? *how->until_ns : 0;

	return until_ns && g->begun && clock_now() + g->cost_ns > until_ns;
}

int golang_read(struct golang *g, struct books *b, const struct golang_reading *how)
{
	int r = 0;

	if (g->heap_probes)
		go_heap_watch(g->heap_probes);
	if (!g->runtime || (!how->force && !is_due(g, how->now_ns)))
		return 0;
	if (g->kinds >> LT_KIND_GOROUTINE & 1 && !how->only_heap && !is_too_late(g, how))
		r = read_goroutines(g, b, how);
	if (!r && g->kinds >> LT_KIND_GO_HEAP & 1 && !g->heap_over)
		r = golang_read_heap(g, b, how->fresh);
	if (!r && g->net)
		go_net_tick(g->net, how->now_ns);
	if (how->only_heap)
		return r;
	g->read_ns = how->now_ns;
	g->cost_ns = how->judge ? g->cost_ns : clock_now() - how->now_ns;
	g->begun |= !r;
	return r;
}

static void snapshot_goroutines(const struct golang *g, struct books_snapshot *s)
{
	static const struct lt_totals one = { .acquired = 1, .acquired_amount = 1 };

	vec_foreach(seen, &g->seen) {
		const struct held h = { .stack = seen->stack, .tgid = (uint32_t)g->pid, .kind = LT_KIND_GOROUTINE,
					.id = seen->id, .ns = seen->first_ns };

		if (seen->first_ns)
			books_snapshot_totals(s, seen->stack, &one);
		books_snapshot_held(s, &h);
	}
}

void golang_snapshot(const struct golang *g, struct books_snapshot *s)
{
	if (g->runtime)
		claim_mappings(g, &s->books->stacks);
	snapshot_goroutines(g, s);
	golang_snapshot_heap(g, s);
}

void golang_forget(struct golang *g, struct books *b)
{
	const struct go_seen_vec none = { 0 };

	book_ended(g, &none, b);
	golang_deinit(g);
}

void golang_deinit(struct golang *g)
{
	struct attachments none = { 0 };

	go_net_close(g->net);
	golang_end_heap(g, &none);
	attachments_deinit(&none);
	go_heap_close(g->heap_probes);
	go_judge_remove(g->judge);
	if (g->runtime)
		go_runtime_close(g->runtime);
	vec_free(&g->seen);
	vec_free(&g->heap_now);
	vec_free(&g->heap_base);
	go_heap_deinit(&g->heap);
	*g = (struct golang){ 0 };
}
