// SPDX-License-Identifier: Apache-2.0
/* One pass: user/go/leak.h says how it goes. */
#include "go/leak_pass.h"
#include <errno.h>
#include <string.h>

#define CHUNK	   1024
#define LIST_TRIES 5
#define GS_MAX	   (1U << 24)
#define STACK_MAX  (4ULL << 30)

/* -- goroutines ------------------------------------------------------------------------------- */
static bool is_alive(uint8_t status)
{
	return status != GO_IDLE && status != GO_DEAD && status != GO_DEAD_EXTRA;
}

static bool is_parked(const struct go_waiter *w)
{
	return w->status == GO_WAITING || w->status == GO_LEAKED || w->status == GO_SYSCALL;
}

/* False: it has ended, or makes no sense. */
static bool parse(const struct go_runtime *rt, const struct memory_part *part, struct go_waiter *ret)
{
	const struct go_layout *l = rt->layout;
	const uint32_t sched = l->g.sched;
	uint64_t syscall_sp;

	if (!part->bytes)
		return false;
#define FIELD(offset, n) go_field(part->bytes, part->size, offset, n)
	syscall_sp = FIELD(l->g.syscallsp, 8);
	*ret = (struct go_waiter){
		.address = part->at,
		.id = FIELD(l->g.goid, 8),
		.low = FIELD(l->g.stack, 8),
		.high = FIELD(l->g.stack + 8, 8),
		.sp = syscall_sp ? syscall_sp : FIELD(sched + l->gobuf.sp, 8),
		.pc = syscall_sp ? FIELD(l->g.syscallpc, 8) : FIELD(sched + l->gobuf.pc, 8),
		.waiting = FIELD(l->g.waiting, 8),
		.status = (uint8_t)(FIELD(l->g.atomicstatus, 4) & ~(uint64_t)GO_SCAN),
		.reason = (uint8_t)FIELD(l->g.waitreason, 1),
		.switches = (uint8_t)FIELD(l->g.trackingSeq, 1),
		.targets = GO_NO_TARGET,
	};
#undef FIELD
	if (ret->status == GO_LEAKED)
		ret->status = GO_WAITING;
	if (ret->status == GO_WAITING && ret->reason < rt->n_reasons)
		ret->wait = go_wait_of(rt->reasons[ret->reason]);
	return is_alive(ret->status) && ret->low < ret->high && ret->high - ret->low <= STACK_MAX;
}

static bool is_same(const struct go_waiter *a, const struct go_waiter *b)
{
	return a->id == b->id && a->status == b->status && a->switches == b->switches &&
	       a->sp == b->sp && a->pc == b->pc && a->low == b->low && a->high == b->high;
}

/* One that was read: new, as it was, or moved, or (still) running, and then a root in any case. */
static int take(struct go_pass *p, const struct go_waiter *now, bool first, size_t *changed)
{
	const uint64_t *known = hashmap_get(&p->by_address, now->address);
	struct go_waiter *w = known ? &p->waiters.items[*known] : NULL;
	int r;

	if (w && is_parked(now) && is_same(w, now))
		return 0;
	++*changed;
	if (!w) {
		r = vec_push(&p->waiters, *now);
		if (!r)
			r = hashmap_put(&p->by_address, now->address, p->waiters.n - 1);
		if (r || first)
			return r;
		w = &p->waiters.items[p->waiters.n - 1];
	}
	*w = *now;
	w->wait = GO_WAIT_NONE;
	return go_pass_wake(p, w);
}

static int read_some(struct go_pass *p, const uint64_t *addresses, size_t n, bool first, size_t *changed)
{
	struct memory_part parts[CHUNK];
	struct go_waiter now;
	size_t count = 0;
	int r;

	for (size_t i = 0; i < n; i++)
		if (addresses[i] && !(addresses[i] & 7))
			parts[count++] = (struct memory_part){ .at = addresses[i],
							       .size = p->rt->layout->g.size };
	r = memory_gather(&p->rt->memory, parts, count, &p->buffer);
	p->mark.bytes_read += count * p->rt->layout->g.size;
	for (size_t i = 0; !r && i < count; i++)
		if (parse(p->rt, &parts[i], &now))
			r = take(p, &now, first, changed);
	return r;
}

