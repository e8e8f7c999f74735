// SPDX-License-Identifier: Apache-2.0
/* From what the runtime has of a goroutine to what is told of it. */
#include <errno.h>
#include <string.h>
#include "go/reading.h"

#define PCS_MAX	  (1U << 25) /* frames of all goroutines */
#define STACK_MAX (4ULL << 30)

/* What the function is that a goroutine started with. */
enum start {
	START_USER,
	START_SYSTEM,
	START_SERVANT /* the runtime's, that may call the program's */
};

/* -- one struct ----------------------------------------------------------------------------------
 */
bool go_g_parse(const struct go_runtime *rt, const struct memory_part *part, struct g *ret)
{
	const struct go_layout *l = rt->layout;
	const uint8_t *bytes = part->bytes;
	uint32_t sched = l->g.sched;

#define FIELD(offset, n) go_field(bytes, part->size, offset, n)
	*ret = (struct g){
		.address = part->at,
		.low = FIELD(l->g.stack, 8),
		.high = FIELD(l->g.stack + 8, 8),
		.sp = FIELD(sched + l->gobuf.sp, 8),
		.pc = FIELD(sched + l->gobuf.pc, 8),
		.syscall_sp = FIELD(l->g.syscallsp, 8),
		.syscall_pc = FIELD(l->g.syscallpc, 8),
		.m = FIELD(l->g.m, 8),
		.locked_m = FIELD(l->g.lockedm, 8),
		.labels = FIELD(l->g.labels, 8),
		.id = FIELD(l->g.goid, 8),
		.parent = FIELD(l->g.parentGoid, 8),
		.created_pc = FIELD(l->g.gopc, 8),
		.start_pc = FIELD(l->g.startpc, 8),
		.waiting = FIELD(l->g.waiting, 8),
		.status = (uint32_t)FIELD(l->g.atomicstatus, 4),
		.reason = (uint8_t)FIELD(l->g.waitreason, 1),
		.switches = (uint8_t)FIELD(l->g.trackingSeq, 1),
	};
#undef FIELD
	return ret->id && ret->low < ret->high && ret->high - ret->low <= STACK_MAX;
}

static uint8_t status_of(const struct g *g)
{
	return (uint8_t)(g->status & ~(uint32_t)GO_SCAN);
}

bool go_g_is_alive(const struct g *g)
{
	return status_of(g) && status_of(g) != GO_DEAD && status_of(g) != GO_DEAD_EXTRA;
}

bool go_g_is_same(const struct g *a, const struct g *b)
{
	return a->id == b->id && a->status == b->status && a->switches == b->switches &&
	       a->sp == b->sp && a->pc == b->pc && a->syscall_sp == b->syscall_sp &&
	       a->syscall_pc == b->syscall_pc && a->low == b->low && a->high == b->high &&
	       a->thread_sp == b->thread_sp && a->thread_pc == b->thread_pc;
}

bool go_g_is_running(const struct g *g)
{
	return status_of(g) == GO_RUNNING && !g->syscall_sp;
}

bool go_g_stands_at(const struct g *g, uint64_t *ret_pc, uint64_t *ret_sp)
{
	*ret_pc = g->syscall_sp ? g->syscall_pc : go_g_is_running(g) ? g->thread_pc : g->pc;
	*ret_sp = g->syscall_sp ? g->syscall_sp : go_g_is_running(g) ? g->thread_sp : g->sp;
	return status_of(g) != GO_COPYSTACK && *ret_pc && *ret_sp >= g->low && *ret_sp < g->high &&
	       !(*ret_sp & 7);
}

/* -- words ---------------------------------------------------------------------------------------
 */
static const char *state_of(const struct go_runtime *rt, const struct g *g)
{
	static const char *const names[] = {
		[GO_IDLE] = "idle",	      [GO_RUNNABLE] = "runnable",
		[GO_RUNNING] = "running",     [GO_SYSCALL] = "syscall",
		[GO_WAITING] = "waiting",     [GO_COPYSTACK] = "copystack",
		[GO_PREEMPTED] = "preempted", [GO_LEAKED] = "leaked",
	};
	const uint8_t status = status_of(g);

	if ((status == GO_WAITING || status == GO_LEAKED) && g->reason && g->reason < rt->n_reasons)
		return rt->reasons[g->reason];
	return status < ARRAY_SIZE(names) && names[status] ? names[status] : "???";
}

/* As isSystemGoroutine() in src/runtime/traceback.go has it. */
static enum start start_of(const struct go_runtime *rt, uint64_t pc)
{
	static const struct {
		const char *name;
		enum start start;
	} known[] = {
		{ "runtime.main", START_USER },
		{ "runtime.corostart", START_USER },
		{ "runtime.handleAsyncEvent", START_USER },
		{ "runtime.runfinq", START_SERVANT },
		{ "runtime.runFinalizers", START_SERVANT },
		{ "runtime.runCleanups", START_SERVANT },
	};
	struct go_function f;

	if (!gopclntab_at(&rt->table, pc - rt->bias, &f))
		return START_USER;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(f.name, known[i].name))
			return known[i].start;
	return strncmp(f.name, "runtime.", 8) ? START_USER : START_SYSTEM;
}

static bool is_in_program(const struct go_runtime *rt, const struct goroutine *g,
			  const struct goroutine_list *l)
{
	struct go_function f;

	for (size_t i = 0; i < g->n_pcs; i++)
		if (gopclntab_at(&rt->table, l->pcs.items[g->pcs + i] - rt->bias, &f) &&
		    strncmp(f.name, "runtime.", 8))
			return true;
	return false;
}

