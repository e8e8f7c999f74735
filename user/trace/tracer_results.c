// SPDX-License-Identifier: Apache-2.0
/* What a trace has found out, for reports. */
#include <bpf/libbpf.h>
#include <errno.h>
#include "base/clock.h"
#include "trace/tracer.h"
#include "trace/tracer_events.h"

int tracer_read_books(struct tracer *t, uint64_t now_ns, uint64_t older_ns)
{
	struct books_snapshot s;
	int r;

	books_snapshot_begin(&s, &t->books, now_ns, older_ns);
	r = ledger_snapshot(&t->ledger, &s);
	process_foreach(p, &t->processes)
		sources_snapshot(p, &s);
	books_snapshot_end(&s);
	return r;
}

int tracer_snapshot(struct tracer *t, uint64_t older_ns, uint64_t *ret_now_ns)
{
	if (!t->stop_ns)
		tracer_refresh(t);
	*ret_now_ns = t->stop_ns ? t->stop_ns : clock_now();
	ring_buffer__consume(t->ring);
	tracer_handle_events(t);
	tracer_remove_forgotten(t);
	process_foreach(p, &t->processes)
		if (p->state == PROCESS_TRACED && late_stacks_any(&t->late, (uint32_t)p->target.pid))
			process_update(t, p, *ret_now_ns);
	jit_stacks_finish(t);
	return tracer_read_books(t, *ret_now_ns, older_ns);
}

int tracer_describe(void *tracer, uint32_t tgid, enum lt_kind kind, uint64_t id, uint64_t acquired_ns,
		    struct arena *arena, struct item *ret)
{
	struct tracer *t = tracer;
	const struct kind *k = kind_of(kind);
	struct traced_process *p = process_table_latest(&t->processes, (pid_t)tgid);
	struct holding h = {
		.id = id,
		.acquired_ns = acquired_ns,
		.now_ns = t->stop_ns ? t->stop_ns : clock_now(),
	};
	struct goroutine_state state; /* of `h` */

	*ret = (struct item){ .age_seconds = -1 };
	if (!k)
		return 0;
	if (kind == LT_KIND_CONNECTION)
		h.peer_closed_ns = object_peer_closed_ns(&t->object, id);
	if (p)
		sources_describe(p, kind, &h, &state);
	return k->describe(p && p->reconciler.counted ? &p->reconciler.census : NULL, &h, arena, ret);
}

uint32_t tracer_kinds(const struct tracer *t)
{
	const uint32_t asked = t->options.kinds, of_sources = asked & sources_kinds();
	uint32_t kinds = asked & ~of_sources, begun = t->ended.of_sources;
	bool allocator = t->ended.allocator;

	process_foreach(p, &t->processes) {
		begun |= sources_begun(p);
		allocator |= p->allocator;
	}
	if (begun && !allocator)
		kinds &= ~(1U << LT_KIND_MEMORY);
	return begun || !kinds ? kinds | of_sources : kinds;
}

int tracer_methods(const struct tracer *t, struct arena *arena, const char *ret[LT_KIND_MAX])
{
	int r = 0;

	process_foreach(p, &t->processes)
		if (!r)
			r = sources_methods(p, arena, ret);
	return r;
}

double tracer_seconds(const struct tracer *t)
{
	if (!t->start_ns)
		return 0;
	return (double)((t->stop_ns ? t->stop_ns : clock_now()) - t->start_ns) / 1e9;
}

void tracer_overhead(struct tracer *t, struct tracer_overhead *ret)
{
	struct bpf_counters c;
	uint64_t cpu_ns = t->ended.cpu_ns;
	bool whole = !t->ended.cpu_not_whole;
	double cost, seconds = tracer_seconds(t);

	*ret = (struct tracer_overhead){ .percent = -1, .core_percent = -1 };
	if (object_counters(&t->object, &c))
		return;
	process_foreach(p, &t->processes) {
		cpu_ns += p->cpu_ns - p->cpu_start_ns;
		whole &= p->state != PROCESS_ENDED || p->cpu_whole;
	}
	cost = cost_meter_ns(&t->cost, &c);
	if (cost < 0)
		return;
	ret->core_percent = seconds > 0 ? 100 * cost / (seconds * 1e9) : 0;
	ret->percent = cpu_ns ? 100 * cost / (double)cpu_ns : 0;
	/* What a probe costs was measured, with an error: in a program that does little else it may come out as
	 * more than all. So it does where a process has ended and did not tell its last moments' time. */
	if (cost > (double)cpu_ns)
		ret->percent = whole && cpu_ns ? 100 : -1;
}
