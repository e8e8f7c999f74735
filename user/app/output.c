// SPDX-License-Identifier: Apache-2.0
#include "app/output.h"
#include <string.h>
#include <sys/ioctl.h>
#include "app/report_target.h"
#include "report/build.h"

struct report_style output_style(const struct outfile *f)
{
	int fd = outfile_terminal(f);
	struct winsize w;

	return (struct report_style){
		.width = fd >= 0 && !ioctl(fd, TIOCGWINSZ, &w) ? w.ws_col : 0,
		.colour = fd >= 0 && !getenv("NO_COLOR"),
	};
}

int output_open(const struct options *o, struct interrupt *interrupt, struct output *ret, struct err *e)
{
	struct output out = { .writer = o->format };
	int r = outfile_open(o->output, interrupt, &out.file, e);

	if (r)
		return r;
	out.style = output_style(&out.file);
	out.until_ns = interrupt_end_ns(interrupt);
	out.style.one_line = o->interval_ns > 0;
	*ret = out;
	return 0;
}

static int fill_window(const struct options *o, struct tracer *t, struct arena *arena, struct report *rep)
{
	_cleanup_(strbuf_deinit) struct strbuf filter = { 0 };

	rep->window.start = t->started;
	rep->window.seconds = tracer_seconds(t);
	options_filter(o, &filter);
	rep->filter = arena_strdup(arena, filter.n ? filter.s : NULL);
	return filter.oom ? -ENOMEM : 0;
}

/* `n`: those of which BPF did not tell. Members of a scope that were refused are asked again, and told of as such. */
static void fill_children(const struct tracer *t, bool scope, uint64_t n, struct report_coverage *c)
{
	const struct unfollowed *u = &t->unfollowed;

	c->refused_children = scope ? 0 : u->refused;
	c->refused_why = c->refused_children ? u->why.text : NULL;
	c->brief_children = u->brief;
	c->untraced_children = n + c->brief_children + c->refused_children;
}

static void fill_unseen(const struct tracer *t, struct report_coverage *c)
{
	uint64_t most_ns = t->ended.unseen_most_ns;

	c->unseen_processes = t->ended.n_unseen;
	process_foreach(p, &t->processes) {
		c->unseen_processes += p->unseen_ns > 0;
		most_ns = p->unseen_ns > most_ns ? p->unseen_ns : most_ns;
	}
	c->unseen_most_ms = (double)most_ns / 1e6;
}

static int fill_coverage(struct tracer *t, const struct options *o, struct report_coverage *c)
{
	bool filtered = o->min_size > 0 || o->max_size < UINT64_MAX;
	struct tracer_overhead overhead;
	struct bpf_counters n;
	int r = object_counters(&t->object, &n);

	if (r)
		return r;
	/* each stands for any number of calls */
	c->exact = !n.n[LT_COUNT_LOST_SHARER] && !n.n[LT_COUNT_LOST_CHILD];
	c->sample_bytes = 1;
	tracer_overhead(t, &overhead);
	c->overhead_percent = overhead.percent;
	c->overhead_core_percent = overhead.core_percent;
	c->syscall_ns = t->cost.syscall_ns;
	c->probe_hits = n.n[LT_COUNT_HITS] + n.n[LT_COUNT_EVENTS];
	fill_children(t, options_have_scope(o), n.n[LT_COUNT_CHILDREN] + n.n[LT_COUNT_LOST_CHILD], c);
	fill_unseen(t, c);
	c->unmatched_known = !filtered; /* else they are, mostly, blocks that were filtered out */
	c->unmatched_releases = n.n[LT_COUNT_UNMATCHED] + t->books.unmatched;
	for (size_t i = 0; i < ARRAY_SIZE(c->lost); i++)
		c->lost[i] = n.n[LT_COUNT_LOST_MAP_FULL + i];
	c->unmatched_releases += t->ended.released_before;
	c->lost[LT_COUNT_LOST_PROBES_AWAY - LT_COUNT_LOST_MAP_FULL] += t->ended.probes_away;
	process_foreach(p, &t->processes) {
		c->unmatched_releases += p->reconciler.released_before;
		c->lost[LT_COUNT_LOST_PROBES_AWAY - LT_COUNT_LOST_MAP_FULL] += p->probes_away;
	}
	c->lost[0] += t->books.oom + t->books.bad_events;
	return 0;
}

int output_write(struct output *out, const struct options *o, struct tracer *t, const char *ended,
		 struct err *e)
{
	_cleanup_(arena_deinit) struct arena arena = { 0 };
	_cleanup_(hashmap_deinit) struct hashmap biases = { 0 };
	struct report_request rq = {
		.kinds = tracer_kinds(t),
		.sort = o->sort,
		.top = o->top,
		.all_frames = o->all_frames,
		.per_process = o->per_process,
	};
	struct report_source src = {
		.books = &t->books,
		.modules = &t->modules,
		.via_names = t->vias.names,
		.n_via_names = t->vias.n,
		.names = t->names,
		.until_ns = out->until_ns,
		.biases = &biases,
		.describe = tracer_describe,
		.describe_ctx = t,
	};
	struct report rep = { 0 };
	FILE *stream;
	int r = tracer_snapshot(t, o->older_ns, &src.now_ns);

	if (out->members)
		members_list_containers(out->members);
	if (!r)
		r = report_target_fill(t, out->members, ended, &arena, &rep);
	if (!r)
		r = fill_window(o, t, &arena, &rep);
	if (!r)
		r = fill_coverage(t, o, &rep.coverage);
	if (!r)
		r = tracer_methods(t, &arena, src.methods);
	if (!r)
		r = unwind_tables_biases(&t->tables, &biases);
	if (!r)
		r = report_build(&src, &rq, &arena, &rep);
	rep.coverage.left_out = &t->modules.left_out;
	if (r)
		return err_set(e, r, "the report cannot be made: %s", strerror(-r));
	r = outfile_begin(&out->file, &stream, e);
	if (!r)
		r = outfile_end(&out->file, out->writer->write(&rep, &out->style, stream), e);
	out->written += !r;
	return r;
}

int output_close(struct output *out, struct err *e)
{
	int r = outfile_close(&out->file, e);

	*out = OUTPUT_NONE;
	return r;
}
