// SPDX-License-Identifier: Apache-2.0
#include "app/doctor.h"
#include <string.h>
#include "app/doctor_words.h"
#include "base/units.h"
#include "report/text_line.h"

#define NAME_COLUMNS 16 /* where what is told of a name begins */
#define INDENT	     2

static void heading(struct text *t, const char *words)
{
	line_end(t);
	line_begin(t, 0, 0);
	line_words(t, "", INK_STRONG, words);
	line_end(t);
}

static void line_of_name(struct text *t, const char *name)
{
	line_begin(t, INDENT, INDENT + NAME_COLUMNS);
	line_foreign(t, "", INK_PLAIN, name);
	line_part(t, "", INK_PLAIN, "%*s", (int)(NAME_COLUMNS - strlen(name)), "");
}

static void row(struct text *t, const char *name, const char *ink, const char *words)
{
	line_of_name(t, name);
	line_words(t, "", ink, words);
	line_end(t);
}

/* A line below a row: "not NAME: why (remedy)". */
static void not_this(struct text *t, const char *name, struct doctor_words w)
{
	line_begin(t, INDENT + NAME_COLUMNS, INDENT + NAME_COLUMNS + 2);
	line_words(t, "", INK_PLAIN, "not");
	line_words(t, " ", INK_PLAIN, name);
	line_colon(t);
	line_words(t, " ", INK_PLAIN, w.why);
	line_end(t);
	if (!w.remedy)
		return;
	line_begin(t, INDENT + NAME_COLUMNS + 2, INDENT + NAME_COLUMNS + 2);
	line_words(t, "", INK_FAINT, w.remedy);
	line_end(t);
}

/* -- the host --------------------------------------------------------------------------------- */

static void or_else(struct text *t, const char *name, const char *fine, const char *else_words,
		    struct doctor_words w)
{
	if (!w.why) {
		row(t, name, INK_PLAIN, fine);
		return;
	}
	line_of_name(t, name);
	line_words(t, "", INK_WARN, else_words);
	line_colon(t);
	line_words(t, " ", INK_WARN, w.why);
	line_end(t);
	if (w.remedy)
		row(t, "", INK_FAINT, w.remedy);
}

static void host(struct text *t, const struct host_facts *f)
{
	heading(t, "host");
	row(t, "permissions", f->caps ? INK_BAD : INK_PLAIN, f->caps ? f->caps_missing.text : "all there");
	row(t, "kernel types", f->btf ? INK_BAD : INK_PLAIN,
	    f->btf ? "no BTF: a kernel built with CONFIG_DEBUG_INFO_BTF=y is needed"
		   : "BTF: /sys/kernel/btf/vmlinux");
	row(t, "lockdown", f->lockdown[0] ? INK_WARN : INK_PLAIN, f->lockdown[0] ? f->lockdown : "none seen");
	or_else(t, "overhead", "BPF statistics: reports tell what tracing has cost",
		"no BPF statistics, so reports do not tell what tracing has cost",
		doctor_statistics_words(f));
	or_else(t, "sockets", "listed by the kernel (sock_diag)",
		"no sock_diag, so they are looked up in /proc, which tells less of them",
		doctor_sock_diag_words(f));
}

static void hook(struct text *t, const struct hook_choice *c, const struct host_facts *f)
{
	line_of_name(t, c->hook->name);
	line_part(t, "", c->row ? INK_STRONG : INK_BAD, "%-12s",
		  c->row ? hook_way_name(c->row->way) : "none works");
	line_words(t, "  ", INK_PLAIN, c->hook->what);
	line_end(t);
	for (size_t i = 0; i < c->hook->n_rows; i++) {
		enum hook_way way = c->hook->rows[i].way;

		if (c->refused[i])
			not_this(t, hook_way_name(way), doctor_hook_words(way, c->refused[i], f));
	}
}

static void hooks(struct text *t, const struct host_facts *f)
{
	heading(t, "hooks in the kernel, best way first: fentry, kprobe-multi, kprobe, tracepoint");
	vec_foreach(c, &f->hooks)
		hook(t, c, f);
	if (!f->all_syscalls)
		return;
	line_begin(t, INDENT, INDENT);
	line_words(t, "", INK_WARN, "While tracing, every system call of every process passes through the "
				    "tracepoints for descriptors:");
	if (f->syscall_ns > 0)
		line_part(t, " ", INK_WARN, "%.0f ns each, untraced processes included.", f->syscall_ns);
	else
		line_words(t, " ", INK_WARN, "what that costs was too little to measure.");
	line_end(t);
}

static void probes(struct text *t, const struct host_facts *f)
{
	heading(t, "probes in programs, best first");
	for (size_t i = 0; i < f->n_attach; i++) {
		const struct attach_fact *a = &f->attach[i];
		struct doctor_words w = doctor_attach_words(a, f);
		bool used = f->attach_used && !strcmp(a->name, f->attach_used);

		row(t, a->name, w.why ? INK_PLAIN : INK_STRONG,
		    w.why ? w.why : used ? "works, is used" : "works");
		if (w.remedy)
			row(t, "", INK_FAINT, w.remedy);
	}
	if (f->return_probes_kill)
		row(t, "seccomp", INK_WARN,
		    "this kernel kills processes under seccomp at their first return probe (mended in Linux "
		    "by cf6cb56ef244): such processes are left alone");
}

