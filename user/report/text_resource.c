// SPDX-License-Identifier: Apache-2.0
/* A resource for people: its totals, then its stacks with what each of them holds. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/strbuf.h"
#include "base/units.h"
#include "report/text_frames.h"
#include "report/text_line.h"

#define ITEMS_SHOWN 5

/* -- amounts ---------------------------------------------------------------------------------- */

static bool in_bytes(const struct report_resource *res)
{
	return !strcmp(res->unit, "bytes");
}

void line_unit(struct text *t, const struct report_resource *res, uint64_t n)
{
	_cleanup_free_ char *unit = strdup(res->unit);
	size_t len = unit ? strlen(unit) : 0;

	if (!unit) {
		t->oom = true;
		return;
	}
	if (n == 1 && len > 4 && !strcmp(unit + len - 4, "sses"))
		unit[len - 2] = '\0';
	else if (n == 1 && len > 1 && unit[len - 1] == 's')
		unit[len - 1] = '\0';
	line_foreign(t, " ", INK_PLAIN, unit);
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
		line_unit(t, res, y.count);
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

/* -- totals ----------------------------------------------------------------------------------- */

/* "thread, ended but never joined" */
static void line_heading(struct text *t, const char *kind, const char *state)
{
	static const struct {
		const char *kind, *state, *words;
	} special[] = {
		{ "memory", "go", "Go heap" },
		{ "thread", "unjoined", "ended but never joined" },
		{ "process", "zombie", "zombies" },
	};

	line_foreign(t, "", INK_STRONG, kind);
	for (size_t i = 0; state && i < ARRAY_SIZE(special); i++)
		if (!strcmp(kind, special[i].kind) && !strcmp(state, special[i].state))
			state = special[i].words;
	if (state)
		line_words(t, ", ", INK_STRONG, state);
}

static void line_brief(struct text *t, const char *separator, const char *what,
		       const struct report_resource *res, struct tally y)
{
	_cleanup_free_ char *s = tally_brief(res, y);

	if (s)
		line_part(t, separator, INK_PLAIN, "%s %s", what, s);
	else
		t->oom = true;
}

/* ": 190 from before tracing, 3,011 acquired here", or ", all from before tracing"; nothing where
 * all was seen acquired. */
static void line_origins(struct text *t, const struct report_resource *res)
{
	const struct {
		uint64_t n;
		const char *words, *ink;
	} parts[] = {
		{ res->before.count, "from before tracing", INK_PLAIN },
		{ res->outstanding.count - res->before.count - res->unseen.count, "acquired here",
		  INK_PLAIN },
		{ res->unseen.count, "acquired unseen", INK_WARN },
	};
	const char *separator = ": ";

	if (!res->before.count && !res->unseen.count)
		return;
	if (in_bytes(res)) { /* what of it is still held is not known */
		line_brief(t, "; ", "when tracing began", res, res->before);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (parts[i].n == res->outstanding.count)
			line_part(t, ", ", parts[i].ink, "all %s", parts[i].words);
		else if (parts[i].n)
			line_part(t, separator, parts[i].ink, "%s %s", units_count(parts[i].n).s,
				  parts[i].words);
		separator = parts[i].n ? ", " : separator;
	}
}

static void line_outstanding(struct text *t, const struct report_resource *res)
{
	if (!res->outstanding.count && !res->acquired.count && !t->r->coverage.probe_hits)
		line_part(t, ": ", INK_PLAIN, "nothing outstanding; %s",
			  t->r->target.halted ? "the target stands still" : "no traced function was called");
	else if (!res->outstanding.count && !res->acquired.count)
		line_part(t, ": ", INK_PLAIN, "nothing outstanding; nothing was acquired");
	else if (!res->outstanding.count)
		line_part(t, ": ", INK_PLAIN, "nothing outstanding%s",
			  res->acquired.count == res->released.count ? ""
								     : " of what was asked for");
	else
		line_brief(t, ": ", "outstanding", res, res->outstanding);
	if (res->outstanding.count && !in_bytes(res))
		line_unit(t, res, res->outstanding.count);
	line_origins(t, res);
}

static void text_total(struct text *t, const struct report_resource *res)
{
	line_begin(t, 0, 4);
	line_heading(t, res->kind, res->state);
	line_outstanding(t, res);
	if (res->acquired.count)
		line_brief(t, "; ", "acquired", res, res->acquired);
	if (res->acquired.count && res->acquired.count == res->released.count)
		line_part(t, ", ", INK_PLAIN, "all of it released");
	else if (res->acquired.count || res->released.count)
		line_brief(t, "; ", "released", res, res->released);
	line_end(t);
	if (res->method) {
		line_begin(t, 4, 4);
		line_words(t, "", INK_PLAIN, res->method);
		line_end(t);
	}
}

void text_empty_resource(struct text *t, const struct report_resource *res, bool all_states)
{
	line_begin(t, 0, 4);
	line_heading(t, res->kind, all_states ? NULL : res->state);
	line_part(t, ": ", INK_PLAIN, "none held, none acquired");
	line_end(t);
}

/* -- what a stack holds ----------------------------------------------------------------------- */

/* "7 of 7: peer closed up to 5m 12s ago, this side never called close" */
static void text_notes(struct text *t, const struct report_stack *s)
{
	for (size_t i = 0; i < s->n_notes; i++) {
		line_begin(t, 5, 7);
		line_part(t, "", INK_BAD, "%s of %s", units_count(s->notes[i].count).s,
			  units_count(s->n_items_all).s);
		line_colon(t);
		line_words(t, " ", INK_BAD, s->notes[i].text);
		line_end(t);
	}
}

/* "! 5m 20s  tcp 10.0.0.5:41234 to 10.0.0.9:5432, CLOSE_WAIT": what has a note begins with the
 * mark. The note itself follows only where there are several, so that it has not been told above.
 */
static void text_item(struct text *t, const struct report_stack *s, const struct item *i, int ages)
{
	struct units_text age = { "?" };

	if (i->age_seconds >= 0)
		age = units_duration(i->age_seconds);
	line_begin(t, 5, 7 + (ages ? (size_t)ages + 2 : 0));
	line_part(t, "", i->note ? INK_BAD : INK_PLAIN, "%s", i->note ? "!" : "-");
	if (ages)
		line_part(t, " ", INK_PLAIN, "%-*s ", ages, age.s);
	line_words(t, " ", INK_PLAIN, i->text && *i->text ? i->text : "??");
	if (i->holder)
		line_part(t, ", ", INK_PLAIN, "pid %d", (int)i->holder);
	if (i->note && s->n_notes > 1) {
		line_colon(t);
		line_words(t, " ", INK_PLAIN, i->note);
	}
	line_end(t);
}

static void text_items(struct text *t, const struct report_stack *s)
{
	size_t n = s->n_items < ITEMS_SHOWN ? s->n_items : ITEMS_SHOWN;
	int ages = 0;

	for (size_t i = 0; i < n; i++) {
		double age = s->items[i].age_seconds;
		int len = age < 0 ? 0 : (int)strlen(units_duration(age).s);

		ages = len > ages ? len : ages;
	}
	for (size_t i = 0; i < n; i++)
		text_item(t, s, &s->items[i], ages);
	if (n && s->n_items_all > n) {
		line_begin(t, 7, 7);
		line_part(t, "", INK_PLAIN, "and %s more", units_count(s->n_items_all - n).s);
		line_end(t);
	}
}

/* -- stacks ----------------------------------------------------------------------------------- */

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
static void rate_in_bytes(struct text *t, const struct report_stack *s)
{
	double window = t->r->window.seconds;
	double rate = window >= 1 ? (double)s->outstanding.amount / window : 0;

	if (rate >= 1)
		line_part(t, ", ", INK_PLAIN, "keeps %s/s", units_bytes((uint64_t)rate).s);
}

/* The same of what is counted: of the shortest time in which that is at least one. */
static void rate_in_numbers(struct text *t, const struct report_stack *s)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = { { "s", 1 }, { "min", 60 }, { "h", 3600 } };
	double window = t->r->window.seconds;

	for (size_t i = 0; i < ARRAY_SIZE(units) && window >= units[i].seconds; i++) {
		double rate = (double)s->outstanding.count * units[i].seconds / window;

		if (rate < 1)
			continue;
		line_part(t, ", ", INK_PLAIN, "keeps %.1f/%s", rate, units[i].name);
		break;
	}
}

