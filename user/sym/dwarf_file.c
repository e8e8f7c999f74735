// SPDX-License-Identifier: Apache-2.0
#include "sym/dwarf_file.h"
#include <dwarf.h>
#include <errno.h>
#include <string.h>
#include "elf/sort.h"

#define UNITS_MAX   (1U << 20)
#define RANGES_MAX  (16U << 20)
#define DEPTH_MAX   64 /* namespaces and classes in each other */
#define OVERLAP_MAX 16 /* ranges before the nearest that are tried */

/* Adds the ranges of an entry; malformed ones end the list. */
static int ranges_add(struct dw_ranges *ranges, Dwarf_Die *die, uint32_t to)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;
	int r = 0;

	while (!r && ranges->n < RANGES_MAX &&
	       (at = dwarf_ranges(die, at, &base, &low, &high)) > 0) {
		/* linkers that drop a function leave its range at 0 or at the top */
		if (low && low < high)
			r = vec_push(ranges, (struct dw_range){ low, high, to });
	}
	return r;
}

/* Sorts, and joins neighbours of one owner. */
static int ranges_settle(struct dw_ranges *ranges)
{
	struct dw_range *out = ranges->items;
	struct dw_range *shorter;
	int r = sort_by_address(ranges->items, ranges->n, sizeof(*ranges->items));

	if (r || !ranges->n)
		return r;
	for (struct dw_range *in = out + 1; in < ranges->items + ranges->n; in++) {
		if (in->to == out->to && in->low == out->high)
			out->high = in->high;
		else
			*++out = *in;
	}
	ranges->n = out + 1 - ranges->items;
	shorter = reallocarray(ranges->items, ranges->n, sizeof(*shorter));
	if (shorter) {
		ranges->items = shorter;
		ranges->cap = ranges->n;
	}
	return 0;
}

const struct dw_range *dw_ranges_at(const struct dw_ranges *ranges, uint64_t addr)
{
	size_t low = 0, high = ranges->n, mid;
	const struct dw_range *range;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (ranges->items[mid].low <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	for (size_t i = 0; i < OVERLAP_MAX && low; i++) {
		range = &ranges->items[--low];
		if (addr < range->high)
			return range;
	}
	return NULL;
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
		r = ranges_add(&f->ranges, &die, f->units.n - 1);
	return r;
}

int dwarf_file_index(struct dwarf_file *f)
{
	Dwarf_Off next;
	size_t header;
	int r = 0;

	for (uint64_t at = 0; !r && f->units.n < UNITS_MAX; at = next) {
		if (dwarf_nextcu(f->view.dwarf, at, &next, &header, NULL, NULL, NULL) ||
		    next <= at || next - at > UINT32_MAX)
			break;
		r = index_next(f,
			       &(struct dw_unit){
				       .start = at,
				       .die = at + header,
				       .end = next < f->view.info_size ? next : f->view.info_size,
			       });
	}
	return r ? r : ranges_settle(&f->ranges);
}

void dwarf_file_deinit(struct dwarf_file *f)
{
	vec_foreach(u, &f->units) {
		vec_free(&u->functions);
		vec_free(&u->scopes);
	}
	vec_free(&f->units);
	vec_free(&f->ranges);
	hashmap_deinit(&f->names);
	dwview_deinit(&f->view);
	dwview_deinit(&f->alt);
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

/* Entries that others are looked for in. */
static bool is_scope(int tag)
{
	switch (tag) {
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
		return true;
	default:
		return false;
	}
}

/* A walk through the entries of a unit, each visited once and in the order of the file. */
struct walk {
	struct dw_unit *unit;
	const uint8_t *base; /* of .debug_info */
	Dwarf_Die die;
	uint32_t open[DEPTH_MAX]; /* scopes around the entry: index + 1 */
	unsigned int depth;
};

static int walk_enter(struct walk *w, Dwarf_Die *child)
{
	struct dw_scopes *scopes = &w->unit->scopes;
	const uint32_t outer = w->depth ? w->open[w->depth - 1] : 0;
	const uint32_t begin = (const uint8_t *)w->die.addr - w->base - w->unit->start;
	const uint32_t end = w->unit->end - w->unit->start;

	w->open[w->depth++] = scopes->n + 1;
	w->die = *child;
	return vec_push(scopes, (struct dw_scope){ begin, end, outer });
}

/* Moves behind the entry, and out of the scopes that end there. False at the end. */
static bool walk_next(struct walk *w)
{
	const uint8_t *end = w->base + w->unit->end, *at;
	Dwarf_Die next;

	if (dwarf_siblingof(&w->die, &next) < 0 || !next.addr)
		return false;
	for (at = next.addr; at < end && !*at; at++) {
		if (!w->depth)
			return false;
		w->unit->scopes.items[w->open[--w->depth] - 1].end = at - w->base - w->unit->start;
	}
	w->die = (Dwarf_Die){ .addr = (void *)(uintptr_t)at, .cu = w->die.cu };
	return at < end;
}

static int walk_unit(struct walk *w)
{
	Dwarf_Die child;
	int tag, r = 0;

	while (!r && (tag = dwarf_tag(&w->die)) != DW_TAG_invalid) {
		if (tag == DW_TAG_subprogram)
			r = ranges_add(&w->unit->functions, &w->die,
				       (const uint8_t *)w->die.addr - w->base - w->unit->start);
		if (r)
			break;
		w->unit->has_types |= tag == DW_TAG_base_type;
		if (is_scope(tag) && w->depth < DEPTH_MAX && !dwarf_child(&w->die, &child))
			r = walk_enter(w, &child);
		else if (!walk_next(w))
			break;
	}
	return r;
}

int dwarf_file_index_unit(struct dwarf_file *f, struct dw_unit *u)
{
	struct walk w = { .unit = u };
	Dwarf_Die die;
	int r = 0;

	if (u->indexed)
		return 0;
	u->indexed = true;
	if (!dwarf_offdie(f->view.dwarf, u->die, &die))
		return 0;
	w.base = (const uint8_t *)die.addr - u->die;
	if (!dwarf_child(&die, &w.die))
		r = walk_unit(&w);
	return r ? r : ranges_settle(&u->functions);
}
