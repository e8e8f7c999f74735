// SPDX-License-Identifier: Apache-2.0
/* The report for people. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include "base/strbuf.h"
#include "base/units.h"
#include "base/utf8.h"
#include "report/ink.h"
#include "report/text_frames.h"
#include "report/writer.h"

#define PIDS_SHOWN 8
#define LABEL	   "%-10s "
#define LABEL_N	   13 /* columns before what a label of the coverage says */

struct text {
	const struct report *r;
	const struct report_style *style;
	FILE *out;
	/* the line being written: parts go to the next one when they do not fit */
	size_t column, indent;
	bool oom;
};

/* -- lines ------------------------------------------------------------------------------------ */

static void line_begin(struct text *t, size_t indent, size_t hanging)
{
	fprintf(t->out, "%*s", (int)indent, "");
	t->column = indent;
	t->indent = hanging;
}

/* Adds a part after `separator`; neither of the two is ever broken. */
static void line_part(struct text *t, const char *separator, const char *ink, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void line_part(struct text *t, const char *separator, const char *ink, const char *fmt, ...)
{
	char *part;
	va_list ap;
	size_t n;
	int r;

	va_start(ap, fmt);
	r = vasprintf(&part, fmt, ap);
	va_end(ap);
	if (r < 0) {
		t->oom = true;
		return;
	}
	n = utf8_columns(part);
	if (t->style->width && t->column > t->indent &&
	    t->column + strlen(separator) + n + 1 > t->style->width) { /* 1: the next separator */
		if (*separator && *separator != ' ')
			fputc(*separator, t->out);
		fprintf(t->out, "\n%*s", (int)t->indent, "");
		t->column = t->indent + n;
	} else {
		fputs(separator, t->out);
		t->column += strlen(separator) + n;
	}
	ink_puts(t->out, t->style, ink, part);
	free(part);
}

static void line_end(struct text *t)
{
	fputc('\n', t->out);
}

/* A part made of foreign text. */
static void line_foreign(struct text *t, const char *separator, const char *ink, const char *s)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };

	utf8_add_printable(&b, s);
	if (b.oom)
		t->oom = true;
	else
		line_part(t, separator, ink, "%s", b.s ? b.s : "");
}

/* The same, as words that lines break between. */
static void line_words(struct text *t, const char *text)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };

	utf8_add_printable(&b, text);
	t->oom |= b.oom;
	for (const char *s = b.oom || !b.s ? "" : b.s; *s;) {
		size_t n = strcspn(s, " ");

		line_part(t, " ", INK_PLAIN, "%.*s", (int)n, s);
		s += n + strspn(s + n, " ");
	}
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* -- amounts ---------------------------------------------------------------------------------- */

static bool in_bytes(const struct report_resource *res)
{
	return !strcmp(res->unit, "bytes");
}

/* "16.1 KiB in 129", or "129" where the amount is the count. */
static char *tally_brief(const struct report_resource *res, struct tally y)
{
	struct strbuf b = { 0 };

	if (in_bytes(res))
		strbuf_addf(&b, "%s in %s", units_bytes(y.amount).s, units_count(y.count).s);
	else
		strbuf_adds(&b, units_count(y.count).s);
	return strbuf_steal(&b);
}

/* "16.1 KiB (16,529 bytes) in 129 allocations", or "129 descriptors". */
static void line_tally(struct text *t, const char *separator, const char *ink,
		       const struct report_resource *res, struct tally y)
{
	if (!in_bytes(res)) {
		line_part(t, separator, ink, "%s", units_count(y.count).s);
		line_foreign(t, " ", INK_PLAIN, res->unit);
		return;
	}
	line_part(t, separator, ink, "%s", units_bytes(y.amount).s);
	if (y.amount >= 1024)
		line_part(t, " ", INK_PLAIN, "(%s bytes)", units_count(y.amount).s);
	line_part(t, " ", INK_PLAIN, "in %s allocation%s", units_count(y.count).s, plural(y.count));
}

