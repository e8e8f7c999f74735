// SPDX-License-Identifier: Apache-2.0
/* Functions, inlined calls, files and lines from debug information (libdw). */
#include <dwarf.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "sym/dwarf_file.h"
#include "sym/source.h"

/* What libdw decodes of line tables it keeps for good: beyond this it is made to forget. */
#define KEPT_MAX      (128ULL << 20)
#define LINE_SIZE     40	    /* of libdw's struct for one line */
#define LINE_UNIT_MAX (32ULL << 20) /* bytes of one line program that are decoded */

/* A function and the calls inlined into each other in it, down to an address. */
struct chain {
	Dwarf_Die dies[SYMBOLS_MAX]; /* the function itself first */
	int n;
};

static void dwarf_close(void *state)
{
	dwarf_file_deinit(state);
	free(state);
}

/* The supplementary file that dwz has moved common entries to. */
static int open_alt(struct dwarf_file *f, const struct sym_object *o, const struct debugfile *main)
{
	_cleanup_(debugfile_deinit) struct debugfile alt = { .fd = -1 };
	const struct elf_image *img = main ? &main->image : &o->image;
	const char *path = main ? main->path : o->path;
	int r = debugfile_find_alt(img, path, o->root, o->owner, &alt);

	if (!r)
		r = dwview_open(alt.fd, &alt.image, &f->alt);
	if (!r)
		dwarf_setalt(f->view.dwarf, f->alt.dwarf);
	return r == -ENOMEM ? r : 0;
}

static int dwarf_open(struct sym_object *o, void **ret)
{
	const bool own = sym_has_section(&o->image, ".debug_info") ||
			 sym_has_section(&o->image, ".zdebug_info");
	const struct debugfile *debug = own ? NULL : &o->debug;
	struct dwarf_file *f;
	int r;

	if (debug && !debug->image.data)
		return -ENOENT;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->strings = o->strings;
	f->left_out = o->left_out;
	f->path = strdup(o->path);
	r = dwview_open(own ? o->fd : debug->fd, own ? &o->image : &debug->image, &f->view);
	if (!r)
		r = open_alt(f, o, debug);
	if (!r)
		r = dwarf_file_index(f);
	if (r == -E2BIG)
		left_out_add(o->left_out, "debug information", o->path, "it unpacks to more than 192 MiB");
	if (r)
		dwarf_close(f);
	else
		*ret = f;
	return r;
}

static int dwarf_forget(struct dwarf_file *f)
{
	int r = dwview_reset(&f->view);

	if (r)
		return r;
	if (f->alt.dwarf)
		dwarf_setalt(f->view.dwarf, f->alt.dwarf);
	f->kept = 0;
	vec_foreach(u, &f->units)
		u->has_lines = false;
	return 0;
}

/* The size of the unit's line table; 0: it has none. */
static uint64_t lines_size(const struct dwarf_file *f, Dwarf_Die *cu)
{
	Dwarf_Attribute attr;
	Dwarf_Word at;
	uint64_t size = 0;

	if (!dwarf_attr(cu, DW_AT_stmt_list, &attr) || dwarf_formudata(&attr, &at) ||
	    f->view.line_size < 12 || at > f->view.line_size - 12)
		return 0;
	memcpy(&size, f->view.line + at, 4);
	if (size == UINT32_MAX)
		memcpy(&size, f->view.line + at + 4, 8);
	return size;
}

/* Decodes the lines of a unit on first use. */
static bool load_lines(struct dwarf_file *f, struct dw_unit *u, Dwarf_Die *cu)
{
	const uint64_t size = lines_size(f, cu);
	Dwarf_Lines *lines;
	size_t n = 0;

	if (!size)
		return false;
	if (size > LINE_UNIT_MAX || dwarf_getsrclines(cu, &lines, &n)) {
		if (f->path)
			left_out_add(f->left_out, "line numbers", f->path,
				     "a table of them takes too much memory, or makes no sense");
		return false;
	}
	if (!u->has_lines)
		f->kept += n * LINE_SIZE;
	u->has_lines = true;
	return true;
}

/* Sets the file; libdw leaves names relative that are so to the directory of the compilation. */
static int set_file(struct dwarf_file *f, Dwarf_Die *cu, const char *file, struct symbol *ret)
{
	_cleanup_(strbuf_deinit) struct strbuf path = { 0 };
	Dwarf_Attribute attr;
	const char *dir = NULL;

	if (*file != '/')
		dir = dwarf_formstring(dwarf_attr(cu, DW_AT_comp_dir, &attr));
	if (dir && *dir)
		strbuf_addf(&path, "%.*s/", PATH_MAX, dir);
	strbuf_addf(&path, "%.*s", PATH_MAX, file);
	ret->file = path.oom ? NULL : strpool_add(f->strings, path.s, path.n);
	return ret->file ? 0 : -ENOMEM;
}

