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

void tell_begun(const struct options *o, const struct tracer *t)
{
	if (talks(o))
		say("tracing %s%s (probes: %s); Ctrl-C ends it with a report", t->processes.first->target.comm,
		    t->processes.n > 1 ? " and others" : "", t->object.kind->name);
	if (o->quiet)
		return;
	if (o->command_is_shell && o->no_follow)
		say("-c holds more than one command: what is traced is the shell that runs them");
	if (o->kernel_stacks && !kallsyms_readable())
		say("/proc/kallsyms shows no addresses, so the kernel's functions have no names here "
		    "(sysctl kernel.kptr_restrict=1 would do)");
}

/* Whose Python frames are followed, and whose are not. */
static void tell_python(const struct tracer *t, const struct traced_process *p)
{
	const struct python_process *python = python_process_of(&t->pythons, p->target.pid);
	unsigned int version = python ? python->python.version : 0;

	if (version)
		say("pid %d: Python %u.%u, whose frames are %s", (int)p->target.pid, version >> 8, version & 0xff,
		    python->known     ? "followed"
		    : python->refused ? "not known: stacks are those of the interpreter"
				      : "not where they should be: stacks are those of the interpreter");
	else if (python)
		say("pid %d: Python older than 3.11, whose frames are not known: stacks are those of the "
		    "interpreter", (int)p->target.pid);
}

static void tell_memory(const struct options *o, const struct traced_process *p)
{
	if (p->allocator && p->stranger)
		say("pid %d: %s defines malloc as well; what goes through it is seen only where it calls glibc's",
		    (int)p->target.pid, p->stranger);
	if (*p->go.refused.text)
		say("pid %d: goroutines and Go's heap are not read: %s", (int)p->target.pid, p->go.refused.text);
	if (!p->allocator && !p->go.runtime && o->kinds & 1U << LT_KIND_MEMORY)
		say("pid %d: its memory is not traced: no known allocator (glibc, jemalloc) is mapped",
		    (int)p->target.pid);
}

/* What has been written to a process is told, whoever watches. */
static void tell_written(struct traced_process *p)
{
	if (!p->go.heap_switched_on || p->told_written)
		return;
	p->told_written = true;
	say("pid %d: its heap profile is switched on: runtime.MemProfileRate was 0 and is 524288 until tracing ends",
	    (int)p->target.pid);
}

static void tell_halted(const struct options *o, const struct traced_process *p)
{
	const char *halted = standstill_words(p->target.pid);

	if (halted && !p->command && !p->held && !o->quiet)
		say("pid %d is %s: it does nothing meanwhile", (int)p->target.pid, halted);
}

void tell_targets(const struct options *o, struct tracer *t)
{
	process_foreach(p, &t->processes) {
		tell_written(p);
		if (p->told || p->state != PROCESS_TRACED || (p->command && process_awaits_go(p)))
			continue;
		p->told = true;
		if (p->parent && !o->verbose) /* there may be thousands of them */
			continue;
		tell_halted(o, p);
		if (o->verbose)
			tell_python(t, p);
		if (!o->quiet)
			tell_memory(o, p);
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
		if (p->go.heap_not_off)
			say("pid %d: its heap profile could not be switched off: %s", (int)p->target.pid,
			    strerror(-p->go.heap_not_off));
}
