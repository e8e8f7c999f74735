// SPDX-License-Identifier: Apache-2.0
/*
 * Whether a process is as its release's row in user/go/layout.c says. A field read from the wrong
 * place shows: addresses are not those of stacks and functions, numbers not those of states.
 */
#include <errno.h>
#include <string.h>
#include "go/goroutine.h"
#include "go/runtime.h"

#define SAMPLE	   64 /* goroutines that are looked at: the first, among them the runtime's own */
#define TRIES	   5  /* for one that changes meanwhile */
#define G_MAX	   1024
#define STACK_MAX  (4ULL << 30)
#define STARTED	   6 /* that a program has which runs */
#define SYSTEM_MIN 2 /* of the runtime's own that must be among them */

struct sample {
	unsigned int alive, system, unsound;
};

static bool check_bounds(const struct go_runtime *rt, struct err *e)
{
	const struct go_addresses *a = &rt->at;
	const uint64_t text = rt->table.text + rt->bias;

	if (a->text == text && a->etext > a->text && a->noptrdata <= a->enoptrdata &&
	    a->data <= a->edata && a->bss <= a->ebss && a->noptrbss <= a->enoptrbss && a->data &&
	    a->bss)
		return true;
	err_set(e, -EOPNOTSUPP,
		"built by %s, but the bounds of its data make no sense (moduledata at 0x%llx)",
		rt->version, (unsigned long long)a->module);
	return false;
}

static bool is_function(const struct go_runtime *rt, uint64_t pc, struct go_function *ret)
{
	return gopclntab_at(&rt->table, pc - rt->bias, ret) && ret->entry == pc - rt->bias;
}

static bool is_code(const struct go_runtime *rt, uint64_t pc)
{
	return pc >= rt->at.text && pc < rt->at.etext;
}

/* One that has started and not ended. */
static bool check_goroutine(const struct go_runtime *rt, const uint8_t *g, uint64_t at,
			    bool *ret_system)
{
	const struct go_layout *l = rt->layout;
	const uint64_t low = go_field(g, G_MAX, l->g.stack, 8),
		       high = go_field(g, G_MAX, l->g.stack + 8, 8);
	const uint64_t gopc = go_field(g, G_MAX, l->g.gopc, 8), self = l->g.sched + l->gobuf.g;
	const uint64_t goid = go_field(g, G_MAX, l->g.goid, 8);
	struct go_function f;

	if (!goid || goid >> 48 || low >= high || high - low > STACK_MAX || low & 7 || high & 7 ||
	    go_field(g, G_MAX, self, 8) != at ||
	    go_field(g, G_MAX, l->g.waitreason, 1) >= rt->n_reasons ||
	    (gopc && !is_code(rt, gopc)) || go_field(g, G_MAX, l->g.parentGoid, 8) >> 48 ||
	    go_field(g, G_MAX, l->g.lockedm, 8) & 7 || go_field(g, G_MAX, l->g.waiting, 8) & 7 ||
	    go_field(g, G_MAX, l->g.labels, 8) & 7)
		return false;
	/* a thread that C made has none */
	if (!is_function(rt, go_field(g, G_MAX, l->g.startpc, 8), &f))
		return !go_field(g, G_MAX, l->g.startpc, 8);
	*ret_system |= gopc && !strncmp(f.name, "runtime.", 8);
	return true;
}

static bool is_known_status(uint64_t status)
{
	return status <= GO_DEAD_EXTRA && status != 5 && status != 7;
}

static void sample_add(const struct go_runtime *rt, uint64_t at, struct sample *s)
{
	const struct go_layout *l = rt->layout;
	bool sound = false, system = false, alive = false;
	uint8_t g[G_MAX] = { 0 };
	uint64_t status;

	for (int i = 0; i < TRIES && !sound; i++) {
		if (memory_read(&rt->memory, at, g, l->g.size))
			continue;
		status = go_field(g, sizeof(g), l->g.atomicstatus, 4) & ~(uint64_t)GO_SCAN;
		alive = status && status != GO_DEAD && status != GO_DEAD_EXTRA;
		sound = is_known_status(status) && (!alive || check_goroutine(rt, g, at, &system));
	}
	s->alive += alive;
	s->system += system;
	s->unsound += !sound;
}

static int check_goroutines(const struct go_runtime *rt, struct err *e)
{
	const struct go_slice all = go_read_slice(rt, rt->at.allgs);
	const size_t n = all.n < SAMPLE ? all.n : SAMPLE;
	struct sample s = { 0 };
	uint64_t at[SAMPLE];

	if (!n)
		return err_set(e, -EAGAIN, "it is only starting");
	if (memory_read(&rt->memory, all.at, at, n * sizeof(*at)))
		return err_set(e, -EOPNOTSUPP,
			       "built by %s, but its list of goroutines cannot be read",
			       rt->version);
	for (size_t i = 0; i < n; i++)
		sample_add(rt, at[i], &s);
	if (!s.unsound && s.system >= SYSTEM_MIN)
		return 0;
	if (!s.unsound && n < STARTED)
		return err_set(e, -EAGAIN, "it is only starting");
	return err_set(
		e, -EOPNOTSUPP,
		"built by %s, but its goroutines are not as that release has them (of %zu %u make "
		"no sense, %u are alive, %u the runtime's own)",
		rt->version, n, s.unsound, s.alive, s.system);
}

int go_check(struct go_runtime *rt, struct err *e)
{
	if (rt->layout->g.size > G_MAX || !check_bounds(rt, e))
		return -EOPNOTSUPP;
	if (!rt->at.allgs)
		return err_set(e, -EOPNOTSUPP,
			       "built by %s, but its list of goroutines is not to be found",
			       rt->version);
	if (!rt->at.wait_reasons)
		return err_set(e, -EOPNOTSUPP,
			       "built by %s, but the names of what goroutines wait for are not to "
			       "be found",
			       rt->version);
	return check_goroutines(rt, e);
}
