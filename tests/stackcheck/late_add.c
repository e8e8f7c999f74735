// SPDX-License-Identifier: Apache-2.0
/*
 * usage: late_add [OPTION...] -p PID[,PID...]
 *
 * Does as leaktrace with these options, with one difference: tracing has begun when the processes are added,
 * one after the other; or all that are in the scope, where one is asked for. MAX_PROCESSES in the environment: there is
 * room for as many.
 */
#include <string.h>
#include "app/interrupt.h"
#include "app/output.h"
#include "app/say.h"
#include "app/startup.h"

#define POLL_MS 20
#define BEFORE	10 /* polls before the first process, and between two */

static int poll_some(struct tracer *t, int times, struct err *e)
{
	int r = 0;

	for (int i = 0; i < times && !r; i++)
		r = tracer_poll(t, POLL_MS);
	return r ? err_set(e, r, "reading from BPF failed: %s", strerror(-r)) : 0;
}

static int add_all(struct tracer *t, const struct options *o, struct err *e)
{
	int r = poll_some(t, BEFORE, e);

	for (size_t i = 0; i < o->n_pids && !r; i++) {
		struct target target;

		r = target_open(o->pids[i], &target, e);
		if (!r)
			r = tracer_add(t, &target, e);
		if (!r)
			r = poll_some(t, BEFORE, e);
	}
	return r;
}

/* Blocks whose release was not seen, although they were acquired under our eyes. */
static int say_overtaken(const struct tracer *t, struct err *e)
{
	struct bpf_counters c;
	int r = object_counters(&t->object, &c);

	if (r)
		return err_set(e, r, "no counters");
	say("overtaken %llu", (unsigned long long)c.n[LT_COUNT_OVERTAKEN]);
	return 0;
}

/* `m`: whose scope is traced, or NULL. */
static int go_on(struct tracer *t, struct members *m, struct interrupt *interrupt, struct err *e)
{
	int r = 0;

	while (!r && !interrupt_signal(interrupt) && (m ? !members_over(m, t) : tracer_alive(t))) {
		r = poll_some(t, 1, e);
		if (!r && m)
			r = members_look(m, t, e);
	}
	return r;
}

static int run(const struct options *o, struct tracer *t, struct members *m, struct interrupt *interrupt, struct err *e)
{
	struct output out;
	int r = output_open(o, interrupt, &out, e);

	if (r)
		return r;
	out.members = m;
	tracer_start(t);
	interrupt_phase(interrupt, INTERRUPT_WINDOW);
	r = add_all(t, o, e);
	if (!r)
		say("tracing %zu processes", o->n_pids);
	if (!r)
		r = go_on(t, m, interrupt, e);
	interrupt_phase(interrupt, INTERRUPT_LAST);
	tracer_stop(t);
	if (!r)
		r = output_write(&out, o, t, NULL, e);
	if (!r)
		r = say_overtaken(t, e);
	output_close(&out, e);
	return r;
}

int main(int argc, char **argv)
{
	_cleanup_(options_deinit) struct options o = { 0 };
	const char *room = getenv("MAX_PROCESSES");
	struct tracer_options to = { 0 };
	struct members members = { 0 };
	struct interrupt *interrupt;
	struct startup startup;
	struct tracer *t = NULL;
	struct err e = { "" };
	int r;

	startup_begin(&startup);
	r = options_parse(argc, argv, &o, &e);
	if (!r)
		r = interrupt_create(false, &interrupt, &e);
	if (!r) {
		to.kinds = o.kinds;
		to.max_amount = o.max_size;
		to.attach_kind = o.attach;
		to.hooks = o.hooks;
		to.max_processes = room ? (uint32_t)atoi(room) : 0;
		to.follow = options_have_scope(&o);
		to.wants = members_want;
		to.wants_ctx = &members;
		if (options_have_scope(&o))
			r = members_open(&o, &members, &e);
		if (!r)
			r = tracer_create(&to, &t, &e);
		if (!r)
			r = run(&o, t, options_have_scope(&o) ? &members : NULL, interrupt, &e);
		tracer_destroy(t);
		members_deinit(&members);
		interrupt_destroy(interrupt);
	}
	if (r)
		say("%s", e.text);
	return r ? 1 : 0;
}
