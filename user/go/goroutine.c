// SPDX-License-Identifier: Apache-2.0
/*
 * Reading goroutines, some hundred at a time: their structs, their stacks, and the structs again. A
 * goroutine that has not run in between has the stack that was read; the others are read once more.
 */
#include "go/goroutine.h"
#include <errno.h>
#include <string.h>

#define CHUNK	       1024
#define TRIES	       4
#define GOROUTINES_MAX (1U << 22)
#define PCS_MAX	       (1U << 25) /* frames of all goroutines */
#define STACK_FIRST    4096	  /* bytes of a stack that are read at once; most have fewer */
#define STACK_MAX      (4ULL << 30)
#define LIST_TRIES     5

/* What a struct g says, as far as it is wanted. */
struct g {
	uint64_t address, low, high, sp, pc, syscall_sp, syscall_pc, m, locked_m, labels;
	uint64_t id, parent, created_pc, start_pc, waiting;
	uint64_t thread_sp,
		thread_pc; /* while it runs, of its thread when that stands; 0: not known */
	pid_t tid;
	uint32_t status;
	uint8_t reason, switches;
};

struct reading {
	struct go_runtime *rt;
	struct goroutine_list *list;
	struct go_threads threads;
	struct hashmap tids, starts,
		labels; /* of what was met: m -> tid, start -> enum start, -> index */
	struct memory_buffer structs, stacks, again;
	struct memory_part parts[CHUNK], stack_parts[CHUNK];
	struct g now[CHUNK];
	uint32_t n_now;
};

/* What the function is that a goroutine started with. */
enum start {
	START_USER,
	START_SYSTEM,
	START_SERVANT /* the runtime's, that may call the program's */
};

/* -- one struct ---------------------------------------------------------------------------------
 */
static bool parse(const struct go_runtime *rt, const struct memory_part *part, struct g *ret)
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

static bool is_alive(const struct g *g)
{
	return status_of(g) && status_of(g) != GO_DEAD && status_of(g) != GO_DEAD_EXTRA;
}

/* Whether it has not run, nor was its stack moved, from `a` to `b`. */
static bool is_same(const struct g *a, const struct g *b)
{
	return a->id == b->id && a->status == b->status && a->switches == b->switches &&
	       a->sp == b->sp && a->pc == b->pc && a->syscall_sp == b->syscall_sp &&
	       a->low == b->low && a->high == b->high && a->thread_sp == b->thread_sp &&
	       a->thread_pc == b->thread_pc;
}

static bool is_running(const struct g *g)
{
	return status_of(g) == GO_RUNNING && !g->syscall_sp;
}

/* Where it stands; false while it runs or its stack moves. */
static bool stands_at(const struct g *g, uint64_t *ret_pc, uint64_t *ret_sp)
{
	*ret_pc = g->syscall_sp ? g->syscall_pc : is_running(g) ? g->thread_pc : g->pc;
	*ret_sp = g->syscall_sp ? g->syscall_sp : is_running(g) ? g->thread_sp : g->sp;
	return status_of(g) != GO_COPYSTACK && *ret_pc && *ret_sp >= g->low && *ret_sp < g->high &&
	       !(*ret_sp & 7);
}

/* -- words --------------------------------------------------------------------------------------
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

static int is_system(struct reading *r, const struct goroutine *g, bool *ret)
{
	const uint64_t *known = hashmap_get(&r->starts, g->start_pc);
	uint64_t start = known ? *known : start_of(r->rt, g->start_pc);

	*ret = start == START_SYSTEM ||
	       (start == START_SERVANT && g->n_pcs && !is_in_program(r->rt, g, r->list));
	return known ? 0 : hashmap_put(&r->starts, g->start_pc, start);
}

static int tid_of(struct reading *r, uint64_t m, pid_t *ret)
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
static int find_thread(struct reading *r, struct g *g)
{
	uint64_t sp, pc;
	int err = tid_of(r, g->m ? g->m : g->locked_m, &g->tid);

	if (err || !is_running(g) || !g->m || !go_thread_stands_at(r->rt, g->tid, &sp, &pc))
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

/* Goroutines with the same labels have them from the same context. */
static int add_labels(struct reading *r, const struct g *g, struct goroutine *ret)
{
	const uint64_t *known = g->labels ? hashmap_get(&r->labels, g->labels) : NULL;
	int err;

	ret->labels = r->list->labels.n;
	if (!g->labels || known) {
		ret->labels = known ? *known >> 8 : 0;
		ret->n_labels = known ? *known & 0xff : 0;
		return 0;
	}
	err = go_labels_read(r->rt, g->labels, r->list);
	if (err)
		return err;
	ret->n_labels = (r->list->labels.n - ret->labels) & 0xff;
	return hashmap_put(&r->labels, g->labels, (uint64_t)ret->labels << 8 | ret->n_labels);
}

