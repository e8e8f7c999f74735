// SPDX-License-Identifier: Apache-2.0
/* The processes for people, where there are several: a line for each with what it holds; of several containers a line
 * for each of them, and below it those of its processes that hold most. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/strbuf.h"
#include "base/units.h"
#include "base/utf8.h"
#include "report/text_line.h"

#define PROCESSES_SHOWN 20
#define GROUP_SHOWN	5  /* processes of a container, where there are several */
#define GROUPS_SHOWN	20
#define CONTAINER_WIDTH 12 /* of an id; that many columns of it tell it from others */
#define INDENT		2
#define PID_WIDTH	7

struct row {
	const struct report_process *process;
	size_t n_resources;
};

/* Whoever holds most comes first: of the first resource, then of the next. */
static int compare_shares(const struct process_share *x, const struct process_share *y, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (x[i].outstanding.amount != y[i].outstanding.amount)
			return x[i].outstanding.amount > y[i].outstanding.amount ? -1 : 1;
	return 0;
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int r = compare_shares(x->process->shares, y->process->shares, x->n_resources);

	if (r)
		return r;
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

static void line_holdings(struct text *t, const struct process_share *shares)
{
	const char *separator = "  ";

	for (size_t i = 0; i < t->r->n_resources; i++) {
		if (!shares[i].outstanding.count)
			continue;
		line_amount(t, separator, &t->r->resources[i], shares[i].outstanding);
		separator = ", ";
	}
	if (*separator == ' ')
		line_part(t, separator, INK_PLAIN, "nothing");
}

/* Of all of them together. */
static void rate_of(const struct row *rows, size_t n, size_t resource, double *ret_count, double *ret_amount)
{
	*ret_count = *ret_amount = 0;
	for (size_t i = 0; i < n; i++) {
		double count, amount;

		if (!report_process_rate(rows[i].process, resource, &count, &amount))
			continue;
		*ret_count += count;
		*ret_amount += amount;
	}
}

/* What is less than a tenth, or a byte, in a second is left out. */
static void line_new(struct text *t, const struct row *rows, size_t n)
{
	const char *separator = "; new: ";

	for (size_t i = 0; i < t->r->n_resources; i++) {
		const struct report_resource *res = &t->r->resources[i];
		double count, amount;

		rate_of(rows, n, i, &count, &amount);
		if (in_bytes(res) ? amount < 1 : count < 0.1)
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
	const bool left = p->state && !strcmp(p->state, "left"); /* it goes on, untraced */
	const char *words = left ? "left" : "ended";

	if (p->ended.tv_sec && p->started.tv_sec)
		line_part(t, "  ", INK_WARN, "%s after %s", words, units_duration(seconds_between(p->started, p->ended)).s);
	else if (p->ended.tv_sec)
		line_part(t, "  ", INK_WARN, "%s", words);
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

static const char *container_of(const struct report_process *p)
{
	return p->container_name ? p->container_name : p->container;
}

static bool any_container(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].process->container)
			return true;
	return false;
}

/* How the lines of some processes look. */
struct columns {
	size_t indent, comm_width;
	bool containers;
};

/* Of several that have ended in one line. */
static void text_ended(struct text *t, const struct row *row, const struct columns *c)
{
	const struct report_process *p = row->process;

	line_begin(t, c->indent, c->indent + PID_WIDTH + 1);
	line_part(t, "", INK_STRONG, "%*s", PID_WIDTH, "ended");
	line_column(t, p->comm ? p->comm : "others", 0, c->comm_width);
	if (c->containers)
		line_column(t, "-", CONTAINER_WIDTH, CONTAINER_WIDTH);
	line_part(t, "  ", INK_WARN, "%s process%s", units_count(p->n_ended).s, p->n_ended == 1 ? "" : "es");
	line_holdings(t, p->shares);
	line_end(t);
}

static void text_process(struct text *t, const struct row *row, const struct columns *c)
{
	const struct report_process *p = row->process;

	line_begin(t, c->indent, c->indent + PID_WIDTH + 1);
	line_part(t, "", INK_STRONG, "%*d", PID_WIDTH, (int)p->pid);
	line_column(t, p->comm, 0, c->comm_width);
	if (c->containers)
		line_column(t, p->container ? container_of(p) : "-", CONTAINER_WIDTH, CONTAINER_WIDTH);
	if (p->ns_pid && p->ns_pid != p->pid)
		line_part(t, "  ", INK_PLAIN, "pid %d there", (int)p->ns_pid);
	line_life(t, p);
	line_holdings(t, p->shares);
	line_new(t, row, 1);
	line_end(t);
}

static uint64_t count_processes(const struct row *rows, size_t n)
{
	uint64_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += rows[i].process->n_ended ? rows[i].process->n_ended : 1;
	return count;
}

static void add_shares(struct process_share *to, const struct row *rows, size_t n, size_t n_resources)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n_resources; k++)
			tally_add(&to[k].outstanding, rows[i].process->shares[k].outstanding.count,
				  rows[i].process->shares[k].outstanding.amount);
}

/* All the others in one line. */
static int text_rest(struct text *t, const struct row *rows, size_t n, size_t indent)
{
	_cleanup_free_ struct process_share *shares = calloc(t->r->n_resources + 1, sizeof(*shares));

	if (!shares)
		return -ENOMEM;
	add_shares(shares, rows, n, t->r->n_resources);
	line_begin(t, indent, indent + PID_WIDTH + 1);
	line_part(t, "", INK_PLAIN, "and %s more:", units_count(count_processes(rows, n)).s);
	line_holdings(t, shares);
	line_end(t);
	return 0;
}