/* The list moves when it grows; its old place keeps what it had. */
static int read_list(struct go_pass *p, uint64_t **ret, size_t *ret_n)
{
	_cleanup_free_ uint64_t *addresses = NULL;
	struct go_slice all;
	int r = -EAGAIN;

	for (unsigned int i = 0; i < LIST_TRIES && r == -EAGAIN; i++) {
		all = go_read_slice(p->rt, p->rt->at.allgs);
		if (!all.n || all.n > GS_MAX)
			continue;
		free(addresses);
		addresses = calloc(all.n, 8);
		if (!addresses)
			return -ENOMEM;
		r = memory_read(&p->rt->memory, all.at, addresses, all.n * 8);
		if (r == -EFAULT)
			r = -EAGAIN;
	}
	if (r)
		return r;
	*ret = take_ptr(addresses);
	*ret_n = all.n;
	return 0;
}

int go_pass_read(struct go_pass *p, size_t *ret_changed)
{
	_cleanup_free_ uint64_t *addresses = NULL;
	const bool first = !p->waiters.n;
	size_t n, count = 0;
	int r = read_list(p, &addresses, &n);

	*ret_changed = 0;
	for (size_t i = 0; !r && i < n; i += count) {
		count = n - i < CHUNK ? n - i : CHUNK;
		r = go_mark_is_over(&p->mark) ? -ETIMEDOUT
					      : read_some(p, addresses + i, count, first, ret_changed);
	}
	return r;
}

int go_pass_wake(struct go_pass *p, struct go_waiter *w)
{
	const struct go_stand stand = {
		.address = w->address,
		.low = w->low,
		.high = w->high,
		.pc = w->pc,
		.sp = w->sp,
		.parked = is_parked(w),
	};

	w->awake = true;
	for (size_t i = w->targets; i != GO_NO_TARGET; i = p->targets.items[i].next)
		go_mark_show(&p->mark, p->targets.items[i].sudog);
	return go_mark_stack(&p->mark, &p->maps, &stand);
}

/* -- the pass --------------------------------------------------------------------------------- */

/* What links a suspect with what it waits for must not lead there. */
static void hide_suspects(struct go_pass *p)
{
	vec_foreach(w, &p->waiters) {
		if (w->wait < GO_WAIT_NEVER)
			continue;
		go_mark_hide(&p->mark, w->address);
		for (size_t i = w->targets; i != GO_NO_TARGET; i = p->targets.items[i].next)
			go_mark_hide(&p->mark, p->targets.items[i].sudog);
	}
}

static int mark_roots(struct go_pass *p)
{
	int r = go_mark_roots(&p->mark);

	for (size_t i = 0; !r && i < p->waiters.n; i++) {
		struct go_waiter *w = &p->waiters.items[i];

		if (w->wait < GO_WAIT_NEVER)
			r = go_mark_is_over(&p->mark) ? -ETIMEDOUT : go_pass_wake(p, w);
	}
	return r;
}

static bool can_be_woken(const struct go_pass *p, const struct go_waiter *w)
{
	for (size_t i = w->targets; i != GO_NO_TARGET; i = p->targets.items[i].next)
		if (go_mark_has(&p->mark, p->targets.items[i].object))
			return true;
	return false;
}

/* -- weak pointers ---------------------------------------------------------------------------- */

static bool weak_leads_on(const struct go_pass *p, const struct go_weak *w)
{
	return go_mark_has(&p->mark, w->handle) && !go_mark_has(&p->mark, w->object);
}

/* Marks as the garbage collector does, for which those that are blocked are no others. */
static int mark_all(struct go_pass *p)
{
	int r = 0;

	for (size_t i = 0; !r && i < p->waiters.n; i++) {
		struct go_waiter w = p->waiters.items[i];

		if (!w.awake) {
			go_mark_show(&p->mark, w.address);
			r = go_pass_wake(p, &w);
		}
	}
	return r ? r : go_mark_drain(&p->mark);
}