/* -- a target --------------------------------------------------------------------------------- */

static void functions(struct text *t, const struct module_fact *m, const char *name, size_t n,
		      const char *what)
{
	if (!n)
		return;
	line_of_name(t, name);
	line_part(t, "", INK_PLAIN, "%s", what);
	line_words(t, " in ", INK_PLAIN, m->path);
	line_colon(t);
	line_part(t, " ", INK_PLAIN, "%zu function%s", n, plural(n));
	line_end(t);
}

static void modules(struct text *t, const struct target_facts *f, uint32_t kinds)
{
	bool memory = kinds & 1U << LT_KIND_MEMORY, joins = kinds & 1U << LT_KIND_UNJOINED;

	vec_foreach(m, &f->code)
		functions(t, m, "memory", m->n_allocator, m->allocator);
	if (memory && !f->allocator && !f->go.is_go)
		row(t, "memory", INK_WARN, "no known allocator (glibc, jemalloc): not traced");
	if (memory && f->stranger) {
		line_of_name(t, "");
		line_words(t, "", INK_WARN, f->stranger);
		line_words(t, " ", INK_WARN, "has a malloc of its own, which is not known");
		line_end(t);
	}
	vec_foreach(m, &f->code)
		functions(t, m, "threads", m->n_threads, "pthread");
	if (joins && !f->pthread)
		row(t, "threads", INK_WARN, "no pthread functions: that they were never joined cannot be seen");
}

static void go(struct text *t, const struct target_facts *f)
{
	if (!f->go.is_go)
		return;
	line_of_name(t, "Go");
	if (f->go.readable) {
		line_foreign(t, "", INK_PLAIN, f->go.version);
		line_colon(t);
		line_words(t, " ", INK_PLAIN, doctor_go_words(f));
	} else {
		line_words(t, "", INK_WARN, f->go.refusal.text);
	}
	line_end(t);
}

static void unwinding(struct text *t, const struct target_facts *f)
{
	const char *name = "stacks";

	vec_foreach(m, &f->code) {
		line_of_name(t, name);
		if (m->unwind_entries)
			line_part(t, "", INK_PLAIN, "%9s", units_count(m->unwind_entries).s);
		else
			line_part(t, "", INK_WARN, "%9s", "none");
		line_words(t, "  ", INK_PLAIN, m->path);
		line_end(t);
		name = "";
	}
	row(t, "", INK_FAINT, "functions with unwind information; in files with none, frames are found by "
			      "frame pointer");
	if (!f->anonymous_code)
		return;
	line_of_name(t, "");
	line_part(t, "", INK_WARN, "%s mapping%s", units_count(f->anonymous_code).s,
		  plural(f->anonymous_code));
	line_words(t, " ", INK_WARN, "of code that is in no file (a JIT compiler's): likewise by frame pointer");
	line_end(t);
}

static void confinement(struct text *t, const struct target_facts *f)
{
	bool own = false;

	row(t, "seccomp", INK_PLAIN,
	    f->seccomp == 2 ? "a filter" : f->seccomp ? "strict mode" : "none");
	for (size_t i = 0; i < f->n_namespaces; i++) {
		const struct namespace_fact *n = &f->namespaces[i];

		if (n->ours)
			continue;
		line_of_name(t, own ? "" : "namespaces");
		line_part(t, "", INK_PLAIN, "its own %s", n->name);
		line_colon(t);
		line_words(t, " ", INK_PLAIN, doctor_namespace_words(n->name));
		line_end(t);
		own = true;
	}
	if (!own)
		row(t, "namespaces", INK_PLAIN, "leaktrace's");
}

static void target(struct text *t, const struct doctor *d, const struct doctor_target *dt)
{
	struct doctor_words w = doctor_target_words(&dt->facts, d->options->kinds, &d->host);

	line_end(t);
	line_begin(t, 0, 2);
	line_foreign(t, "", INK_STRONG, dt->target.comm);
	line_part(t, " ", INK_STRONG, "(pid %d)", (int)dt->target.pid);
	if (dt->target.exe)
		line_foreign(t, "  ", INK_PLAIN, dt->target.exe);
	line_end(t);
	if (w.why)
		row(t, "not traced", INK_BAD, w.why);
	if (w.remedy)
		row(t, "", INK_FAINT, w.remedy);
	modules(t, &dt->facts, d->options->kinds);
	go(t, &dt->facts);
	unwinding(t, &dt->facts);
	confinement(t, &dt->facts);
}

void doctor_text(const struct doctor *d, const struct report_style *style, FILE *out)
{
	struct text t = { .style = style, .out = out };
	const struct host_facts *f = &d->host;

	line_begin(&t, 0, 2);
	line_part(&t, "", INK_STRONG, "leaktrace %s on Linux %s %s", LEAKTRACE_VERSION, f->system.release,
		  f->system.machine);
	line_colon(&t);
	line_words(&t, " ", f->tracing ? INK_BAD : INK_STRONG, f->tracing ? "it cannot trace" : "it can trace");
	line_end(&t);
	if (f->tracing) {
		line_begin(&t, INDENT, INDENT);
		line_words(&t, "", INK_BAD, f->refusal.text);
		line_end(&t);
	}
	host(&t, f);
	hooks(&t, f);
	probes(&t, f);
	vec_foreach(dt, &d->targets)
		target(&t, d, dt);
}