/* Some processes, those that hold most first. */
static int text_rows(struct text *t, struct row *rows, size_t n, size_t most, struct columns c)
{
	const size_t shown = n > most ? most : n;

	qsort(rows, n, sizeof(*rows), compare_rows);
	c.comm_width = widest(rows, shown);
	c.containers = c.containers && any_container(rows, shown);
	for (size_t i = 0; i < shown; i++)
		(rows[i].process->n_ended ? text_ended : text_process)(t, &rows[i], &c);
	return n > shown ? text_rest(t, rows + shown, n - shown, c.indent) : 0;
}

/* -- by container ----------------------------------------------------------------------------- */

struct group {
	struct row *rows; /* of one container, or of none */
	size_t n, n_resources;
	struct process_share *shares; /* the sums */
};

static int compare_containers(const void *a, const void *b)
{
	const struct report_process *x = ((const struct row *)a)->process, *y = ((const struct row *)b)->process;

	if (!x->n_ended != !y->n_ended) /* of sums it is not known in which they were */
		return x->n_ended ? 1 : -1;
	return strcmp(x->container ? x->container : "", y->container ? y->container : "");
}

static int compare_groups(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	int r = compare_shares(x->shares, y->shares, x->n_resources);

	return r ? r : compare_containers(x->rows, y->rows);
}

/* How many containers the rows are of, which are then in order of them; those of none count as another one, and so do
 * sums of those that have ended. */
static size_t sort_by_container(struct row *rows, size_t n)
{
	size_t groups = 0;

	qsort(rows, n, sizeof(*rows), compare_containers);
	for (size_t i = 0; i < n; i++)
		groups += !i || compare_containers(&rows[i - 1], &rows[i]);
	return groups;
}

static int text_group(struct text *t, const struct group *g)
{
	const struct columns c = { .indent = 2 * INDENT };
	const struct report_process *first = g->rows->process;
	const uint64_t n = count_processes(g->rows, g->n);

	line_begin(t, INDENT, 2 * INDENT);
	line_foreign(t, "", INK_STRONG, first->container ? container_of(first) : first->n_ended ? "ended before" : "no container");
	line_part(t, "  ", INK_PLAIN, "%s process%s", units_count(n).s, n == 1 ? "" : "es");
	line_holdings(t, g->shares);
	line_new(t, g->rows, g->n);
	line_end(t);
	return text_rows(t, g->rows, g->n, GROUP_SHOWN, c);
}

/* All the others in one line; their sums go into the first of them. */
static void text_more_groups(struct text *t, const struct group *groups, size_t n)
{
	uint64_t processes = 0;

	for (size_t g = 0; g < n; g++) {
		if (g)
			add_shares(groups->shares, groups[g].rows, groups[g].n, groups->n_resources);
		processes += count_processes(groups[g].rows, groups[g].n);
	}
	line_begin(t, INDENT, 2 * INDENT);
	line_part(t, "", INK_PLAIN, "and %s more containers with %s processes:", units_count(n).s,
		  units_count(processes).s);
	line_holdings(t, groups->shares);
	line_end(t);
}

static int text_groups(struct text *t, struct row *rows, size_t n, size_t n_groups)
{
	const size_t n_resources = t->r->n_resources;
	_cleanup_free_ struct group *groups = calloc(n_groups, sizeof(*groups));
	_cleanup_free_ struct process_share *shares = calloc(n_groups * n_resources + 1, sizeof(*shares));
	size_t g = 0;
	int r = 0;

	if (!groups || !shares)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		g += i && compare_containers(&rows[i - 1], &rows[i]);
		if (!groups[g].n++)
			groups[g] = (struct group){ rows + i, 1, n_resources, shares + g * n_resources };
		add_shares(groups[g].shares, rows + i, 1, n_resources);
	}
	qsort(groups, n_groups, sizeof(*groups), compare_groups);
	for (g = 0; g < n_groups && g < GROUPS_SHOWN && !r; g++)
		r = text_group(t, &groups[g]);
	if (n_groups > GROUPS_SHOWN)
		text_more_groups(t, groups + GROUPS_SHOWN, n_groups - GROUPS_SHOWN);
	return r;
}

int text_processes(struct text *t)
{
	_cleanup_free_ struct row *rows = calloc(t->r->target.n_processes + 1, sizeof(*rows));
	const struct columns c = { .indent = INDENT, .containers = true };
	size_t n = 0, n_groups;
	bool grouped;

	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < t->r->target.n_processes; i++)
		if (!t->r->target.processes[i].refused) /* of those the coverage tells */
			rows[n++] = (struct row){ &t->r->target.processes[i], t->r->n_resources };
	if (n < 2)
		return 0;
	n_groups = sort_by_container(rows, n);
	grouped = t->r->target.scope.kind && n_groups - (rows[n - 1].process->n_ended > 0) > 1;
	fputc('\n', t->out);
	line_begin(t, 0, 0);
	line_part(t, "", INK_STRONG, "%s", grouped ? "processes, by container" : "processes");
	line_end(t);
	return grouped ? text_groups(t, rows, n, n_groups) : text_rows(t, rows, n, PROCESSES_SHOWN, c);
}
