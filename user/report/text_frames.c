// SPDX-License-Identifier: Apache-2.0
/*
 * function   file:line         module
 * function   module+0xoffset           where no line is known
 *
 * Columns are as wide as the stack needs. What is too wide for the terminal takes it from the
 * widest column first; a line number is never shortened.
 */
#include "report/text_frames.h"
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include "base/strbuf.h"
#include "base/units.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "report/fold.h"
#include "report/ink.h"
#include "report/shorten.h"

#define INDENT	7
#define GAP	2
#define PAD_MAX 60 /* longer cells do not push the others to the right */
#define INLINED " (inlined)"

enum column { FUNCTION, PLACE, MODULE, COLUMNS };

static const size_t column_min[COLUMNS] = { 16, 16, 8 };

/* A cell is `text`, which may be shortened, and `tail`, which is not. */
struct cell {
	char *text, *tail;
};

struct row {
	struct cell cells[COLUMNS];
	const struct report_frame *frame;
	size_t repeats;
	unsigned int cycle; /* so many rows up to this one repeat, as in struct report_frame; 0: this one */
};

struct row_vec {
	VEC_OF(struct row);
};

static void rows_deinit(struct row_vec *rows)
{
	vec_foreach(row, rows) {
		for (int c = 0; c < COLUMNS; c++) {
			free(row->cells[c].text);
			free(row->cells[c].tail);
		}
	}
	vec_free(rows);
}

static char *printable(const char *s)
{
	struct strbuf b = { 0 };

	utf8_add_printable(&b, s);
	return strbuf_steal(&b);
}

__printf(1, 2) static char *formatted(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : s;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static bool known(const char *s)
{
	return s && *s;
}

/* Fills the cells in; those that stay empty are "". 0 or -ENOMEM. */
static int row_fill(struct row *row, const struct report_frame *f)
{
	const char *module = f->module ? base_name(f->module) : "";
	struct cell *place = &row->cells[PLACE];

	row->frame = f;
	row->cells[FUNCTION] = (struct cell){ printable(known(f->function) ? f->function : "??"),
					      formatted("%s", f->inlined ? INLINED : "") };
	row->cells[MODULE] =
		(struct cell){ printable(known(f->file) ? module : ""), formatted("%s", "") };
	if (known(f->file))
		*place = (struct cell){ printable(f->file),
					f->line ? formatted(":%u", f->line) : formatted("%s", "") };
	else if (known(f->module))
		*place = (struct cell){ printable(module), formatted("+0x%" PRIx64, f->offset) };
	else
		*place = (struct cell){ formatted("%s", ""),
					f->address ? formatted("0x%" PRIx64, f->address)
						   : formatted("%s", "") };
	for (int c = 0; c < COLUMNS; c++)
		if (!row->cells[c].text || !row->cells[c].tail)
			return -ENOMEM;
	return 0;
}

/* A recursion's equal frames become one row with a count, also where it is not deep. */
static int rows_make(const struct report_frame *frames, size_t n, struct row_vec *rows)
{
	for (size_t i = 0; i < n; i++) {
		struct row *last = rows->n ? &rows->items[rows->n - 1] : NULL;
		int r;

		if (last && last->cycle <= 1 && frames[i].cycle <= 1 &&
		    fold_same_frame(last->frame, &frames[i])) {
			last->repeats += 1 + frames[i].repeats;
			continue;
		}
		r = vec_push(rows, (struct row){ .repeats = frames[i].repeats, .cycle = frames[i].cycle });
		if (!r)
			r = row_fill(&rows->items[rows->n - 1], &frames[i]);
		if (r)
			return r;
	}
	return 0;
}

static size_t cell_columns(const struct cell *c)
{
	return utf8_columns(c->text) + utf8_columns(c->tail);
}

static void fit_columns(const struct row_vec *rows, unsigned int width, size_t ret[COLUMNS])
{
	static const size_t weight[COLUMNS] = { 1, 1, 2 }; /* a module is the least of the three */
	size_t total = INDENT + GAP * (COLUMNS - 1);

	memset(ret, 0, COLUMNS * sizeof(*ret));
	vec_foreach(row, rows)
		for (int c = 0; c < COLUMNS; c++)
			if (cell_columns(&row->cells[c]) > ret[c])
				ret[c] = cell_columns(&row->cells[c]);
	for (int c = 0; c < COLUMNS; c++)
		total += ret[c];
	while (width && total > width) {
		int widest = -1;

		for (int c = 0; c < COLUMNS; c++)
			if (ret[c] > column_min[c] &&
			    (widest < 0 || ret[c] * weight[c] > ret[widest] * weight[widest]))
				widest = c;
		if (widest < 0) {
			ret[MODULE] = 0; /* too narrow for three */
			return;
		}
		ret[widest]--;
		total--;
	}
}

static int cell_write(const struct cell *cell, enum column c, size_t width, bool pad,
		      const struct report_style *style, FILE *out)
{
	static void (*const shorten[COLUMNS])(struct strbuf *, const char *, size_t) = {
		shorten_function,
		shorten_path,
		shorten_middle,
	};
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	size_t tail = utf8_columns(cell->tail);

	shorten[c](&b, cell->text, width > tail ? width - tail : 1);
	strbuf_adds(&b, cell->tail);
	if (b.oom)
		return -ENOMEM;
	ink_puts(out, style, c == MODULE ? INK_FAINT : INK_PLAIN, b.s);
	if (width > PAD_MAX && !style->width)
		width = PAD_MAX;
	if (pad)
		fprintf(out, "%*s",
			(int)(GAP + (width > utf8_columns(b.s) ? width - utf8_columns(b.s) : 0)),
			"");
	return 0;
}

static void repeats_write(const struct row *row, FILE *out)
{
	fprintf(out, "%*s... and the same ", INDENT, "");
	if (row->cycle > 1)
		fprintf(out, "%u frames", row->cycle);
	else
		fputs("frame", out);
	fprintf(out, " %s more time%s\n", units_count(row->repeats).s, row->repeats > 1 ? "s" : "");
}

static int row_write(const struct row *row, const size_t width[COLUMNS],
		     const struct report_style *style, FILE *out)
{
	int last = MODULE, r = 0;

	while (last && (!cell_columns(&row->cells[last]) || !width[last]))
		last--;
	fprintf(out, "%*s", INDENT, "");
	for (int c = 0; c <= last && !r; c++)
		r = cell_write(&row->cells[c], (enum column)c, width[c], c < last, style, out);
	fputc('\n', out);
	if (row->repeats)
		repeats_write(row, out);
	return r;
}

int text_frames(const struct report_frame *frames, size_t n, const struct report_style *style, FILE *out)
{
	_cleanup_(rows_deinit) struct row_vec rows = { 0 };
	size_t width[COLUMNS];
	int r = rows_make(frames, n, &rows);

	if (r)
		return r;
	fit_columns(&rows, style->width, width);
	for (size_t i = 0; i < rows.n && !r; i++)
		r = row_write(&rows.items[i], width, style, out);
	return r;
}