/* What is held of kinds that are read whole, against what was when tracing began. */
static void text_change(struct text *t, const struct report_resource *res, const struct report_stack *s)
{
	uint64_t now = s->outstanding.amount, before = s->before.amount;
	double window = t->r->window.seconds;
	double rate = window >= 1 && now > before ? (double)(now - before) / window : 0;

	if (now == before)
		line_part(t, ", ", INK_PLAIN, "as many as when tracing began");
	else if (in_bytes(res))
		line_part(t, ", ", INK_PLAIN, "%s %s than when tracing began",
			  units_bytes(now > before ? now - before : before - now).s,
			  now > before ? "more" : "less");
	else
		line_part(t, ", ", INK_PLAIN, "%s of them since tracing began", units_count(now - before).s);
	if (in_bytes(res) && rate >= 1)
		line_part(t, ", ", INK_PLAIN, "%s/s", units_bytes((uint64_t)rate).s);
	else if (!in_bytes(res) && rate >= 0.1)
		line_part(t, ", ", INK_PLAIN, "%.1f/s", rate);
}

/* Where the holdings come from, and since when. */
static void text_source(struct text *t, const struct report_resource *res,
			const struct report_stack *s)
{
	static const char *const untraced[ORIGIN_MAX] = {
		[ORIGIN_BEFORE] = "held since before tracing",
		[ORIGIN_UNSEEN] = "acquired in a way that no probe saw",
	};

	line_begin(t, 5, 5);
	if (s->origin != ORIGIN_TRACED)
		line_part(t, "", INK_PLAIN, "%s", untraced[s->origin]);
	else if (s->state)
		line_words(t, "", INK_PLAIN, s->state);
	else
		line_foreign(t, "", INK_PLAIN, s->via && *s->via ? s->via : "??");
	if (s->oldest_seconds >= 0)
		line_part(t, ", ", INK_PLAIN, "oldest %s", units_duration(s->oldest_seconds).s);
	if (s->state || res->method) {
		text_change(t, res, s);
	} else if (s->origin == ORIGIN_TRACED) {
		line_part(t, ", ", INK_PLAIN, "%s of %s still held",
			  units_count(s->outstanding.count).s, units_count(s->acquired.count).s);
		(in_bytes(res) ? rate_in_bytes : rate_in_numbers)(t, s);
	}
	if (s->n_pids + s->n_ended > 1)
		line_part(t, ", ", INK_PLAIN, "in %s processes", units_count(s->n_pids + s->n_ended).s);
	else if (s->pid && t->r->target.n_pids > 1)
		line_part(t, ", ", INK_PLAIN, "pid %d", (int)s->pid);
	if (s->furniture)
		line_words(t, ", the runtime's own: ", INK_PLAIN, s->furniture);
	line_end(t);
}

