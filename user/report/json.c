// SPDX-License-Identifier: Apache-2.0
/* The schema "leaktrace.report/1": tests/schema/report-1.schema.json. Fields are only ever added.
 */
#include <time.h>
#include "base/json.h"
#include "report/writer.h"

static void json_tally(struct json *j, const char *key, struct tally t)
{
	json_object_line(j, key);
	json_uint(j, "count", t.count);
	json_uint(j, "amount", t.amount);
	json_end(j);
}

static void json_frame(struct json *j, const struct report_frame *f)
{
	json_object_line(j, NULL);
	json_string(j, "function", f->function);
	json_string(j, "file", f->file);
	if (f->line)
		json_uint(j, "line", f->line);
	else
		json_null(j, "line");
	json_bool(j, "inlined", f->inlined);
	json_string(j, "module", f->module);
	json_string(j, "build_id", f->build_id);
	if (f->module)
		json_hex(j, "offset", f->offset);
	else
		json_null(j, "offset");
	if (f->address)
		json_hex(j, "address", f->address);
	else
		json_null(j, "address");
	if (f->repeats) {
		json_uint(j, "repeats", f->repeats);
		json_uint(j, "cycle", f->cycle);
	}
	json_end(j);
}

/* Seconds or percent; null: not known, which is less than 0. */
static void json_known(struct json *j, const char *key, double value)
{
	if (value < 0)
		json_null(j, key);
	else
		json_double(j, key, value);
}

static void json_item(struct json *j, const struct item *item)
{
	json_object_line(j, NULL);
	if (item->holder)
		json_uint(j, "holder", (uint64_t)item->holder);
	json_known(j, "age_seconds", item->age_seconds);
	for (size_t i = 0; i < item->n_fields; i++) {
		const struct item_field *f = &item->fields[i];

		if (f->has_number)
			json_uint(j, f->key, f->number);
		else if (f->has_real)
			json_double(j, f->key, f->real);
		else
			json_string(j, f->key, f->string);
	}
	json_string(j, "note", item->note);
	json_end(j);
}

static void json_pids(struct json *j, const struct report_stack *s)
{
	if (s->pid)
		json_uint(j, "pid", (uint64_t)s->pid);
	else
		json_null(j, "pid");
	json_array(j, "pids");
	for (size_t i = 0; i < s->n_pids; i++)
		json_uint(j, NULL, (uint64_t)s->pids[i]);
	if (s->pid)
		json_uint(j, NULL, (uint64_t)s->pid);
	json_end(j);
	json_uint(j, "ended_processes", s->n_ended);
}

static void json_stack(struct json *j, const struct report_stack *s)
{
	static const char *const origins[ORIGIN_MAX] = {
		[ORIGIN_TRACED] = "traced",
		[ORIGIN_BEFORE] = "before",
		[ORIGIN_UNSEEN] = "unseen",
	};
	char id[17];

	snprintf(id, sizeof(id), "%016llx", (unsigned long long)s->id);
	json_object(j, NULL);
	json_string(j, "id", id);
	json_pids(j, s);
	json_string(j, "origin", origins[s->origin]);
	json_string(j, "via", s->via);
	json_uint(j, "count", s->outstanding.count);
	json_uint(j, "amount", s->outstanding.amount);
	json_tally(j, "acquired", s->acquired);
	json_tally(j, "released", s->released);
	json_tally(j, "before", s->before);
	json_known(j, "oldest_seconds", s->oldest_seconds);
	json_known(j, "youngest_seconds", s->youngest_seconds);
	json_string(j, "verdict", verdict_name(s->verdict));
	json_bool(j, "complete", s->complete);
	json_string(j, "stop", s->complete ? NULL : s->stop);
	json_string(j, "furniture", s->furniture);
	json_array(j, "frames");
	for (size_t i = 0; i < s->n_frames; i++)
		json_frame(j, &s->frames[i]);
	json_end(j);
	json_string(j, "state", s->state);
	json_array(j, "place");
	for (size_t i = 0; i < s->n_place; i++)
		json_frame(j, &s->place[i]);
	json_end(j);
	json_array(j, "items");
	for (size_t i = 0; i < s->n_items; i++)
		json_item(j, &s->items[i]);
	json_end(j);
	json_uint(j, "items_total", s->n_items_all);
	json_uint(j, "noted", s->n_noted);
	json_end(j);
}