/* -- a goroutine --------------------------------------------------------------------------------
 */
static int add_stack(struct reading *r, const struct g *g, const struct memory_part *stack,
		     struct goroutine *ret)
{
	struct goroutine_list *l = r->list;
	struct go_stack s = {
		.bytes = stack->bytes, .at = stack->at, .size = stack->size, .end = g->high
	};
	uint64_t pc, sp;
	int err;

	if (!stack->bytes || !stands_at(g, &pc, &sp) || l->pcs.n >= PCS_MAX)
		return 0;
	err = go_unwind(r->rt, s, pc, sp, l, &ret->complete);
	ret->n_pcs = l->pcs.n - ret->pcs;
	return err;
}

/* Adds it; `stack` is what was read of its stack, NULL: nothing. */
static int add(struct reading *r, const struct g *g, const struct memory_part *stack)
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
		.exact = is_running(g) && g->thread_pc != g->pc,
		.waiting = g->waiting,
		.sp = g->syscall_sp ? g->syscall_sp : g->sp,
		.stack_start = g->low,
		.stack_end = g->high,
		.locked = g->locked_m,
		.pcs = r->list->pcs.n,
	};
	int err = stack ? add_stack(r, g, stack, &item) : 0;

	if (!err)
		err = add_labels(r, g, &item);
	if (!err)
		err = is_system(r, &item, &item.system);
	return err ? err : vec_push(r->list, item);
}

/* -- some hundred --------------------------------------------------------------------------------
 */
static void by_owner(const struct memory_part *parts, size_t n, const struct memory_part **ret)
{
	for (size_t i = 0; i < n; i++)
		ret[parts[i].owner] = &parts[i];
}

/* Reads the structs of the first `n` parts. What is not alive is forgotten. */
static int read_structs(struct reading *r, size_t n)
{
	const struct memory_part *parts[CHUNK];
	int err = memory_gather(&r->rt->memory, r->parts, n, &r->structs);

	by_owner(r->parts, n, parts);
	r->n_now = 0;
	for (size_t i = 0; i < n && !err; i++) {
		struct g *g = &r->now[r->n_now];

		if (!parts[i]->bytes)
			r->list->unread++;
		else if (!parse(r->rt, parts[i], g))
			r->list->unread += is_alive(g);
		else if (is_alive(g))
			err = find_thread(r, &r->now[r->n_now++]);
	}
	return err;
}

/* Of those that stand somewhere; `owner` is the index in `now`. */
static int read_stacks(struct reading *r)
{
	uint64_t pc, sp;
	size_t n = 0;

	for (uint32_t i = 0; i < r->n_now; i++) {
		const struct g *g = &r->now[i];

		if (!stands_at(g, &pc, &sp))
			continue;
		r->stack_parts[n++] = (struct memory_part){
			.at = sp,
			.size = g->high - sp < STACK_FIRST ? g->high - sp : STACK_FIRST,
			.owner = i,
		};
	}
	return memory_gather(&r->rt->memory, r->stack_parts, n, &r->stacks) ?: (int)n;
}

static void set_part(struct reading *r, size_t i, uint64_t address)
{
	r->parts[i] = (struct memory_part){
		.at = address,
		.size = r->rt->layout->g.size,
		.owner = i,
	};
}

/*
 * Adds those that are as they were before their stacks were read. The others are left as the first
 * parts, to be read again: how many, or a negative errno.
 */