static double share(struct tally part, struct tally whole)
{
	if (whole.amount)
		return 100.0 * (double)part.amount / (double)whole.amount;
	return whole.count ? 100.0 * (double)part.count / (double)whole.count : 0;
}

/* -- header ----------------------------------------------------------------------------------- */

static uint64_t events_lost(const struct report_coverage *c)
{
	uint64_t lost = 0;

	for (size_t i = 0; i < ARRAY_SIZE(c->lost); i++)
		lost += c->lost[i];
	return lost;
}

static void text_target(struct text *t)
{
	const struct report *r = t->r;
	struct strbuf b = { 0 };
	char *pids;

	if (r->target.comm)
		utf8_add_printable(&b, r->target.comm);
	strbuf_addf(&b, "%s%s", b.n ? " (" : "", r->target.n_pids == 1 ? "pid" : "pids");
	for (size_t i = 0; i < r->target.n_pids && i < PIDS_SHOWN; i++)
		strbuf_addf(&b, "%s %d", i ? "," : "", (int)r->target.pids[i]);
	if (r->target.n_pids > PIDS_SHOWN)
		strbuf_addf(&b, " and %zu more", r->target.n_pids - PIDS_SHOWN);
	strbuf_adds(&b, r->target.comm && *r->target.comm ? ")" : "");
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

	if (!c->exact)
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
	text_detail(t, "cgroup", r->target.cgroup);
	text_detail(t, "container", r->target.container);
	text_detail(t, "target", r->target.ended);
}

/* -- resources -------------------------------------------------------------------------------- */

static void line_brief(struct text *t, const char *separator, const char *what,
		       const struct report_resource *res, struct tally y)
{
	_cleanup_free_ char *s = tally_brief(res, y);

	if (s)
		line_part(t, separator, INK_PLAIN, "%s %s", what, s);
	else
		t->oom = true;
}

static void text_total(struct text *t, const struct report_resource *res)
{
	line_begin(t, 0, 4);
	line_foreign(t, "", INK_STRONG, res->kind);
	if (!res->outstanding.count && !res->acquired.count && !t->r->coverage.probe_hits)
		line_part(t, ": ", INK_PLAIN, "nothing outstanding; no traced function was called");
	else if (!res->outstanding.count && !res->acquired.count)
		line_part(t, ": ", INK_PLAIN, "nothing outstanding; nothing was acquired");
	else if (!res->outstanding.count)
		line_part(t, ": ", INK_PLAIN, "nothing outstanding%s",
			  res->acquired.count == res->released.count ? ""
								     : " of what was asked for");
	else
		line_brief(t, ": ", "outstanding", res, res->outstanding);
	if (res->acquired.count)
		line_brief(t, "; ", "acquired", res, res->acquired);
	if (res->acquired.count && res->acquired.count == res->released.count)
		line_part(t, ", ", INK_PLAIN, "all of it released");
	else if (res->acquired.count || res->released.count)
		line_brief(t, "; ", "released", res, res->released);
	line_end(t);
}

static void text_verdict(struct text *t, enum verdict v)
{
	static const char *const inks[VERDICT_MAX] = {
		[VERDICT_UNKNOWN] = INK_PLAIN, [VERDICT_LOST] = INK_BAD,
		[VERDICT_GROWING] = INK_BAD,   [VERDICT_HELD] = INK_PLAIN,
		[VERDICT_YOUNG] = INK_FAINT,
	};

	if (verdict_name(v))
		line_part(t, "  ", inks[v], "%s", verdict_name(v));
}

/* What is kept of each second of tracing; windows under a second say nothing about a rate. */
static void text_rate(struct text *t, const struct report_resource *res,
		      const struct report_stack *s)
{
	double rate = t->r->window.seconds >= 1
			      ? (double)s->outstanding.amount / t->r->window.seconds
			      : 0;

	if (rate < 1)
		return;
	if (in_bytes(res))
		line_part(t, ", ", INK_PLAIN, "keeps %s/s", units_bytes((uint64_t)rate).s);
	else
		line_part(t, ", ", INK_PLAIN, "keeps %.1f/s", rate);
}