/* Fills in file and line of the code itself. */
static int find_line(struct dwarf_file *f, Dwarf_Die *cu, uint64_t vaddr, struct symbol *ret)
{
	Dwarf_Line *line = dwarf_getsrc_die(cu, vaddr);
	const char *file = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
	int n;

	if (!file)
		return 0;
	if (!dwarf_lineno(line, &n) && n > 0)
		ret->line = n;
	return set_file(f, cu, file, ret);
}

/* Fills in where the inlined call `die` is made from. */
static int find_call(struct dwarf_file *f, Dwarf_Die *cu, Dwarf_Die *die, struct symbol *ret)
{
	Dwarf_Attribute attr;
	Dwarf_Word index, line;
	Dwarf_Files *files;
	const char *file;
	size_t n;

	if (dwarf_getsrcfiles(cu, &files, &n) ||
	    dwarf_formudata(dwarf_attr(die, DW_AT_call_file, &attr), &index))
		return 0;
	file = index < n ? dwarf_filesrc(files, index, NULL, NULL) : NULL;
	if (!file)
		return 0;
	if (!dwarf_formudata(dwarf_attr(die, DW_AT_call_line, &attr), &line) && line <= INT32_MAX)
		ret->line = line;
	return set_file(f, cu, file, ret);
}

/* Of too many inlined calls, the middle ones are left out. */
static void chain_add(struct chain *c, const Dwarf_Die *die)
{
	if (c->n == SYMBOLS_MAX)
		memmove(&c->dies[1], &c->dies[2], (--c->n - 1) * sizeof(c->dies[0]));
	c->dies[c->n++] = *die;
}

/* The first call directly inside `outer` (0: the function) that holds the address, or 0. */
static uint32_t call_inside(const struct dw_calls *calls, uint32_t outer, uint64_t vaddr)
{
	const struct addr_range *range = addr_ranges_at(&calls->ranges, vaddr);
	uint32_t found = 0;

	for (; range; range = addr_ranges_around(&calls->ranges, range, vaddr))
		if (calls->scopes.items[range->to - 1].outer == outer &&
		    (!found || range->to < found))
			found = range->to;
	return found;
}

static int find_chain(struct dwarf_file *f, struct dw_unit *u, uint64_t vaddr, struct chain *ret)
{
	const struct addr_range *function = addr_ranges_at(&u->functions, vaddr);
	const struct dw_calls *calls;
	uint32_t offset, call = 0;
	Dwarf_Die die;
	int r;

	ret->n = 0;
	if (!function)
		return 0;
	r = dwarf_file_calls(f, u, function->to, &calls);
	offset = function->to;
	while (!r && dwarf_offdie(f->view.dwarf, u->start + offset, &die)) {
		chain_add(ret, &die);
		call = call_inside(calls, call, vaddr);
		if (!call)
			break;
		offset = calls->scopes.items[call - 1].begin;
	}
	return r;
}

static int write_chain(struct dwarf_file *f, Dwarf_Die *cu, struct chain *c,
		       struct sym_found *found)
{
	struct symbol *symbol;
	Dwarf_Die *die;
	int r = 0;

	for (int i = 0; !r && i < c->n; i++) {
		die = &c->dies[c->n - 1 - i];
		symbol = &found->symbols[i];
		if (i) {
			*symbol = (struct symbol){ 0 };
			r = find_call(f, cu, die + 1, symbol);
		}
		symbol->inlined = i < c->n - 1;
		if (!r)
			r = dwarf_file_name(f, die, &symbol->function, &found->made_up);
	}
	return r;
}

static int dwarf_find(void *state, uint64_t vaddr, struct sym_found *found)
{
	struct dwarf_file *f = state;
	const struct addr_range *range = addr_ranges_at(&f->ranges, vaddr);
	struct dw_unit *u = range ? &f->units.items[range->to] : NULL;
	struct chain chain;
	Dwarf_Die cu;
	int r;

	if (!u || (f->kept > KEPT_MAX && dwarf_forget(f)) ||
	    !dwarf_offdie(f->view.dwarf, u->die, &cu))
		return 0;
	r = dwarf_file_index_unit(f, u);
	if (!r)
		r = find_chain(f, u, vaddr, &chain);
	if (f->cut && f->path)
		left_out_add(f->left_out, "debug information", f->path,
			     "a unit of it is larger than 24 MiB");
	if (r)
		return r;
	found->symbols[0] = (struct symbol){ 0 };
	if (load_lines(f, u, &cu))
		r = find_line(f, &cu, vaddr, &found->symbols[0]);
	if (!r)
		r = write_chain(f, &cu, &chain, found);
	found->n = chain.n ? chain.n : found->symbols[0].file != NULL;
	return r;
}

const struct sym_source sym_source_dwarf = {
	.name = "dwarf",
	.open = dwarf_open,
	.find = dwarf_find,
	.close = dwarf_close,
};
