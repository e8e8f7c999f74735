// SPDX-License-Identifier: Apache-2.0
#include "app/containers.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "app/outfile.h"
#include "app/say.h"
#include "app/trace.h"
#include "base/json.h"
#include "base/units.h"
#include "base/utf8.h"

#define COLUMN_MAX 40 /* a longer word pushes the others aside in its own line only */

/* -- text --------------------------------------------------------------------------------------- */

static void cell_text(struct strbuf *b, const char *s)
{
	if (s)
		utf8_add_printable(b, s);
	else
		strbuf_adds(b, "-");
}

static void cell_name(const struct container *c, struct strbuf *b)
{
	cell_text(b, c->words.name);
}

static void cell_id(const struct container *c, struct strbuf *b)
{
	_cleanup_free_ char *id = strndup(c->id, container_id_shown(c->id));

	if (!id)
		b->oom = true;
	cell_text(b, id);
}

static void cell_runtime(const struct container *c, struct strbuf *b)
{
	cell_text(b, c->words.runtime);
}

static void cell_processes(const struct container *c, struct strbuf *b)
{
	strbuf_adds(b, units_count(c->pids.n).s);
}

static void cell_pod(const struct container *c, struct strbuf *b)
{
	if (c->words.pod && c->words.namespace) {
		cell_text(b, c->words.namespace);
		strbuf_adds(b, "/");
	}
	cell_text(b, c->words.pod);
}

static void cell_image(const struct container *c, struct strbuf *b)
{
	cell_text(b, c->words.image);
}

/* Of version 1 as /proc/PID/cgroup has it, with the hierarchy before it. */
static void cell_cgroup(const struct container *c, struct strbuf *b)
{
	if (c->cgroup && *c->hierarchy) {
		cell_text(b, c->hierarchy);
		strbuf_adds(b, ":");
	}
	cell_text(b, c->cgroup);
}

static const struct column {
	const char *title;
	void (*cell)(const struct container *c, struct strbuf *b);
	bool number;
} columns[] = {
	{ "NAME", cell_name, false },	 { "ID", cell_id, false },     { "RUNTIME", cell_runtime, false },
	{ "PROCESSES", cell_processes, true }, { "POD", cell_pod, false }, { "IMAGE", cell_image, false },
	{ "CGROUP", cell_cgroup, false },
};

#define COLUMNS ARRAY_SIZE(columns)

/* The cell, or the title where there is no container. */
static void add_cell(const struct container *c, const struct column *column, struct strbuf *b)
{
	if (c)
		column->cell(c, b);
	else
		strbuf_adds(b, column->title);
}

static int measure(const struct container *c, size_t width[COLUMNS])
{
	for (size_t i = 0; i < COLUMNS; i++) {
		_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
		size_t n;

		add_cell(c, &columns[i], &b);
		if (b.oom)
			return -ENOMEM;
		n = utf8_columns(b.s);
		if (n > width[i])
			width[i] = n < COLUMN_MAX ? n : COLUMN_MAX;
	}
	return 0;
}

static int print_line(const struct container *c, const size_t width[COLUMNS], FILE *out)
{
	for (size_t i = 0; i < COLUMNS; i++) {
		_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
		size_t n;
		int blanks;

		add_cell(c, &columns[i], &b);
		if (b.oom)
			return -ENOMEM;
		n = utf8_columns(b.s);
		blanks = n < width[i] ? (int)(width[i] - n) : 0;
		if (columns[i].number)
			fprintf(out, "%*s%s", blanks, "", b.s);
		else
			fprintf(out, "%s%*s", b.s, i + 1 < COLUMNS ? blanks : 0, "");
		fputs(i + 1 < COLUMNS ? "  " : "\n", out);
	}
	return 0;
}

int containers_text(const struct container_list *l, FILE *out)
{
	size_t width[COLUMNS] = { 0 };
	int r = measure(NULL, width);

	vec_foreach(c, l)
		r = r ?: measure(c, width);
	r = r ?: print_line(NULL, width, out);
	vec_foreach(c, l)
		r = r ?: print_line(c, width, out);
	return r;
}

/* -- JSON --------------------------------------------------------------------------------------- */

static void write_one(struct json *j, const struct container *c)
{
	json_object(j, NULL);
	json_string(j, "id", c->id);
	json_string(j, "name", c->words.name);
	json_string(j, "runtime", c->words.runtime);
	json_string(j, "pod", c->words.pod);
	json_string(j, "namespace", c->words.namespace);
	json_string(j, "image", c->words.image);
	json_string(j, "cgroup", c->cgroup);
	json_string(j, "hierarchy", c->cgroup && *c->hierarchy ? c->hierarchy : NULL);
	json_uint(j, "processes", c->pids.n);
	json_array(j, "pids");
	vec_foreach(pid, &c->pids)
		json_uint(j, NULL, *pid);
	json_end(j);
	json_end(j);
}

/*
 * The schema "leaktrace.containers/1". Fields are only ever added; what is not known is null.
 *
 * { "schema", "left_out": containers beyond the most that are listed,
 *   "containers": [ { "id", "name", "runtime", "pod", "namespace": that the pod is in, "image",
 *                     "cgroup", "hierarchy": of cgroup version 1, as /proc/PID/cgroup calls it; null: version 2,
 *                     "processes": how many, "pids": [ ... ] } ] }
 */
int containers_json(const struct container_list *l, FILE *out)
{
	struct json j = json_make(out, false);

	json_object(&j, NULL);
	json_string(&j, "schema", "leaktrace.containers/1");
	json_uint(&j, "left_out", l->left_out);
	json_array(&j, "containers");
	vec_foreach(c, l)
		write_one(&j, c);
	json_end(&j);
	json_end(&j);
	return json_finish(&j);
}

/* -- all ---------------------------------------------------------------------------------------- */

/* What a reader of the list should know of it. */
static void tell(const struct container_list *l, const struct options *o)
{
	if (o->quiet)
		return;
	if (!l->n)
		say("no container runs on this host");
	if (l->left_out)
		say("%zu more containers are not listed: %d are the most that are", l->left_out, CONTAINERS_MAX);
	if (geteuid())
		say("only root may read all that container runtimes know: names, and whole containers, may be missing");
}

int containers_run(const struct options *o, struct interrupt *interrupt, struct err *e)
{
	_cleanup_(container_list_deinit) struct container_list l = { 0 };
	struct outfile out;
	FILE *stream;
	int r;

	if (container_list_find("", &l, e) || outfile_open(o->output, interrupt, &out, e))
		return EXIT_FAILED;
	tell(&l, o);
	r = outfile_begin(&out, &stream, e);
	if (!r) {
		r = o->format == &report_writer_json ? containers_json(&l, stream) : containers_text(&l, stream);
		r = outfile_end(&out, r, e);
	}
	return outfile_close(&out, e) || r ? EXIT_FAILED : EXIT_DONE;
}
