// SPDX-License-Identifier: Apache-2.0
/*
 * The schema "leaktrace.doctor/1". Fields are only ever added; what is in order has no reason: null.
 *
 * { "schema", "release", "machine", "works", "refusal",
 *   "permissions", "btf", "lockdown",             why not; lockdown: its mode
 *   "statistics", "sock_diag",                    why not
 *   "hooks": [ { "name", "what", "way",           way: null when none works
 *                "refused": [ { "way", "errno", "why", "remedy" } ] } ],
 *   "all_syscalls", "syscall_ns",                 what every system call of the machine costs more
 *   "probes": [ { "kind", "works", "used", "errno", "why", "remedy" } ],
 *   "return_probes_kill",                         processes under seccomp
 *   "targets": [ { "pid", "comm", "exe", "works", "why", "remedy", "threads", "seccomp",
 *                  "allocator", "pthread",        found or not
 *                  "stranger", "anonymous_code",
 *                  "modules": [ { "path", "allocator", "functions", "thread_functions",
 *                                 "unwind_entries" } ],
 *                  "namespaces": [ names of those that are not leaktrace's ] } ] }
 */
#include "app/doctor.h"
#include "app/doctor_words.h"
#include <string.h>
#include "base/json.h"

static void words(struct json *j, int error, struct doctor_words w)
{
	json_uint(j, "errno", (uint64_t)-error);
	json_string(j, "why", w.why);
	json_string(j, "remedy", w.remedy);
}

static void hook(struct json *j, const struct hook_choice *c, const struct host_facts *f)
{
	json_object(j, NULL);
	json_string(j, "name", c->hook->name);
	json_string(j, "what", c->hook->what);
	json_string(j, "way", c->row ? hook_way_name(c->row->way) : NULL);
	json_array(j, "refused");
	for (size_t i = 0; i < c->hook->n_rows; i++) {
		enum hook_way way = c->hook->rows[i].way;

		if (!c->refused[i])
			continue;
		json_object_line(j, NULL);
		json_string(j, "way", hook_way_name(way));
		words(j, c->refused[i], doctor_hook_words(way, c->refused[i], f));
		json_end(j);
	}
	json_end(j);
	json_end(j);
}

static void probes(struct json *j, const struct host_facts *f)
{
	json_array(j, "probes");
	for (size_t i = 0; i < f->n_attach; i++) {
		const struct attach_fact *a = &f->attach[i];
		int error = a->load ? a->load : a->use;

		json_object_line(j, NULL);
		json_string(j, "kind", a->name);
		json_bool(j, "works", !error);
		json_bool(j, "used", f->attach_used && !strcmp(f->attach_used, a->name));
		words(j, error, doctor_attach_words(a, f));
		json_end(j);
	}
	json_end(j);
}

static void module(struct json *j, const struct module_fact *m)
{
	json_object_line(j, NULL);
	json_string(j, "path", m->path);
	json_string(j, "allocator", m->allocator);
	json_uint(j, "functions", m->n_allocator);
	json_uint(j, "thread_functions", m->n_threads);
	json_uint(j, "unwind_entries", m->unwind_entries);
	json_end(j);
}

static void go(struct json *j, const struct target_facts *f)
{
	if (!f->go.is_go) {
		json_null(j, "go");
		return;
	}
	json_object_line(j, "go");
	json_string(j, "version", f->go.readable ? f->go.version : NULL);
	json_string(j, "why", f->go.readable ? NULL : f->go.refusal.text);
	if (f->go.readable)
		json_bool(j, "heap_profile", f->go.profile);
	else
		json_null(j, "heap_profile");
	json_end(j);
}

static void target(struct json *j, const struct doctor *d, const struct doctor_target *dt)
{
	const struct target_facts *f = &dt->facts;
	struct doctor_words w = doctor_target_words(f, d->options->kinds, &d->host);

	json_object(j, NULL);
	json_uint(j, "pid", (uint64_t)dt->target.pid);
	json_string(j, "comm", dt->target.comm);
	json_string(j, "exe", dt->target.exe);
	json_bool(j, "works", !w.why);
	json_string(j, "why", w.why);
	json_string(j, "remedy", w.remedy);
	json_uint(j, "threads", f->threads);
	json_uint(j, "seccomp", f->seccomp);
	json_bool(j, "allocator", f->allocator);
	json_bool(j, "pthread", f->pthread);
	json_string(j, "stranger", f->stranger);
	json_uint(j, "anonymous_code", f->anonymous_code);
	go(j, f);
	json_array(j, "modules");
	vec_foreach(m, &f->code)
		module(j, m);
	json_end(j);
	json_array(j, "namespaces");
	for (size_t i = 0; i < f->n_namespaces; i++)
		if (!f->namespaces[i].ours)
			json_string(j, NULL, f->namespaces[i].name);
	json_end(j);
	json_end(j);
}

static void host(struct json *j, const struct host_facts *f)
{
	json_string(j, "release", f->system.release);
	json_string(j, "machine", f->system.machine);
	json_bool(j, "works", !f->tracing);
	json_string(j, "refusal", f->tracing ? f->refusal.text : NULL);
	json_string(j, "permissions", f->caps ? f->caps_missing.text : NULL);
	json_string(j, "btf", f->btf ? strerror(-f->btf) : NULL);
	json_string(j, "lockdown", f->lockdown[0] ? f->lockdown : NULL);
	json_string(j, "statistics", doctor_statistics_words(f).why);
	json_string(j, "sock_diag", doctor_sock_diag_words(f).why);
	json_array(j, "hooks");
	vec_foreach(c, &f->hooks)
		hook(j, c, f);
	json_end(j);
	json_bool(j, "all_syscalls", f->all_syscalls);
	if (f->all_syscalls)
		json_double(j, "syscall_ns", f->syscall_ns);
	else
		json_null(j, "syscall_ns");
	probes(j, f);
	json_bool(j, "return_probes_kill", f->return_probes_kill);
}

void doctor_json(const struct doctor *d, FILE *out)
{
	struct json j = json_make(out, false);

	json_object(&j, NULL);
	json_string(&j, "schema", "leaktrace.doctor/1");
	host(&j, &d->host);
	json_array(&j, "targets");
	vec_foreach(dt, &d->targets)
		target(&j, d, dt);
	json_end(&j);
	json_end(&j);
	json_finish(&j);
}
