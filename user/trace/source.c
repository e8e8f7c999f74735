// SPDX-License-Identifier: Apache-2.0
#include "trace/source.h"

const struct source *const *sources(void)
{
	static const struct source *const table[] = { &source_python, &source_go, NULL };

	return table;
}

#define source_foreach(s) for (const struct source *const *s = sources(); *s; s++)

int sources_mapped(struct tracer *t, const struct traced_process *p)
{
	int r = 0;

	source_foreach(s)
		if ((*s)->mapped && !r)
			r = (*s)->mapped(t, p);
	return r;
}

int sources_look(struct tracer *t, struct traced_process *p, struct err *e)
{
	int r = 0;

	source_foreach(s)
		if ((*s)->look && !r)
			r = (*s)->look(t, p, e);
	return r;
}

void sources_read(struct tracer *t, struct traced_process *p, enum source_reading what)
{
	source_foreach(s)
		if ((*s)->read)
			(*s)->read(t, p, what);
}

bool sources_found(const struct traced_process *p)
{
	source_foreach(s)
		if ((*s)->found && (*s)->found(p))
			return true;
	return false;
}

bool sources_awaited(const struct traced_process *p)
{
	source_foreach(s)
		if ((*s)->awaited && (*s)->awaited(p))
			return true;
	return false;
}

uint32_t sources_kinds(void)
{
	uint32_t kinds = 0;

	source_foreach(s)
		kinds |= (*s)->kinds;
	return kinds;
}

uint32_t sources_begun(const struct traced_process *p)
{
	uint32_t kinds = 0;

	source_foreach(s)
		if ((*s)->begun && (*s)->begun(p))
			kinds |= (*s)->kinds;
	return kinds;
}

void sources_refusal(const struct traced_process *p, uint32_t kinds, struct err *e)
{
	source_foreach(s)
		if ((*s)->kinds & kinds && (*s)->refusal)
			(*s)->refusal(p, e);
}

void sources_snapshot(const struct traced_process *p, struct books_snapshot *snapshot)
{
	source_foreach(s)
		if ((*s)->snapshot)
			(*s)->snapshot(p, snapshot);
}

void sources_describe(const struct traced_process *p, enum lt_kind kind, struct holding *h,
		      struct goroutine_state *goroutine)
{
	source_foreach(s)
		if ((*s)->describe)
			(*s)->describe(p, kind, h, goroutine);
}

int sources_methods(const struct traced_process *p, struct arena *arena, const char *ret[LT_KIND_MAX])
{
	int r = 0;

	source_foreach(s)
		if ((*s)->methods && !r)
			r = (*s)->methods(p, arena, ret);
	return r;
}

void sources_detach(struct traced_process *p, struct attachments *ret)
{
	source_foreach(s)
		if ((*s)->detach)
			(*s)->detach(p, ret);
}

void sources_exec(struct tracer *t, struct traced_process *p)
{
	source_foreach(s)
		if ((*s)->exec)
			(*s)->exec(t, p);
}

void sources_end(struct tracer *t, struct traced_process *p)
{
	source_foreach(s)
		if ((*s)->end)
			(*s)->end(t, p);
}

void sources_remove(struct traced_process *p)
{
	source_foreach(s)
		if ((*s)->remove)
			(*s)->remove(p);
}

void sources_deinit(struct traced_process *p)
{
	source_foreach(s)
		if ((*s)->deinit)
			(*s)->deinit(p);
}