static int text_stack(struct text *t, const struct report_resource *res, size_t rank)
{
	const struct report_stack *s = &res->stacks[rank];
	int r;

	fputc('\n', t->out);
	line_begin(t, 0, 5);
	line_part(t, "", INK_STRONG, "#%-3zu", rank + 1);
	line_part(t, " ", INK_STRONG, "%.1f %%", share(s->outstanding, res->outstanding));
	line_tally(t, "  ", INK_STRONG, res, s->outstanding);
	text_verdict(t, s->verdict);
	line_end(t);
	line_begin(t, 5, 5);
	line_foreign(t, "", INK_PLAIN, s->via && *s->via ? s->via : "??");
	line_part(t, ", ", INK_PLAIN, "oldest %s", units_duration(s->oldest_seconds).s);
	line_part(t, ", ", INK_PLAIN, "%s of %s still held", units_count(s->outstanding.count).s,
		  units_count(s->acquired.count).s);
	text_rate(t, res, s);
	if (t->r->target.n_pids > 1)
		line_part(t, ", ", INK_PLAIN, "pid %d", (int)s->pid);
	line_end(t);
	r = text_frames(s, t->style, t->out);
	if (!r && !s->complete) {
		line_begin(t, 7, 9);
		line_part(t, "", INK_WARN, "stack incomplete:");
		line_words(t, s->stop ? s->stop : "the reason is not known");
		line_end(t);
	}
	return r;
}

static void text_rest(struct text *t, const struct report_resource *res)
{
	uint64_t stacks = res->n_stacks_all - res->n_stacks;
	struct tally rest = { res->outstanding.count - res->shown.count,
			      res->outstanding.amount - res->shown.amount };

	if (!stacks)
		return;
	fputc('\n', t->out);
	line_begin(t, 0, 5);
	line_part(t, "", INK_PLAIN, "%s more stack%s with", units_count(stacks).s, plural(stacks));
	line_tally(t, " ", INK_PLAIN, res, rest);
	line_part(t, " ", INK_PLAIN, "(%.1f %%);", share(rest, res->outstanding));
	line_part(t, " ", INK_PLAIN, "-T 0 shows all");
	line_end(t);
}

static int text_resource(struct text *t, const struct report_resource *res)
{
	int r = 0;

	fputc('\n', t->out);
	text_total(t, res);
	for (size_t i = 0; i < res->n_stacks && !r; i++)
		r = text_stack(t, res, i);
	text_rest(t, res);
	return r;
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
	line_words(t, cause);
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
}

static void text_coverage(struct text *t)
{
	const struct report_coverage *c = &t->r->coverage;

	fputc('\n', t->out);
	ink_puts(t->out, t->style, INK_STRONG, "coverage");
	line_end(t);
	text_losses(t);
	text_completeness(t);
	coverage_begin(t, "earlier");
	if (c->unmatched_known)
		line_part(t, "", INK_PLAIN, "%s release%s of what was acquired before tracing",
			  units_count(c->unmatched_releases).s, plural(c->unmatched_releases));
	else
		line_part(t, "", INK_PLAIN, "not known: sizes are filtered");
	line_end(t);
	coverage_begin(t, "overhead");
	if (c->overhead_percent < 0)
		line_part(t, "", INK_PLAIN, "not known");
	else
		line_part(t, "", INK_PLAIN, "%.1f %% of the target's CPU time",
			  c->overhead_percent);
	line_end(t);
}

static int text_write(const struct report *r, const struct report_style *style, FILE *out)
{
	struct text t = { .r = r, .style = style, .out = out };
	int err = 0;

	text_header(&t);
	if (!r->n_resources)
		fputs("\nnothing was traced\n", out);
	for (size_t i = 0; i < r->n_resources && !err; i++)
		err = text_resource(&t, &r->resources[i]);
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
