// SPDX-License-Identifier: Apache-2.0
#include "sym/dwarf_file.h"
#include <dwarf.h>
#include <errno.h>
#include <string.h>

#define UNITS_MAX  (1U << 18)
#define RANGES_MAX (2U << 20)
#define DEPTH_MAX  256 /* scopes in each other; what is deeper is left out */
/* Bytes of a unit whose entries are gone through: libdw visits all that are inside one to find its sibling. */
#define UNIT_BYTES_MAX (24U << 20)

/* Adds the ranges of an entry; malformed ones end the list. */
static int add_ranges(struct addr_ranges *ranges, Dwarf_Die *die, uint32_t to)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;
	int r = 0;

	while (!r && ranges->n < RANGES_MAX &&
	       (at = dwarf_ranges(die, at, &base, &low, &high)) > 0) {
		/* linkers that drop a function leave its range at 0 or at the top */
		if (low && low < high)
			r = addr_ranges_add(ranges, low, high, to);
	}
	return r;
}

static int index_next(struct dwarf_file *f, const struct dw_unit *u)
{
	Dwarf_Die die;
	int r, tag;

	if (!dwarf_offdie(f->view.dwarf, u->die, &die))
		return 0;
	tag = dwarf_tag(&die);
	r = vec_push(&f->units, *u);
	if (!r && (tag == DW_TAG_compile_unit || tag == DW_TAG_skeleton_unit))
		r = add_ranges(&f->ranges, &die, f->units.n - 1);
	return r;
}

int dwarf_file_index(struct dwarf_file *f)
{
	const uint64_t size = f->view.info_size;
	Dwarf_Off next;
	size_t header;
	int r = 0;

	for (uint64_t at = 0; !r && f->units.n < UNITS_MAX; at = next) {
		if (dwarf_nextcu(f->view.dwarf, at, &next, &header, NULL, NULL, NULL) ||
		    next <= at || next - at > UINT32_MAX)
			break;
		r = index_next(f, &(struct dw_unit){
					  .start = at,
					  .die = at + header,
					  .end = next < size ? next : size,
				  });
	}
	return r ? r : addr_ranges_settle(&f->ranges);
}

static void calls_destroy(struct dw_calls *calls)
{
	addr_ranges_deinit(&calls->ranges);
	vec_free(&calls->scopes);
	free(calls);
}

void dwarf_file_deinit(struct dwarf_file *f)
{
	vec_foreach(u, &f->units) {
		addr_ranges_deinit(&u->functions);
		vec_free(&u->scopes);
	}
	for (size_t i = 0; i < f->calls.cap; i++)
		if (f->calls.slots[i].used)
			calls_destroy((struct dw_calls *)(uintptr_t)f->calls.slots[i].value);
	vec_free(&f->units);
	addr_ranges_deinit(&f->ranges);
	hashmap_deinit(&f->calls);
	hashmap_deinit(&f->names);
	dwview_deinit(&f->view);
	dwview_deinit(&f->alt);
	free(f->path);
}

struct dw_unit *dwarf_file_unit_at(struct dwarf_file *f, uint64_t offset)
{
	size_t low = 0, high = f->units.n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (f->units.items[mid].start <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || offset >= f->units.items[low - 1].end)
		return NULL;
	return &f->units.items[low - 1];
}

uint32_t dw_scopes_at(const struct dw_scopes *scopes, uint32_t offset)
{
	uint32_t low = 0, high = scopes->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (scopes->items[mid].begin < offset)
			low = mid + 1;
		else
			high = mid;
	}
	while (low && scopes->items[low - 1].end <= offset)
		low = scopes->items[low - 1].outer;
	return low;
}

/* A walk through the entries inside one, each visited once and in the order of the file. */
struct walk {
	Dwarf_Die die;		    /* here */
	const uint8_t *start, *end; /* of the unit */
	struct dw_scopes *scopes;   /* those that were met */
	uint32_t open[DEPTH_MAX];   /* the scopes around the entry: index + 1, or 0 */
	unsigned int depth;
};

static uint32_t walk_offset(const struct walk *w)
{
	return (const uint8_t *)w->die.addr - w->start;
}

/* Begins with the first entry inside `die`, which is at `offset` from the start of the unit. False
 * when there is none. */
static bool walk_begin(struct walk *w, const struct dw_unit *u, Dwarf_Die *die, uint32_t offset,
		       struct dw_scopes *scopes)
{
	w->start = (const uint8_t *)die->addr - offset;
	w->end = w->start + (u->end - u->start);
	w->scopes = scopes;
	w->depth = 0;
	return !dwarf_child(die, &w->die);
}

static uint32_t walk_scope(const struct walk *w)
{
	return w->depth ? w->open[w->depth - 1] : 0;
}