static int is_system(struct go_reading *r, const struct goroutine *g, bool *ret)
{
	const uint64_t *known = hashmap_get(&r->starts, g->start_pc);
	uint64_t start = known ? *known : start_of(r->rt, g->start_pc);

	*ret = start == START_SYSTEM ||
	       (start == START_SERVANT && g->n_pcs && !is_in_program(r->rt, g, r->list));
	return known ? 0 : hashmap_put(&r->starts, g->start_pc, start);
}

static int tid_of(struct go_reading *r, uint64_t m, pid_t *ret)
{
	const uint64_t *known = m ? hashmap_get(&r->tids, m) : NULL;
	uint64_t tid;
	int err = 0;

	*ret = 0;
	if (!m)
		return 0;
	if (!r->threads.known)
		err = go_threads_read(r->rt->memory.pid, &r->threads);
	if (err)
		return err;
	tid = known ? *known : go_read_word(r->rt, m + r->rt->layout->m.procid);
	if (tid <= INT32_MAX)
		*ret = go_threads_get(&r->threads, (pid_t)tid);
	return known ? 0 : hashmap_put(&r->tids, m, tid);
}

/* Is `sp` on the stack on which the thread `m` runs the runtime's own code? */
static bool is_on_system_stack(const struct go_runtime *rt, uint64_t m, uint64_t sp)
{
	const uint64_t g0 = go_read_word(rt, m + rt->layout->m.g0),
		       stack = g0 + rt->layout->g.stack;

	return g0 && sp >= go_read_word(rt, stack) && sp < go_read_word(rt, stack + 8);
}

/*
 * One that runs stands where its thread does, if that is not on a processor right now, or where it
 * changed to the system stack, which it saves.
 */
int go_reading_find_thread(struct go_reading *r, struct g *g)
{
	uint64_t sp, pc;
	int err = tid_of(r, g->m ? g->m : g->locked_m, &g->tid);

	if (err || !go_g_is_running(g) || !g->m || !go_thread_stands_at(r->rt, g->tid, &sp, &pc))
		return err;
	if (sp >= g->low && sp < g->high) {
		g->thread_sp = sp;
		g->thread_pc = pc;
	} else if (is_on_system_stack(r->rt, g->m, sp)) {
		g->thread_sp = g->sp;
		g->thread_pc = g->pc;
	}
	return 0;
}

/* Which set of labels it has, 0: none, counted from 1; they are read at the end. Goroutines with
 * the same labels have them from the same context. */
static int label_set_of(struct go_reading *r, const struct g *g, size_t *ret)
{
	const uint64_t *known = g->labels ? hashmap_get(&r->labels, g->labels) : NULL;
	int err;

	*ret = known ? *known : 0;
	if (!g->labels || known)
		return 0;
	err = vec_push(&r->sets, (struct go_label_set){ .at = g->labels });
	if (!err)
		err = hashmap_put(&r->labels, g->labels, r->sets.n);
	*ret = r->sets.n;
	return err;
}

int go_reading_labels(struct go_reading *r)
{
	int err = go_labels_read(r->rt, r->sets.items, r->sets.n, r->list);

	vec_foreach(item, r->list) {
		const struct go_label_set *set =
			item->labels ? &r->sets.items[item->labels - 1] : NULL;

		item->labels = set ? set->first : 0;
		item->n_labels = set ? set->n : 0;
	}
	return err;
}

/* -- a goroutine ---------------------------------------------------------------------------------
 */
static int add_stack(struct go_reading *r, const struct g *g, const struct memory_part *stack,
		     struct goroutine *ret)
{
	struct goroutine_list *l = r->list;
	struct go_stack s = {
		.bytes = stack->bytes, .at = stack->at, .size = stack->size, .end = g->high
	};
	uint64_t pc, sp;
	int err;

	if (!stack->bytes || !go_g_stands_at(g, &pc, &sp) || l->pcs.n >= PCS_MAX)
		return 0;
	err = go_unwind(r->rt, s, pc, sp, l, &ret->complete);
	ret->n_pcs = l->pcs.n - ret->pcs;
	return err;
}

int go_reading_add(struct go_reading *r, const struct g *g, const struct memory_part *stack)
{
	struct goroutine item = {
		.address = g->address,
		.id = g->id,
		.parent = g->parent,
		.created_pc = g->created_pc,
		.start_pc = g->start_pc,
		.status = status_of(g),
		.scanned = g->status & GO_SCAN,
		.state = state_of(r->rt, g),
		.switches = g->switches,
		.tid = g->tid,
		.exact = go_g_is_running(g) && g->thread_pc != g->pc,
		.waiting = g->waiting,
		.sp = g->syscall_sp ? g->syscall_sp : g->sp,
		.stack_start = g->low,
		.stack_end = g->high,
		.locked = g->locked_m,
		.pcs = r->list->pcs.n,
	};
	int err = stack ? add_stack(r, g, stack, &item) : 0;

	if (!err)
		err = label_set_of(r, g, &item.labels);
	if (!err)
		err = is_system(r, &item, &item.system);
	return err ? err : vec_push(r->list, item);
}

void go_reading_deinit(struct go_reading *r)
{
	go_threads_deinit(&r->threads);
	hashmap_deinit(&r->tids);
	hashmap_deinit(&r->starts);
	hashmap_deinit(&r->labels);
	vec_free(&r->sets);
}