static void text_label(struct text *t, const char *label)
{
	line_begin(t, 5, 5);
	line_part(t, "", INK_FAINT, "%s", label);
	line_end(t);
}

/* Of goroutines: where they are, and then what has started them. */
static int text_stack_frames(struct text *t, const struct report_stack *s)
{
	int r = 0;

	if (s->n_place) {
		text_label(t, "at");
		r = text_frames(s->place, s->n_place, t->style, t->out);
	}
	if (s->state && s->n_frames)
		text_label(t, "started by");
	return r ? r : text_frames(s->frames, s->n_frames, t->style, t->out);
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
	text_source(t, res, s);
	text_notes(t, s);
	r = text_stack_frames(t, s);
	if (!r && !s->complete) {
		line_begin(t, 7, 9);
		line_part(t, "", INK_WARN, "stack incomplete:");
		line_words(t, " ", INK_PLAIN, s->stop ? s->stop : "the reason is not known");
		line_end(t);
	}
	text_items(t, s);
	return r;
}

/* What is put last, in the order of the stacks: all of the same words together. */
static void text_furniture_row(struct text *t, const struct report_resource *res, size_t first)
{
	const char *words = res->stacks[first].furniture;
	struct tally sum = { 0 };

	for (size_t i = first; i < res->n_stacks; i++) {
		const struct report_stack *s = &res->stacks[i];

		if (!s->furniture || strcmp(s->furniture, words))
			continue;
		sum.count += s->outstanding.count;
		sum.amount += s->outstanding.amount;
	}
	line_begin(t, 5, 7);
	line_tally(t, "", INK_PLAIN, res, sum);
	line_words(t, ": ", INK_PLAIN, words);
	line_end(t);
}

static void text_furniture(struct text *t, const struct report_resource *res, size_t from)
{
	if (from == res->n_stacks)
		return;
	fputc('\n', t->out);
	line_begin(t, 0, 5);
	line_part(t, "", INK_PLAIN, "the runtime's own, once:");
	line_end(t);
	for (size_t i = from; i < res->n_stacks; i++) {
		size_t first = from;

		while (strcmp(res->stacks[first].furniture, res->stacks[i].furniture))
			first++;
		if (first == i)
			text_furniture_row(t, res, i);
	}
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

int text_resource(struct text *t, const struct report_resource *res)
{
	size_t n = res->n_stacks - res->n_furniture;
	int r = 0;

	text_total(t, res);
	for (size_t i = 0; i < n && !r; i++)
		r = text_stack(t, res, i);
	text_furniture(t, res, n);
	text_rest(t, res);
	return r;
}
