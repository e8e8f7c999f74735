// SPDX-License-Identifier: Apache-2.0
/* The report for people. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/strbuf.h"
#include "base/units.h"
#include "base/utf8.h"
#include "report/text_line.h"
#include "report/writer.h"

#define PIDS_SHOWN 8
#define LABEL	   "%-10s "
#define LABEL_N	   13 /* columns before what a label of the coverage says */

/* -- header ----------------------------------------------------------------------------------- */

static uint64_t events_lost(const struct report_coverage *c)
{
	uint64_t lost = 0;

	for (size_t i = 0; i < ARRAY_SIZE(c->lost); i++)
		lost += c->lost[i];
	return lost;
}

/* "worker (pid 7)", "3 processes (pids 7, 8, 9)"; nothing where there is none. */
static void text_pids(const struct report *r, struct strbuf *b)
{
	const size_t n = r->target.n_pids;

	if (!n)
		return;
	if (r->target.comm)
		utf8_add_printable(b, r->target.comm);
	else if (n > 1)
		strbuf_addf(b, "%zu processes", n);
	strbuf_addf(b, "%s%s", r->target.comm || n > 1 ? " (" : "", n == 1 ? "pid" : "pids");
	for (size_t i = 0; i < n && i < PIDS_SHOWN; i++)
		strbuf_addf(b, "%s %d", i ? "," : "", (int)r->target.pids[i]);
	if (n > PIDS_SHOWN)
		strbuf_addf(b, " and %zu more", n - PIDS_SHOWN);
	strbuf_adds(b, r->target.comm || n > 1 ? ")" : "");
}

static void text_target(struct text *t)
{
	const struct report *r = t->r;
	struct strbuf b = { 0 };
	char *pids;

	if (r->target.scope.kind) {
		utf8_add_printable(&b, r->target.scope.words);
		strbuf_adds(&b, r->target.n_pids ? ": " : ": no processes");
	}
	text_pids(r, &b);
	pids = strbuf_steal(&b);
	line_begin(t, 0, 0);
	line_part(t, "", INK_STRONG, "%s", pids ? pids : "");
	t->oom |= !pids;
	free(pids);
	if (r->target.exe)
		line_foreign(t, "  ", INK_PLAIN, r->target.exe);
	line_end(t);
}

static void text_exactness(struct text *t)
{
	const struct report_coverage *c = &t->r->coverage;
	uint64_t lost = events_lost(c);

	if (!c->exact && c->sample_bytes > 1)
		line_part(t, ", ", INK_PLAIN, "sampled every %s: amounts are estimates",
			  units_bytes(c->sample_bytes).s);
	else if (!lost)
		line_part(t, ", ", INK_PLAIN, "exact");
	if (lost)
		line_part(t, ", ", INK_BAD, "incomplete: %s event%s lost (see coverage)",
			  units_count(lost).s, plural(lost));
}

/* A line of its own for each thing that is known. */
static void text_detail(struct text *t, const char *label, const char *value)
{
	if (!value)
		return;
	line_begin(t, 0, strlen(label) + 2);
	line_part(t, "", INK_PLAIN, "%s:", label);
	line_foreign(t, " ", INK_PLAIN, value);
	line_end(t);
}

static void text_header(struct text *t)
{
	const struct report *r = t->r;
	char start[64] = "";
	struct tm tm;

	text_target(t);
	line_begin(t, 0, 0);
	line_part(t, "", INK_PLAIN, "traced %s", units_duration(r->window.seconds).s);
	if (gmtime_r(&r->window.start.tv_sec, &tm) &&
	    strftime(start, sizeof(start), "from %Y-%m-%d %H:%M:%S UTC", &tm))
		line_part(t, " ", INK_PLAIN, "%s", start);
	text_exactness(t);
	line_end(t);
	text_detail(t, "only", r->filter);
	if (r->target.cgroup && strcmp(r->target.cgroup, "/")) /* all that is nowhere else is there */
		text_detail(t, "cgroup", r->target.cgroup);
	text_detail(t, "container", r->target.container);
	text_detail(t, "target", r->target.ended);
	text_detail(t, "target", r->target.halted);
}

/* -- resources -------------------------------------------------------------------------------- */

static bool is_empty(const struct report_resource *res)
{
	return !res->outstanding.count && !res->acquired.count && !res->released.count;
}

/* The first resource of each kind, and those that have something to say. */
static bool is_worth_a_line(const struct report *r, size_t i)
{
	return !i || strcmp(r->resources[i].kind, r->resources[i - 1].kind) ||
	       !is_empty(&r->resources[i]);
}