static int settle(struct reading *r, const struct memory_part *const *stacks, bool last)
{
	const struct memory_part *parts[CHUNK];
	uint64_t again[CHUNK];
	int left = 0, err;
	struct g after;

	for (uint32_t i = 0; i < r->n_now; i++)
		set_part(r, i, r->now[i].address);
	err = memory_gather(&r->rt->memory, r->parts, r->n_now, &r->again);
	by_owner(r->parts, r->n_now, parts);
	for (uint32_t i = 0; i < r->n_now && !err; i++) {
		const struct g *g = &r->now[i];

		bool sound = parts[i]->bytes && parse(r->rt, parts[i], &after);

		if (sound && is_running(&after))
			err = find_thread(r, &after);
		if (err)
			break;
		if (sound && is_same(g, &after)) {
			err = add(r, g, stacks[i]);
		} else if (last) {
			r->list->torn++;
			err = add(r, g, NULL);
		} else {
			again[left++] = g->address;
		}
	}
	for (int i = 0; i < left; i++)
		set_part(r, (size_t)i, again[i]);
	return err ? err : left;
}

static int read_chunk(struct reading *r, const uint64_t *addresses, size_t n)
{
	const struct memory_part *stacks[CHUNK];
	int left = (int)n, n_stacks, err;

	for (size_t i = 0; i < n; i++)
		set_part(r, i, addresses[i]);
	for (int i = 0; i < TRIES && left > 0; i++) {
		err = read_structs(r, (size_t)left);
		if (err)
			return err;
		memset(stacks, 0, sizeof(stacks));
		n_stacks = read_stacks(r);
		if (n_stacks < 0)
			return n_stacks;
		by_owner(r->stack_parts, (size_t)n_stacks, stacks);
		left = settle(r, stacks, i == TRIES - 1);
	}
	return left < 0 ? left : 0;
}

/* -- all of them ---------------------------------------------------------------------------------
 */
/* The list may move while it is read. */
static int read_list(const struct go_runtime *rt, uint64_t **ret, size_t *ret_n)
{
	_cleanup_free_ uint64_t *items = NULL;
	struct go_slice all, after;
	uint64_t *more;

	for (int i = 0; i < LIST_TRIES; i++) {
		all = go_read_slice(rt, rt->at.allgs);
		if (!all.n)
			continue;
		if (all.n > GOROUTINES_MAX)
			all.n = GOROUTINES_MAX;
		more = reallocarray(items, all.n, sizeof(*items));
		if (!more)
			return -ENOMEM;
		items = more;
		if (memory_read(&rt->memory, all.at, items, all.n * sizeof(*items)))
			continue;
		after = go_read_slice(rt, rt->at.allgs);
		if (after.at != all.at)
			continue;
		*ret = take_ptr(items);
		*ret_n = all.n;
		return 0;
	}
	return -EAGAIN;
}

static int read_all(struct reading *r)
{
	_cleanup_free_ uint64_t *addresses = NULL;
	uint64_t probe;
	size_t n = 0;
	int err = memory_read(&r->rt->memory, r->rt->at.allgs, &probe, sizeof(probe));

	if (err == -ESRCH || err == -EPERM)
		return err;
	err = read_list(r->rt, &addresses, &n);
	for (size_t i = 0; i < n && !err; i += CHUNK)
		err = read_chunk(r, addresses + i, n - i < CHUNK ? n - i : CHUNK);
	return err;
}

int goroutines_read(struct go_runtime *rt, struct goroutine_list *ret)
{
	struct reading *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->rt = rt;
	r->list = ret;
	err = read_all(r);
	go_threads_deinit(&r->threads);
	hashmap_deinit(&r->tids);
	hashmap_deinit(&r->starts);
	hashmap_deinit(&r->labels);
	memory_buffer_deinit(&r->structs);
	memory_buffer_deinit(&r->stacks);
	memory_buffer_deinit(&r->again);
	free(r);
	return err;
}

void goroutine_list_deinit(struct goroutine_list *l)
{
	vec_free(l);
	vec_free(&l->pcs);
	vec_free(&l->arguments);
	vec_free(&l->labels);
	arena_deinit(&l->strings);
}