static void json_resource(struct json *j, const struct report_resource *res)
{
	json_object(j, NULL);
	json_string(j, "kind", res->kind);
	json_string(j, "state", res->state);
	json_string(j, "unit", res->unit);
	json_string(j, "method", res->method);
	json_tally(j, "outstanding", res->outstanding);
	json_tally(j, "acquired", res->acquired);
	json_tally(j, "released", res->released);
	json_tally(j, "before", res->before);
	json_tally(j, "unseen", res->unseen);
	json_uint(j, "stacks_total", res->n_stacks_all);
	json_array(j, "stacks");
	for (size_t i = 0; i < res->n_stacks; i++)
		json_stack(j, &res->stacks[i]);
	json_end(j);
	json_end(j);
}

/* UTC; null: not known. */
static void json_time(struct json *j, const char *key, time_t at)
{
	char text[64];
	struct tm tm;

	if (at && gmtime_r(&at, &tm) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		json_string(j, key, text);
	else
		json_null(j, key);
}

static void json_share(struct json *j, const struct report *r, const struct report_process *p, size_t resource)
{
	const struct process_share *s = &p->shares[resource];
	double count, amount;

	if (!s->outstanding.count && !s->acquired.count && !s->released.count)
		return;
	json_object(j, NULL);
	json_string(j, "kind", r->resources[resource].kind);
	json_string(j, "state", r->resources[resource].state);
	json_string(j, "unit", r->resources[resource].unit);
	json_tally(j, "outstanding", s->outstanding);
	json_tally(j, "acquired", s->acquired);
	json_tally(j, "released", s->released);
	json_tally(j, "before", s->before);
	json_tally(j, "unseen", s->unseen);
	if (report_process_rate(p, resource, &count, &amount)) {
		json_object_line(j, "new_per_second");
		json_double(j, "count", count);
		json_double(j, "amount", amount);
		json_end(j);
	} else {
		json_null(j, "new_per_second");
	}
	json_end(j);
}

/* What one process, or the sum of several, has of the resources. */
static void json_shares_of(struct json *j, const struct report *r, const struct report_process *p)
{
	json_array(j, "resources");
	for (size_t i = 0; i < r->n_resources && !p->refused; i++)
		json_share(j, r, p, i);
	json_end(j);
}

static void json_ended(struct json *j, const struct report *r, const struct report_process *p)
{
	json_object(j, NULL);
	json_string(j, "comm", p->comm);
	json_uint(j, "count", p->n_ended);
	json_shares_of(j, r, p);
	json_end(j);
}

static void json_process(struct json *j, const struct report *r, const struct report_process *p)
{
	json_object(j, NULL);
	json_uint(j, "pid", (uint64_t)p->pid);
	if (p->ns_pid)
		json_uint(j, "ns_pid", (uint64_t)p->ns_pid);
	else
		json_null(j, "ns_pid");
	json_string(j, "comm", p->comm);
	json_string(j, "exe", p->exe);
	json_string(j, "container", p->container);
	json_string(j, "container_name", p->container_name);
	json_string(j, "cgroup", p->cgroup);
	json_string(j, "state", p->state);
	json_string(j, "why", p->why);
	json_time(j, "started", p->started.tv_sec);
	json_time(j, "ended", p->ended.tv_sec);
	json_known(j, "unseen_ms", p->unseen_ms);
	json_shares_of(j, r, p);
	json_end(j);
}

static void json_scope(struct json *j, const struct report_scope *s)
{
	if (!s->kind) {
		json_null(j, "scope");
		return;
	}
	json_object(j, "scope");
	json_string(j, "kind", s->kind);
	json_array(j, "names");
	for (size_t i = 0; i < s->n_names; i++)
		json_string(j, NULL, s->names[i]);
	json_end(j);
	json_end(j);
}

static void json_target(struct json *j, const struct report *r)
{
	json_object(j, "target");
	json_array(j, "pids");
	for (size_t i = 0; i < r->target.n_pids; i++)
		json_uint(j, NULL, (uint64_t)r->target.pids[i]);
	json_end(j);
	json_string(j, "comm", r->target.comm);
	json_string(j, "exe", r->target.exe);
	json_string(j, "cgroup", r->target.cgroup);
	json_string(j, "container", r->target.container);
	json_string(j, "ended", r->target.ended);
	json_scope(j, &r->target.scope);
	json_array(j, "processes");
	for (size_t i = 0; i < r->target.n_processes; i++)
		if (!r->target.processes[i].n_ended)
			json_process(j, r, &r->target.processes[i]);
	json_end(j);
	json_array(j, "ended_processes");
	for (size_t i = 0; i < r->target.n_processes; i++)
		if (r->target.processes[i].n_ended)
			json_ended(j, r, &r->target.processes[i]);
	json_end(j);
	json_end(j);
}

static void json_window(struct json *j, const struct report *r)
{
	json_object(j, "window");
	json_time(j, "start", r->window.start.tv_sec);
	json_double(j, "seconds", r->window.seconds);
	json_end(j);
}

static void json_untraced(struct json *j, const struct report_coverage *c)
{
	json_array(j, "untraced");
	for (size_t i = 0; i < c->n_untraced; i++) {
		json_object_line(j, NULL);
		json_string(j, "what", c->untraced[i].what);
		json_string(j, "why", c->untraced[i].why);
		json_uint(j, "count", c->untraced[i].count);
		json_end(j);
	}
	json_end(j);
}

static void json_left_out(struct json *j, const struct left_out *l)
{
	json_array(j, "left_out");
	for (size_t i = 0; l && i < l->n; i++) {
		json_object_line(j, NULL);
		json_string(j, "what", l->items[i].what);
		json_string(j, "of", l->items[i].of);
		json_string(j, "why", l->items[i].why);
		json_end(j);
	}
	json_end(j);
	json_uint(j, "left_out_more", l ? l->more.n : 0);
}

static void json_shares(struct json *j, const char *key, const struct stack_shares *s)
{
	json_object_line(j, key);
	json_uint(j, "complete", s->complete);
	json_uint(j, "truncated", s->truncated);
	json_uint(j, "unknown", s->unknown);
	json_end(j);
}

static void json_coverage(struct json *j, const struct report_coverage *c)
{
	static const char *const losses[] = {
#define X(name, json, text) json,
		LT_LOSSES(X)
#undef X
	};
	static const char *const stops[LT_STOP_MAX] = {
#define X(name, json, text) [LT_STOP_##name] = json,
		LT_STOPS(X)
#undef X
	};

	_Static_assert(ARRAY_SIZE(losses) == ARRAY_SIZE(c->lost), "a row for each loss");
	json_object(j, "coverage");
	json_bool(j, "exact", c->exact);
	json_uint(j, "sample_bytes", c->sample_bytes);
	json_known(j, "overhead_percent", c->overhead_percent);
	json_known(j, "overhead_core_percent", c->overhead_core_percent);
	json_double(j, "syscall_ns", c->syscall_ns);
	json_uint(j, "probe_hits", c->probe_hits);
	json_object(j, "lost");
	for (size_t i = 0; i < ARRAY_SIZE(losses); i++)
		json_uint(j, losses[i], c->lost[i]);
	json_end(j);
	json_object(j, "stacks");
	json_uint(j, "complete", c->stacks_complete);
	json_uint(j, "truncated", c->stacks_truncated);
	json_object(j, "stops");
	for (size_t i = LT_STOP_NONE + 1; i < LT_STOP_MAX; i++)
		json_uint(j, stops[i], c->stops[i]);
	json_end(j);
	json_shares(j, "held", &c->held);
	json_shares(j, "acquired", &c->acquired);
	json_end(j);
	json_uint(j, "untraced_children", c->untraced_children);
	json_uint(j, "brief_children", c->brief_children);
	json_uint(j, "refused_children", c->refused_children);
	json_string(j, "refused_why", c->refused_why);
	json_uint(j, "unseen_processes", c->unseen_processes);
	json_double(j, "unseen_most_ms", c->unseen_most_ms);
	json_untraced(j, c);
	if (c->unmatched_known)
		json_uint(j, "unmatched_releases", c->unmatched_releases);
	else
		json_null(j, "unmatched_releases");
	json_left_out(j, c->left_out);
	json_end(j);
}

static int json_write(const struct report *r, const struct report_style *style, FILE *out)
{
	struct json j = json_make(out, style->one_line);

	json_object(&j, NULL);
	json_string(&j, "schema", "leaktrace.report/1");
	json_target(&j, r);
	json_window(&j, r);
	json_string(&j, "filter", r->filter);
	json_coverage(&j, &r->coverage);
	json_array(&j, "resources");
	for (size_t i = 0; i < r->n_resources; i++)
		json_resource(&j, &r->resources[i]);
	json_end(&j);
	json_end(&j);
	return json_finish(&j);
}

const struct report_writer report_writer_json = {
	.name = "json",
	.extensions = (const char *const[]){ ".json", ".jsonl", NULL },
	.write = json_write,
};