/* Makes the entry a scope; the last of the table. */
static int walk_add_scope(struct walk *w)
{
	const uint32_t at = walk_offset(w);

	return vec_push(w->scopes, (struct dw_scope){ at, at + 1, walk_scope(w) });
}

/* Goes on with the entries inside this one, which belong to `scope`. False when there are none. */
static bool walk_enter(struct walk *w, uint32_t scope)
{
	Dwarf_Die child;

	if (w->depth == DEPTH_MAX || dwarf_child(&w->die, &child))
		return false;
	w->open[w->depth++] = scope;
	w->die = child;
	return true;
}

/* Leaves the innermost scope, whose entries end at `at`. */
static void walk_leave(struct walk *w, const uint8_t *at)
{
	const uint32_t scope = w->open[--w->depth];

	if (scope && scope != walk_scope(w))
		w->scopes->items[scope - 1].end = at - w->start;
}

/* Moves behind the entry, and out of the scopes that end there. False at the end. */
static bool walk_next(struct walk *w)
{
	const uint8_t *at;
	Dwarf_Die next;

	if (dwarf_siblingof(&w->die, &next) < 0 || !next.addr)
		return false;
	for (at = next.addr; at < w->end && !*at; at++) {
		if (!w->depth)
			return false;
		walk_leave(w, at);
	}
	w->die = (Dwarf_Die){ .addr = (void *)(uintptr_t)at, .cu = w->die.cu };
	return at < w->end;
}

/* Entries that functions are looked for in. */
static bool is_scope(int tag)
{
	return tag == DW_TAG_namespace || tag == DW_TAG_module || tag == DW_TAG_class_type ||
	       tag == DW_TAG_structure_type || tag == DW_TAG_union_type;
}

static int walk_unit(struct walk *w, struct dw_unit *u)
{
	int tag, r = 0;

	while ((tag = dwarf_tag(&w->die)) != DW_TAG_invalid) {
		u->has_types |= tag == DW_TAG_base_type;
		if (tag == DW_TAG_subprogram)
			r = add_ranges(&u->functions, &w->die, walk_offset(w));
		else if (is_scope(tag))
			r = walk_add_scope(w);
		if (r)
			return r;
		if (!(is_scope(tag) && walk_enter(w, w->scopes->n)) && !walk_next(w))
			return 0;
	}
	return 0;
}

int dwarf_file_index_unit(struct dwarf_file *f, struct dw_unit *u)
{
	struct walk w;
	Dwarf_Die die;
	int r = 0;

	if (u->indexed)
		return 0;
	u->indexed = true;
	if (u->end - u->start > UNIT_BYTES_MAX) {
		f->cut = true;
		return 0;
	}
	if (!dwarf_offdie(f->view.dwarf, u->die, &die))
		return 0;
	if (walk_begin(&w, u, &die, u->die - u->start, &u->scopes))
		r = walk_unit(&w, u);
	return r ? r : addr_ranges_settle(&u->functions);
}

/* Entries that inlined calls are looked for in. */
static bool is_block(int tag)
{
	return tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
	       tag == DW_TAG_try_block || tag == DW_TAG_catch_block || tag == DW_TAG_with_stmt;
}

static int walk_function(struct walk *w, struct dw_calls *calls)
{
	uint32_t scope;
	int tag, r = 0;

	while ((tag = dwarf_tag(&w->die)) != DW_TAG_invalid) {
		scope = walk_scope(w);
		if (tag == DW_TAG_inlined_subroutine) {
			r = walk_add_scope(w);
			scope = w->scopes->n;
			if (!r)
				r = add_ranges(&calls->ranges, &w->die, scope);
			if (r)
				return r;
		}
		if (!(is_block(tag) && walk_enter(w, scope)) && !walk_next(w))
			return 0;
	}
	return 0;
}

int dwarf_file_calls(struct dwarf_file *f, struct dw_unit *u, uint32_t offset,
		     const struct dw_calls **ret)
{
	const uint64_t *known = hashmap_get(&f->calls, u->start + offset);
	struct dw_calls *calls;
	struct walk w;
	Dwarf_Die die;
	int r = 0;

	if (known) {
		*ret = (struct dw_calls *)(uintptr_t)*known;
		return 0;
	}
	calls = calloc(1, sizeof(*calls));
	if (!calls)
		return -ENOMEM;
	if (dwarf_offdie(f->view.dwarf, u->start + offset, &die) &&
	    walk_begin(&w, u, &die, offset, &calls->scopes))
		r = walk_function(&w, calls);
	if (!r)
		r = addr_ranges_settle(&calls->ranges);
	if (!r)
		r = hashmap_put(&f->calls, u->start + offset, (uintptr_t)calls);
	if (r)
		calls_destroy(calls);
	else
		*ret = calls;
	return r;
}
