// SPDX-License-Identifier: Apache-2.0
/*
 * The schema "leaktrace.goroutines/1". Fields are only ever added; what is not known is null.
 *
 * { "schema", "pid", "go": "go1.23.5", "time_ns": since 1970,
 *   "torn", "unread",                        goroutines that could not be read, with and without an
 * id "goroutines": [ { "id", "state", "leaked", "system", "locked", "thread": its id, "parent": the id of the
 * goroutine that created it, "created_by": { "function", "file", "line" }, "labels": { ... },
 *                     "complete": its stack is whole,
 *                     "frames": [ { "function", "file", "line", "inlined", "address" } ] } ] }
 */
#include <errno.h>
#include "app/goroutines.h"
#include "base/json.h"

static int write_place(struct json *j, const struct go_place *p, const struct go_place *line)
{
	_cleanup_(strbuf_deinit) struct strbuf name = { 0 };

	go_name_short(p->name, &name);
	if (name.oom)
		return -ENOMEM;
	json_string(j, "function", name.s);
	json_string(j, "file", line->file);
	if (line->line)
		json_uint(j, "line", line->line);
	else
		json_null(j, "line");
	return 0;
}

static int write_creator(struct goroutines *g, struct json *j, const struct goroutine *item)
{
	const struct go_places *at = go_trace_creator(&g->symbols, item);
	int r;

	if (!at) {
		json_null(j, "created_by");
		return 0;
	}
	json_object_line(j, "created_by");
	r = write_place(j, &at->items[at->n - 1], &at->items[0]);
	json_end(j);
	return r;
}

static void write_labels(struct goroutines *g, struct json *j, const struct goroutine *item)
{
	json_object_line(j, "labels");
	for (size_t i = item->labels; i < item->labels + item->n_labels; i++)
		json_string(j, g->list.labels.items[i].key, g->list.labels.items[i].value);
	json_end(j);
}

static int write_frames(struct goroutines *g, struct json *j, const struct goroutine *item)
{
	int r = go_trace_of(&g->symbols, &g->list, item, &g->trace);

	json_array(j, "frames");
	vec_foreach(f, &g->trace) {
		if (!f->shown || r)
			continue;
		json_object_line(j, NULL);
		r = write_place(j, f->place, f->place);
		json_bool(j, "inlined", f->place->inlined);
		json_hex(j, "address", g->list.pcs.items[item->pcs + f->pc]);
		json_end(j);
	}
	json_end(j);
	return r;
}

static void write_verdict(struct goroutines *g, struct json *j, const struct goroutine *item)
{
	if (goroutines_is_leaked(g, item) ||
	    (g->verdicts && g->verdicts[item - g->list.items] == GO_ALIVE))
		json_bool(j, "leaked", goroutines_is_leaked(g, item));
	else
		json_null(j, "leaked");
}

static int write_one(struct goroutines *g, struct json *j, const struct goroutine *item)
{
	int r;

	json_object(j, NULL);
	json_uint(j, "id", item->id);
	json_string(j, "state", item->state);
	write_verdict(g, j, item);
	json_bool(j, "system", item->system);
	json_bool(j, "locked", item->locked);
	if (item->tid)
		json_uint(j, "thread", (uint64_t)item->tid);
	else
		json_null(j, "thread");
	if (item->parent)
		json_uint(j, "parent", item->parent);
	else
		json_null(j, "parent");
	r = write_creator(g, j, item);
	write_labels(g, j, item);
	json_bool(j, "complete", item->complete);
	if (!r)
		r = write_frames(g, j, item);
	json_end(j);
	return r;
}

int goroutines_json(struct goroutines *g, FILE *out)
{
	struct json j = json_make(out, false);
	int r = 0;

	json_object(&j, NULL);
	json_string(&j, "schema", "leaktrace.goroutines/1");
	json_uint(&j, "pid", (uint64_t)g->pid);
	json_string(&j, "go", go_runtime_version(g->rt));
	json_uint(&j, "time_ns", g->time_ns);
	json_uint(&j, "torn", g->list.torn);
	json_uint(&j, "unread", g->list.unread);
	json_array(&j, "goroutines");
	vec_foreach(item, &g->list)
		if (!r && goroutines_shows(g, item))
			r = write_one(g, &j, item);
	json_end(&j);
	json_end(&j);
	return json_finish(&j) ?: r;
}
