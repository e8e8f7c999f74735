// SPDX-License-Identifier: Apache-2.0
/* Python: it tells of no kind by itself, but stacks go through its frames. */
#include "trace/source.h"
#include "trace/tracer.h"

static int mapped(struct tracer *t, const struct traced_process *p)
{
	int r = t->options.kinds & LT_KINDS_SYSTEM ? python_look(&t->pythons, p->target.pid) : 0;

	if (t->pythons.processes.n)
		object_follow_python(&t->object);
	return r;
}

static bool notice(const struct tracer *t, const struct traced_process *p, enum source_notice what, struct err *ret)
{
	const struct python_process *python = python_process_of(&t->pythons, p->target.pid);
	unsigned int version = python ? python->python.version : 0;

	if (what != SOURCE_DETAIL || !python)
		return false;
	if (!version)
		return err_set(ret, 1, "pid %d: Python older than 3.11, whose frames are not known: stacks are those of "
			       "the interpreter", (int)p->target.pid);
	return err_set(ret, 1, "pid %d: Python %u.%u, whose frames are %s", (int)p->target.pid, version >> 8,
		       version & 0xff,
		       python->known     ? "followed"
		       : python->refused ? "not known: stacks are those of the interpreter"
					 : "not where they should be: stacks are those of the interpreter");
}

static void forget(struct tracer *t, struct traced_process *p)
{
	python_forget(&t->pythons, p->target.pid);
}

const struct source source_python = {
	.name = "Python",
	.mapped = mapped,
	.notice = notice,
	.exec = forget,
	.end = forget,
};
