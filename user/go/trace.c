// SPDX-License-Identifier: Apache-2.0
#include "go/trace.h"
#include <errno.h>
#include <string.h>
#include "base/strbuf.h"

#define PLACES_MAX 64 /* inlined calls at an address, and the function */

/* -- places ------------------------------------------------------------------------------------ */
static struct go_place place_of(const struct go_runtime *rt, const struct go_function *f,
				uint64_t vaddr)
{
	const struct go_line line = gopclntab_line(&rt->table, f, vaddr);

	return (struct go_place){ .file = line.file, .line = line.line };
}

static size_t find_places(const struct go_runtime *rt, const struct go_function *f, uint64_t vaddr,
			  struct go_place *ret)
{
	struct go_inlined call;
	size_t n = 0;

	while (n < PLACES_MAX - 1 && gopclntab_inlined(&rt->table, f, vaddr, &call)) {
		ret[n] = place_of(rt, f, vaddr);
		ret[n].name = call.name;
		ret[n].id = call.id;
		ret[n++].inlined = true;
		vaddr = call.caller;
	}
	ret[n] = place_of(rt, f, vaddr);
	ret[n].name = f->name;
	ret[n].id = f->id;
	return n + 1;
}

static struct go_places *make_places(struct go_symbols *s, uint64_t pc, bool exact)
{
	struct go_place items[PLACES_MAX];
	uint64_t vaddr = pc - s->rt->bias;
	struct go_function f = { 0 };
	struct go_places *places;
	size_t n = 0;

	if (gopclntab_at(&s->rt->table, vaddr, &f)) {
		vaddr -= !exact && vaddr != f.entry;
		n = find_places(s->rt, &f, vaddr, items);
	} else {
		f.name = NULL;
	}
	places = arena_alloc(&s->places, sizeof(*places) + n * sizeof(*items));
	if (!places)
		return NULL;
	places->function = f;
	places->vaddr = vaddr;
	places->n = n;
	memcpy(places->items, items, n * sizeof(*items));
	return places;
}

const struct go_places *go_symbols_at(struct go_symbols *s, uint64_t pc, bool exact)
{
	const uint64_t key = pc << 1 | exact;
	const uint64_t *known = hashmap_get(&s->known, key);
	struct go_places *places;

	if (known)
		return (const struct go_places *)(uintptr_t)*known;
	places = make_places(s, pc, exact);
	if (!places || hashmap_put(&s->known, key, (uintptr_t)places))
		return NULL;
	return places;
}

void go_symbols_deinit(struct go_symbols *s)
{
	hashmap_deinit(&s->known);
	arena_deinit(&s->places);
}

/* -- what is shown ----------------------------------------------------------------------------- */
static bool is_any(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (!strcmp(name, *names))
			return true;
	return false;
}

/* Is the frame below one that a signal put there, so that its caller stood at its address? */
static bool is_injected(const struct go_runtime *rt, const char *name)
{
	static const char *const names[] = { "runtime.sigpanic", "runtime.asyncPreempt",
					     "runtime.debugCallV2", NULL };
	static const char *const early[] = { "runtime.sigpanic", NULL };

	return is_any(name, rt->minor >= 21 ? names : early);
}

static bool is_capital(char c)
{
	return c >= 'A' && c <= 'Z';
}

/* "runtime.GC", "runtime.(*Func).Entry" */
static bool is_exported(const struct go_runtime *rt, const char *name)
{
	const char *method = strrchr(name, '.');

	if (!method || rt->minor < 23)
		return is_capital(name[0]);
	if (!strncmp(name, "(*", 2))
		name += 2;
	return is_capital(name[0]) && is_capital(method[1]);
}

/* As showfuncinfo() has it. `callee` is the frame below, `first` means that none was shown yet. */
static bool is_shown(const struct go_runtime *rt, const struct go_place *p,
		     const struct go_place *callee, bool first)
{
	static const char *const panics[] = { "runtime.gopanic", "runtime.sigpanic",
					      "runtime.panicwrap", NULL };
	static const char *const servants[] = { "runtime.runFinalizers", "runtime.runCleanups",
						NULL };

	if (p->id == rt->layout->wrapper && !(callee && is_any(callee->name, panics)))
		return false;
	if (rt->minor >= 25 && is_any(p->name, servants))
		return true;
	if (!strcmp(p->name, panics[0]) && !first)
		return true;
	return strchr(p->name, '.') &&
	       (strncmp(p->name, "runtime.", 8) || is_exported(rt, p->name + 8));
}

int go_trace_of(struct go_symbols *s, const struct goroutine_list *l, const struct goroutine *g,
		struct go_trace *ret)
{
	const struct go_place *callee = NULL;
	bool any = false, exact = g->exact;
	int r = 0;

	ret->n = 0;
	for (size_t i = 0; i < g->n_pcs && !r; i++) {
		const struct go_places *at = go_symbols_at(s, l->pcs.items[g->pcs + i], exact);

		if (!at)
			return -ENOMEM;
		for (size_t k = 0; k < at->n && !r; k++) {
			const struct go_place *p = &at->items[k];
			const bool shown = is_shown(s->rt, p, callee, !any);

			r = vec_push(ret, (struct go_frame){ p, at, i, shown });
			any |= shown;
			callee = p;
		}
		exact = at->n && is_injected(s->rt, at->function.name);
	}
	vec_foreach(f, ret)
		f->shown |= !any;
	return r;
}

const struct go_places *go_trace_creator(struct go_symbols *s, const struct goroutine *g)
{
	const struct go_places *at;

	if (!g->created_pc || g->id == 1)
		return NULL;
	at = go_symbols_at(s, g->created_pc, false);
	if (!at || !at->n)
		return NULL;
	return is_shown(s->rt, &at->items[at->n - 1], NULL, false) ? at : NULL;
}

void go_name_short(const char *name, struct strbuf *b)
{
	const char *open = strchr(name, '['), *close = strrchr(name, ']');

	if (open && close && open < close)
		strbuf_addf(b, "%.*s[...]%s", (int)(open - name), name, close + 1);
	else
		strbuf_adds(b, name);
}

void go_name_print(const char *name, struct strbuf *b)
{
	if (strcmp(name, "runtime.gopanic"))
		go_name_short(name, b);
	else
		strbuf_adds(b, "panic");
}
