// SPDX-License-Identifier: Apache-2.0
/* The processes for people, where there are several: a line for each with what it holds. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/strbuf.h"
#include "base/units.h"
#include "base/utf8.h"
#include "report/text_line.h"

#define PROCESSES_SHOWN 20
#define CONTAINER_WIDTH 12 /* of an id; that many columns of it tell it from others */
#define INDENT		2
#define PID_WIDTH	7

struct row {
	const struct report_process *process;
	size_t n_resources;
};

/* Those that hold most come first: of the first resource, then of the next, and at last by number. */
static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	for (size_t i = 0; i < x->n_resources; i++) {
		uint64_t of_x = x->process->shares[i].outstanding.amount;
		uint64_t of_y = y->process->shares[i].outstanding.amount;

		if (of_x != of_y)
			return of_x > of_y ? -1 : 1;
	}
	return x->process->pid < y->process->pid ? -1 : x->process->pid > y->process->pid;
}

static bool in_bytes(const struct report_resource *res)
{
	return !strcmp(res->unit, "bytes");
}

/* "16.1 KiB", "1.2 MiB Go heap", "7 connections open" */
static void line_amount(struct text *t, const char *separator, const struct report_resource *res, struct tally y)
{
	if (in_bytes(res)) {
		line_part(t, separator, INK_PLAIN, "%s%s", units_bytes(y.amount).s, res->state ? " Go heap" : "");
		return;
	}
	line_part(t, separator, INK_PLAIN, "%s", units_count(y.count).s);
	line_unit(t, res, y.count);
	if (res->state)
		line_part(t, " ", INK_PLAIN, "%s", res->state);
}

static void line_rate(struct text *t, const char *separator, const struct report_resource *res, double count,
		      double amount)
{
	const char *state = res->state ? res->state : "";

	if (in_bytes(res))
		line_part(t, separator, INK_PLAIN, "%s/s%s", units_bytes((uint64_t)amount).s,
			  res->state ? " Go heap" : "");
	else
		line_part(t, separator, INK_PLAIN, "%.1f %s%s%s/s", count, res->unit, *state ? " " : "", state);
}

static void line_holdings(struct text *t, const struct report_process *p)
{
	const char *separator = "  ";

	for (size_t i = 0; i < t->r->n_resources; i++) {
		if (!p->shares[i].outstanding.count)
			continue;
		line_amount(t, separator, &t->r->resources[i], p->shares[i].outstanding);
		separator = ", ";
	}
	if (*separator == ' ')
		line_part(t, separator, INK_PLAIN, "nothing");
}

/* What is less than a tenth, or a byte, in a second is left out. */
static void line_new(struct text *t, const struct report_process *p)
{
	const char *separator = "; new: ";

	for (size_t i = 0; i < t->r->n_resources; i++) {
		const struct report_resource *res = &t->r->resources[i];
		double count, amount;

		if (!report_process_rate(p, i, &count, &amount) || (in_bytes(res) ? amount < 1 : count < 0.1))
			continue;
		line_rate(t, separator, res, count, amount);
		separator = ", ";
	}
}

static double seconds_between(struct timespec from, struct timespec to)
{
	return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

static void line_life(struct text *t, const struct report_process *p)
{
	if (p->ended.tv_sec && p->started.tv_sec)
		line_part(t, "  ", INK_WARN, "ended after %s", units_duration(seconds_between(p->started, p->ended)).s);
	else if (p->ended.tv_sec)
		line_part(t, "  ", INK_WARN, "ended");
}

/* Printable, and not wider than `width`; 0: any. */
static char *column_of(const char *s, size_t width)
{
	struct strbuf b = { 0 };
	char *text;

	utf8_add_printable(&b, s && *s ? s : "??");
	text = strbuf_steal(&b);
	if (text && width)
		text[utf8_head(text, width)] = '\0';
	return text;
}

static void line_column(struct text *t, const char *s, size_t cut, size_t width)
{
	_cleanup_free_ char *text = column_of(s, cut);
	size_t n = text ? utf8_columns(text) : 0;

	t->oom |= !text;
	line_part(t, " ", INK_PLAIN, "%s%*s", text ? text : "", n < width ? (int)(width - n) : 0, "");
}

static size_t widest(const struct row *rows, size_t n)
{
	size_t width = 0;

	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *text = column_of(rows[i].process->comm, 0);
		size_t columns = text ? utf8_columns(text) : 0;

		width = columns > width ? columns : width;
	}
	return width;
}

static bool any_container(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].process->container)
			return true;
	return false;
}

/* Of several that have ended in one line. */
static void text_ended(struct text *t, const struct report_process *p, size_t comm_width, bool containers)
{
	line_begin(t, INDENT, INDENT + PID_WIDTH + 1);
	line_part(t, "", INK_STRONG, "%*s", PID_WIDTH, "ended");
	line_column(t, p->comm ? p->comm : "others", 0, comm_width);
	if (containers)
		line_column(t, "-", CONTAINER_WIDTH, CONTAINER_WIDTH);
	line_part(t, "  ", INK_WARN, "%s process%s", units_count(p->n_ended).s, p->n_ended == 1 ? "" : "es");
	line_holdings(t, p);
	line_end(t);
}

static void text_process(struct text *t, const struct report_process *p, size_t comm_width, bool containers)
{
	line_begin(t, INDENT, INDENT + PID_WIDTH + 1);
	line_part(t, "", INK_STRONG, "%*d", PID_WIDTH, (int)p->pid);
	line_column(t, p->comm, 0, comm_width);
	if (containers)
		line_column(t, p->container ? p->container : "-", CONTAINER_WIDTH, CONTAINER_WIDTH);
	line_life(t, p);
	line_holdings(t, p);
	line_new(t, p);
	line_end(t);
}

static uint64_t count_processes(const struct row *rows, size_t n)
{
	uint64_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += rows[i].process->n_ended ? rows[i].process->n_ended : 1;
	return count;
}

/* All the others in one line. */
static int text_rest(struct text *t, const struct row *rows, size_t n)
{
	struct process_share *shares = calloc(t->r->n_resources + 1, sizeof(*shares));
	struct report_process sum = { .shares = shares, .seconds = -1 };

	if (!shares)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < t->r->n_resources; k++) {
			shares[k].outstanding.count += rows[i].process->shares[k].outstanding.count;
			shares[k].outstanding.amount += rows[i].process->shares[k].outstanding.amount;
		}
	line_begin(t, INDENT, INDENT + PID_WIDTH + 1);
	line_part(t, "", INK_PLAIN, "and %s more:", units_count(count_processes(rows, n)).s);
	line_holdings(t, &sum);
	line_end(t);
	free(shares);
	return 0;
}

int text_processes(struct text *t)
{
	size_t n = t->r->target.n_processes, shown = n > PROCESSES_SHOWN ? PROCESSES_SHOWN : n;
	_cleanup_free_ struct row *rows = calloc(n + 1, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		rows[i] = (struct row){ &t->r->target.processes[i], t->r->n_resources };
	qsort(rows, n, sizeof(*rows), compare_rows);
	line_begin(t, 0, 0);
	line_part(t, "", INK_STRONG, "processes");
	line_end(t);
	for (size_t i = 0; i < shown; i++)
		(rows[i].process->n_ended ? text_ended : text_process)(t, rows[i].process, widest(rows, shown),
								       any_container(rows, shown));
	return n > shown ? text_rest(t, rows + shown, n - shown) : 0;
}
