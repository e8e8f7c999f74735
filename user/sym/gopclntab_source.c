// SPDX-License-Identifier: Apache-2.0
/* Functions, inlined calls, files and lines of Go code, from the table that also stripped programs
 * have. Names are as Go's own profiles have them, which those in its debug information are not. */
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "elf/gopclntab.h"
#include "sym/source.h"

struct go_names {
	struct gopclntab table;
	struct strpool *strings;
};

static int go_open(struct sym_object *o, void **ret)
{
	struct go_names *names = calloc(1, sizeof(*names));
	int r = names ? gopclntab_find(&o->image, &names->table) : -ENOMEM;

	if (r) {
		free(names);
		return r;
	}
	names->strings = o->strings;
	*ret = names;
	return 0;
}

/* The types that a generic function is made for are left out: they may be only shapes. */
static const char *readable(struct go_names *names, const char *name)
{
	_cleanup_(strbuf_deinit) struct strbuf text = { 0 };
	const char *open = strchr(name, '['), *close = strrchr(name, ']');

	if (!open || !close || close < open)
		return strpool_add(names->strings, name, strlen(name));
	strbuf_addf(&text, "%.*s[...]%s", (int)(open - name), name, close + 1);
	return text.oom ? NULL : strpool_add(names->strings, text.s, text.n);
}

static int add(struct go_names *names, const struct go_function *f, uint64_t vaddr,
	       const char *name, struct sym_found *found)
{
	const struct go_line line = gopclntab_line(&names->table, f, vaddr);
	struct symbol *s = &found->symbols[found->n];

	*s = (struct symbol){ .function = readable(names, name), .line = line.line };
	if (line.file)
		s->file = strpool_add(names->strings, line.file, strlen(line.file));
	if (!s->function || (line.file && !s->file))
		return -ENOMEM;
	found->n++;
	return 0;
}

static bool function_at(const struct go_names *names, uint64_t *vaddr, struct go_function *ret)
{
	if (gopclntab_at(&names->table, *vaddr + 1, ret) && ret->entry == *vaddr + 1 &&
	    gopclntab_is_resumed(ret)) {
		++*vaddr;
		return true;
	}
	return gopclntab_at(&names->table, *vaddr, ret);
}

static int go_find(void *state, uint64_t vaddr, struct sym_found *found)
{
	struct go_names *names = state;
	struct go_inlined call;
	struct go_function f;
	int r = 0;

	/* code in other languages is in the table by name only */
	if (!function_at(names, &vaddr, &f) || !f.pcln)
		return 0;
	while (!r && found->n < SYMBOLS_MAX - 1 &&
	       gopclntab_inlined(&names->table, &f, vaddr, &call)) {
		r = add(names, &f, vaddr, call.name, found);
		if (!r)
			found->symbols[found->n - 1].inlined = true;
		vaddr = call.caller;
	}
	return r ? r : add(names, &f, vaddr, f.name, found);
}

const struct sym_source sym_source_go = {
	.name = "go",
	.open = go_open,
	.find = go_find,
	.close = free,
};
