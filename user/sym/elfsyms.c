// SPDX-License-Identifier: Apache-2.0
/* Function names from the symbol tables of the file, of its debug file and of .gnu_debugdata. */
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "elf/symtab.h"
#include "sym/demangle.h"
#include "sym/source.h"

#define TABLES_MAX 3

struct elf_names {
	struct elf_symtab tables[TABLES_MAX]; /* the most complete first */
	size_t n;
	struct strpool *strings;
};

static void elf_names_close(void *state)
{
	struct elf_names *names = state;

	for (size_t i = 0; i < names->n; i++)
		elf_symtab_deinit(&names->tables[i]);
	free(names);
}

static int elf_names_add(struct elf_names *names, const struct sym_object *o, const struct elf_image *img)
{
	struct elf_symtab *t = &names->tables[names->n];
	int r = img->data ? elf_symtab_load(img, false, t) : 0;

	if (r)
		return r;
	if (t->cut)
		left_out_add(o->left_out, "symbols", o->path, "there are more than 3,145,728 of them");
	if (t->n)
		names->n++;
	else
		elf_symtab_deinit(t);
	return 0;
}

static int elf_names_open(struct sym_object *o, void **ret)
{
	struct elf_names *names = calloc(1, sizeof(*names));
	int r = 0;

	if (!names)
		return -ENOMEM;
	names->strings = o->strings;
	if (!sym_has_section(&o->image, ".symtab")) {
		r = elf_names_add(names, o, &o->debug.image);
		if (!r)
			r = elf_names_add(names, o, &o->packed);
	}
	if (!r)
		r = elf_names_add(names, o, &o->image);
	if (!r && !names->n)
		r = -ENOENT;
	if (r)
		elf_names_close(names);
	else
		*ret = names;
	return r;
}

/* The readable form of a symbol's name, from the pool; NULL when out of memory. */
static const char *readable(struct elf_names *names, const char *name, bool whole_function)
{
	/* ld writes versioned symbols into .symtab as "name@VERSION" and "name@@VERSION" */
	const size_t n = strcspn(name, "@");
	_cleanup_(strbuf_deinit) struct strbuf plain = { 0 }, text = { 0 };
	const char *clone;

	strbuf_add(&plain, name, n ? n : strlen(name));
	if (plain.oom)
		return NULL;
	demangle(plain.s, &text);
	if (text.oom || !text.s)
		return NULL;
	clone = whole_function ? strstr(text.s, " [clone ") : NULL;
	return strpool_add(names->strings, text.s, clone ? (size_t)(clone - text.s) : text.n);
}

static const struct elf_symbol *elf_names_at(const struct elf_names *names, uint64_t vaddr)
{
	const struct elf_symbol *s, *found = NULL;

	for (size_t i = 0; i < names->n && (!found || found->guessed); i++) {
		s = elf_symtab_at(&names->tables[i], vaddr);
		if (s && (!found || !s->guessed))
			found = s;
	}
	return found;
}

static int elf_names_find(void *state, uint64_t vaddr, struct sym_found *found)
{
	struct elf_names *names = state;
	const struct elf_symbol *s = elf_names_at(names, vaddr);
	const char *function;

	if (!s)
		return 0;
	/* debug information names functions as written, not the pieces they are compiled to */
	function = readable(names, s->name, found->made_up);
	if (!function)
		return -ENOMEM;
	if (!found->n)
		found->symbols[found->n++] = (struct symbol){ 0 };
	found->symbols[found->n - 1].function = function;
	return 0;
}

const struct sym_source sym_source_elf = {
	.name = "elf",
	.plain = true,
	.open = elf_names_open,
	.find = elf_names_find,
	.close = elf_names_close,
};