/* Whether nothing is to be said of the kind in any of its states. */
static bool is_empty_kind(const struct report *r, size_t first)
{
	size_t i = first;

	while (i < r->n_resources && !strcmp(r->resources[i].kind, r->resources[first].kind) &&
	       is_empty(&r->resources[i]))
		i++;
	return i == r->n_resources || strcmp(r->resources[i].kind, r->resources[first].kind);
}

/* What is empty stands together with its likes. */
static int text_resources(struct text *t)
{
	bool together = false;
	int err = 0;

	for (size_t i = 0; i < t->r->n_resources && !err; i++) {
		const struct report_resource *res = &t->r->resources[i];
		/* of memory more can be said than that */
		bool brief = is_empty(res) && strcmp(res->unit, "bytes");

		if (!is_worth_a_line(t->r, i))
			continue;
		if (!brief || !together)
			fputc('\n', t->out);
		if (brief)
			text_empty_resource(t, res, is_empty_kind(t->r, i));
		else
			err = text_resource(t, res);
		together = brief;
	}
	return err;
}

/* -- coverage --------------------------------------------------------------------------------- */

static void coverage_begin(struct text *t, const char *label)
{
	fprintf(t->out, "  " LABEL, label);
	t->column = t->indent = LABEL_N;
}

static void coverage_cause(struct text *t, const char *ink, uint64_t n, const char *cause)
{
	if (!n)
		return;
	line_begin(t, LABEL_N, LABEL_N + 2);
	line_part(t, "", ink, "%s:", units_count(n).s);
	line_words(t, " ", INK_PLAIN, cause);
	line_end(t);
}

static void text_losses(struct text *t)
{
	static const char *const causes[] = {
#define X(name, json, text) text,
		LT_LOSSES(X)
#undef X
	};
	const struct report_coverage *c = &t->r->coverage;
	uint64_t lost = events_lost(c);

	coverage_begin(t, "events");
	line_part(t, "", INK_PLAIN, "%s probe hit%s", units_count(c->probe_hits).s,
		  plural(c->probe_hits));
	if (lost)
		line_part(t, ", ", INK_BAD, "%s lost: the numbers above are not exact",
			  units_count(lost).s);
	else
		line_part(t, ", ", INK_PLAIN, "nothing lost");
	line_end(t);
	for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
		coverage_cause(t, INK_BAD, c->lost[i], causes[i]);
}

/* Of what is held, should it not all have whole stacks. */
static void text_shares(struct text *t, const struct stack_shares *held)
{
	if (!held->truncated && !held->unknown)
		return;
	line_begin(t, LABEL_N, LABEL_N + 2);
	line_part(t, "", INK_PLAIN, "of what is held, %s %s a whole one", units_count(held->complete).s,
		  held->complete == 1 ? "has" : "have");
	line_part(t, ", ", INK_WARN, "%s an incomplete one", units_count(held->truncated).s);
	if (held->unknown)
		line_part(t, ", ", INK_WARN, "%s one with code that is not known", units_count(held->unknown).s);
	line_end(t);
}

static void text_completeness(struct text *t)
{
	static const char *const causes[LT_STOP_MAX] = {
#define X(name, json, text) [LT_STOP_##name] = text,
		LT_STOPS(X)
#undef X
	};
	const struct report_coverage *c = &t->r->coverage;

	coverage_begin(t, "stacks");
	line_part(t, "", INK_PLAIN, "%s whole", units_count(c->stacks_complete).s);
	line_part(t, ", ", c->stacks_truncated ? INK_WARN : INK_PLAIN, "%s incomplete",
		  units_count(c->stacks_truncated).s);
	line_end(t);
	for (size_t i = LT_STOP_NONE + 1; i < LT_STOP_MAX; i++)
		coverage_cause(t, INK_WARN, c->stops[i], causes[i]);
	text_shares(t, &c->held);
}

static void text_left_out(struct text *t)
{
	const struct left_out *l = t->r->coverage.left_out;
	const char *label = "left out";
	size_t more;

	for (size_t i = 0; l && i < l->n; i++) {
		if (!left_out_is_first(l, i, &more))
			continue;
		coverage_begin(t, label);
		label = "";
		line_words(t, "", INK_WARN, l->items[i].what);
		line_foreign(t, " of ", INK_PLAIN, l->items[i].of);
		if (more)
			line_part(t, " ", INK_PLAIN, "and of %s more", units_count(more).s);
		line_words(t, ": ", INK_PLAIN, l->items[i].why);
		line_end(t);
	}
	if (!l || !l->more.n)
		return;
	coverage_begin(t, label);
	line_part(t, "", INK_WARN, "%s%s more", l->more.n < LEFT_OUT_COUNTED ? "" : "at least ",
		  units_count(l->more.n).s);
	line_end(t);
}

