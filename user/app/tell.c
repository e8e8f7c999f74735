// SPDX-License-Identifier: Apache-2.0
#include "app/tell.h"
#include <string.h>
#include "app/say.h"
#include "proc/standstill.h"
#include "sym/kernel.h"

static bool talks(const struct options *o)
{
	return o->verbose || (!o->quiet && say_is_watched());
}

void tell_reading(const struct options *o, const char *path)
{
	if (talks(o))
		say("reading %s", path);
}

void tell_begun(const struct options *o, const struct tracer *t, const char *scope)
{
	const size_t n = t->processes.n;

	if (talks(o) && scope)
		say("tracing %s, now %zu process%s (probes: %s); Ctrl-C ends it with a report", scope, n,
		    n == 1 ? "" : "es", t->object.kind->name);
	else if (talks(o))
		say("tracing %s%s (probes: %s); Ctrl-C ends it with a report", t->processes.first->target.comm,
		    n > 1 ? " and others" : "", t->object.kind->name);
	if (o->quiet)
		return;
	if (!n)
		say("there is nothing to trace in %s yet: waiting for processes", scope);
	if (o->command_is_shell && o->no_follow)
		say("-c holds more than one command: what is traced is the shell that runs them");
	if (o->kernel_stacks && !kallsyms_readable())
		say("/proc/kallsyms shows no addresses, so the kernel's functions have no names here "
		    "(sysctl kernel.kptr_restrict=1 would do)");
}

/* Whether there was any. */
static bool tell_notices(const struct tracer *t, const struct traced_process *p, enum source_notice what)
{
	struct err words;
	bool any = false;

	for (const struct source *const *s = sources(); *s; s++) {
		if (!(*s)->notice || !(*s)->notice(t, p, what, &words))
			continue;
		say("%s", words.text);
		any = true;
	}
	return any;
}

static void tell_memory(const struct options *o, const struct tracer *t, const struct traced_process *p)
{
	if (p->allocator && p->stranger)
		say("pid %d: %s defines malloc as well; what goes through it is seen only where it calls glibc's",
		    (int)p->target.pid, p->stranger);
	tell_notices(t, p, SOURCE_OF_PROGRAM);
	if (!p->allocator && !sources_found(p) && o->kinds & 1U << LT_KIND_MEMORY)
		say("pid %d: its memory is not traced: no known allocator (glibc, jemalloc) is mapped",
		    (int)p->target.pid);
}

static void tell_halted(const struct options *o, const struct traced_process *p)
{
	const char *halted = standstill_words(p->target.pid);

	if (halted && !p->command && !p->held && !o->quiet)
		say("pid %d is %s: it does nothing meanwhile", (int)p->target.pid, halted);
}

/* Who has come into the scope, and who has left it. */
static void tell_member(const struct traced_process *p)
{
	if (p->left)
		say("pid %d (%s) has left, and is not traced any more", (int)p->target.pid, p->target.comm);
	else
		say("pid %d (%s) is being traced%s", (int)p->target.pid, p->target.comm,
		    p->missing ? ", but for what it has not loaded, or not yet" : "");
}

void tell_targets(const struct options *o, struct tracer *t)
{
	process_foreach(p, &t->processes) {
		if (!p->told && o->verbose && options_have_scope(o))
			tell_member(p);
		p->told |= p->left;
		p->told_written = p->told_written || tell_notices(t, p, SOURCE_WRITTEN);
		if (p->told || p->state != PROCESS_TRACED || (p->command && sources_awaited(p)))
			continue;
		p->told = true;
		if ((p->parent || options_have_scope(o)) && !o->verbose) /* there may be thousands of them */
			continue;
		tell_halted(o, p);
		if (o->verbose)
			tell_notices(t, p, SOURCE_DETAIL);
		if (!o->quiet)
			tell_memory(o, t, p);
	}
}

void tell_left_out(const struct options *o, const struct tracer *t, size_t *told)
{
	const struct left_out *l = &t->modules.left_out;
	size_t more;

	for (; !o->quiet && *told < l->n; ++*told)
		if (left_out_is_first(l, *told, &more))
			say("left out: %s of %s%s: %s", l->items[*told].what, l->items[*told].of,
			    more ? " and of others" : "", l->items[*told].why);
}

void tell_undone(const struct tracer *t)
{
	process_foreach(p, &t->processes)
		tell_notices(t, p, SOURCE_NOT_UNDONE);
}