/* Of which weak pointers the object is kept by anybody. Marks are as before then. */
static int find_kept(struct go_pass *p)
{
	const size_t size = (p->mark.n_bits / 64 + 1) * 8;
	_cleanup_free_ uint64_t *marked = malloc(size), *scanned = malloc(size);
	int r;

	if (!marked || !scanned)
		return -ENOMEM;
	memcpy(marked, p->mark.marked, size);
	memcpy(scanned, p->mark.scanned, size);
	r = mark_all(p);
	vec_foreach(w, &p->mark.weak)
		w->kept = go_mark_has(&p->mark, w->object);
	memcpy(p->mark.marked, marked, size);
	memcpy(p->mark.scanned, scanned, size);
	return r;
}

/* Marks what marked weak pointers lead to. 1: there was something, 0, or a negative errno. */
static int follow_weak(struct go_pass *p)
{
	bool any = false, marked = false;
	int r;

	vec_foreach(w, &p->mark.weak)
		any |= weak_leads_on(p, w);
	if (!any)
		return 0;
	r = p->mark.kept_known ? 0 : find_kept(p);
	if (r)
		return r;
	p->mark.kept_known = true;
	vec_foreach(w, &p->mark.weak) {
		if (!w->kept || !weak_leads_on(p, w))
			continue;
		go_mark_word(&p->mark, w->object);
		marked = true;
	}
	return marked;
}

/* -- and all of it ---------------------------------------------------------------------------- */

/* Marks from the roots that there are, and makes roots of those that are found, until none are. */
static int spread(struct go_pass *p)
{
	bool more = true;
	int r = 0;

	while (!r && more) {
		r = go_mark_drain(&p->mark);
		if (!r)
			r = follow_weak(p);
		more = r > 0;
		r = r < 0 ? r : 0;
		for (size_t i = 0; !r && i < p->waiters.n; i++) {
			struct go_waiter *w = &p->waiters.items[i];

			if (w->awake || !can_be_woken(p, w))
				continue;
			more = true;
			r = go_mark_is_over(&p->mark) ? -ETIMEDOUT : go_pass_wake(p, w);
		}
	}
	return r;
}

/* Once more those that run, and all that has changed meanwhile. What they have may lie where there was no
 * heap before. */
static int look_again(struct go_pass *p, uint64_t heap_max, struct err *e)
{
	size_t more;
	int r = go_pass_read(p, &p->moved);

	if (r || !p->moved)
		return r ? r : spread(p);
	r = go_mark_renew(&p->mark, heap_max, e);
	if (!r)
		r = go_pass_read(p, &more);
	if (!r)
		r = go_mark_roots(&p->mark);
	return r ? r : spread(p);
}

static int say(int r, struct err *e)
{
	switch (r) {
	case -ETIMEDOUT:
		return err_set(e, r, "reading its heap takes too long");
	case -EAGAIN:
		return err_set(e, r, "its goroutines cannot be read");
	case -ESRCH:
		return err_set(e, r, "it has ended");
	case -EPERM:
		return err_set(e, r, "reading its memory is not permitted");
	case 0:
		return 0;
	default:
		return err_set(e, r, "%s", strerror(-r));
	}
}

int go_pass_run(struct go_pass *p, struct go_runtime *rt, uint64_t heap_max, const struct go_mark_end *end,
		struct err *e)
{
	size_t changed;
	int r;

	*p = (struct go_pass){ .rt = rt };
	e->text[0] = 0;
	r = go_mark_init(&p->mark, rt, heap_max, e);
	if (r)
		return e->text[0] ? r : say(r, e);
	p->mark.end = *end;
	r = go_pass_read(p, &changed);
	if (!r)
		r = go_pass_find_targets(p);
	if (!r) {
		hide_suspects(p);
		r = mark_roots(p);
	}
	if (!r)
		r = spread(p);
	if (!r)
		r = look_again(p, heap_max, e);
	if (!r && p->mark.unread)
		return err_set(e, -EAGAIN, "part of its memory cannot be read");
	return r && e->text[0] ? r : say(r, e);
}

void go_pass_deinit(struct go_pass *p)
{
	go_mark_deinit(&p->mark);
	go_maps_deinit(&p->maps);
	vec_free(&p->waiters);
	vec_free(&p->targets);
	hashmap_deinit(&p->by_address);
	memory_buffer_deinit(&p->buffer);
	*p = (struct go_pass){ 0 };
}