/* Nothing of what they did is in the report. */
static void text_children(struct text *t)
{
	const struct report_coverage *c = &t->r->coverage;
	const uint64_t n = c->untraced_children;

	if (!n)
		return;
	coverage_begin(t, "children");
	line_part(t, "", INK_WARN, "%s %s ran and %s not traced", units_count(n).s, n == 1 ? "child" : "children",
		  n == 1 ? "was" : "were");
	if (c->brief_children)
		line_part(t, "; ", INK_WARN, "%s ended before %s could be", units_count(c->brief_children).s,
			  c->brief_children == 1 ? "it" : "they");
	if (c->refused_children) {
		line_part(t, "; ", INK_WARN, "%s could not be:", units_count(c->refused_children).s);
		line_words(t, " ", INK_WARN, c->refused_why);
	}
	line_end(t);
}

/* What they allocated then is nowhere. */
static void text_unseen(struct text *t)
{
	const struct report_coverage *c = &t->r->coverage;

	if (!c->unseen_processes)
		return;
	coverage_begin(t, "unseen");
	line_part(t, "", INK_WARN, "%s process%s ran without probes at first, for %s%s", units_count(c->unseen_processes).s,
		  c->unseen_processes == 1 ? "" : "es", c->unseen_processes == 1 ? "" : "up to ",
		  units_duration(c->unseen_most_ms / 1e3).s);
	line_end(t);
}

/* "2 processes: a 32-bit process", "memory of 3 processes: no known allocator" */
static void text_untraced(struct text *t)
{
	const struct report_coverage *c = &t->r->coverage;

	for (size_t i = 0; i < c->n_untraced; i++) {
		const struct report_untraced *u = &c->untraced[i];

		coverage_begin(t, i ? "" : "untraced");
		if (strcmp(u->what, "process"))
			line_part(t, "", INK_WARN, "%s of ", u->what);
		line_part(t, "", INK_WARN, "%s process%s", units_count(u->count).s, u->count == 1 ? "" : "es");
		line_foreign(t, ": ", INK_PLAIN, u->why);
		line_end(t);
	}
}

/* A third of next to nothing is nothing to be afraid of: so the share of a core is told as well. */
static void text_overhead(struct text *t)
{
	const struct report_coverage *c = &t->r->coverage;
	const double core = c->overhead_core_percent;

	coverage_begin(t, "overhead");
	if (core < 0)
		line_part(t, "", INK_PLAIN, "not known");
	else if (c->overhead_percent < 0)
		line_part(t, "", INK_PLAIN, "of the target's CPU time there is too little to tell");
	else
		line_part(t, "", INK_PLAIN, "%.1f %% of the target's CPU time", c->overhead_percent);
	if (core >= 0)
		line_part(t, ", ", INK_PLAIN, "%.*f %% of a core", core > 0 && core < 0.1 ? 2 : 1, core);
	line_end(t);
}

static void text_coverage(struct text *t)
{
	const struct report_coverage *c = &t->r->coverage;

	fputc('\n', t->out);
	ink_puts(t->out, t->style, INK_STRONG, "coverage");
	line_end(t);
	text_losses(t);
	text_completeness(t);
	text_left_out(t);
	text_children(t);
	text_unseen(t);
	text_untraced(t);
	coverage_begin(t, "earlier");
	if (c->unmatched_known)
		line_part(t, "", INK_PLAIN, "%s release%s of what was acquired before tracing",
			  units_count(c->unmatched_releases).s, plural(c->unmatched_releases));
	else
		line_part(t, "", INK_PLAIN, "not known: sizes are filtered");
	line_end(t);
	text_overhead(t);
	if (!(c->syscall_ns > 0))
		return;
	coverage_begin(t, "others");
	line_part(t, "", INK_PLAIN, "each system call on this machine takes %.0f ns longer while tracing",
		  c->syscall_ns);
	line_end(t);
}

static int text_write(const struct report *r, const struct report_style *style, FILE *out)
{
	struct text t = { .r = r, .style = style, .out = out };
	int err = 0;

	text_header(&t);
	err = text_processes(&t);
	if (!r->n_resources)
		fputs("\nnothing was traced\n", out);
	if (!err)
		err = text_resources(&t);
	text_coverage(&t);
	fputc('\n', out); /* between this report and the next */
	if (err || t.oom)
		return -ENOMEM;
	return fflush(out) || ferror(out) ? -EIO : 0;
}

const struct report_writer report_writer_text = {
	.name = "text",
	.extensions = (const char *const[]){ ".txt", NULL },
	.periodic = true,
	.write = text_write,
};
