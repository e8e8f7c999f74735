/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The debug information of one module, with indexes of our own: address -> unit, for the units that
 * were asked about address -> function, and for such functions address -> inlined calls. Units that
 * no producer put into .debug_aranges (clang makes none) are found as well: only the first entry of
 * each is read. The idea of such tables, in place of libdw's search through a whole unit for each
 * address, is that of perfparser's CuDieRangeMapping (KDAB).
 */
#pragma once
#include <stdbool.h>
#include "base/hashmap.h"
#include "base/vec.h"
#include "sym/addr_ranges.h"
#include "sym/dwview.h"
#include "sym/strpool.h"

/* An entry with others inside it: those from begin to end, offsets from the start of the unit. */
struct dw_scope {
	uint32_t begin, end;
	uint32_t outer; /* index + 1 in the table, or 0 */
};

struct dw_scopes {
	VEC_OF(struct dw_scope); /* sorted by begin */
};

struct dw_unit {
	uint64_t start, die, end; /* offsets in .debug_info */
	bool indexed, has_lines;
	bool has_types;		      /* as opposed to what -g1 and -gline-tables-only write */
	struct addr_ranges functions; /* -> offset of the entry from the start of the unit */
	struct dw_scopes scopes;      /* namespaces and classes */
};

struct dw_units {
	VEC_OF(struct dw_unit); /* in the order of the section */
};

/* A function's inlined calls. */
struct dw_calls {
	struct addr_ranges ranges; /* -> index + 1 in scopes */
	struct dw_scopes scopes;
};

struct dwarf_file {
	struct dwview view, alt; /* alt.dwarf is NULL when there is none */
	struct dw_units units;
	struct addr_ranges ranges; /* -> index of a unit */
	struct hashmap calls;	   /* offset of a function's entry -> struct dw_calls */
	struct hashmap names;	   /* address of a function's entry -> its name | made up */
	uint64_t kept;		   /* bytes of line tables that libdw holds, about */
	bool cut;		   /* a unit was too large to be gone through */
	struct strpool *strings;
	struct left_out *left_out;
	char *path;		   /* for that */
};

/* Makes the index of units. 0 or -ENOMEM. */
int dwarf_file_index(struct dwarf_file *f);
void dwarf_file_deinit(struct dwarf_file *f);
/* Makes the tables of a unit unless they are there. 0 or -ENOMEM. */
int dwarf_file_index_unit(struct dwarf_file *f, struct dw_unit *u);
/* The inlined calls of the function at `offset` from the start of the unit, owned by the file. 0 or
 * -ENOMEM. */
int dwarf_file_calls(struct dwarf_file *f, struct dw_unit *u, uint32_t offset,
		     const struct dw_calls **ret);
/* The unit that `offset` in .debug_info lies in, or NULL. */
struct dw_unit *dwarf_file_unit_at(struct dwarf_file *f, uint64_t offset);
/* The innermost scope around the entry at `offset` from the unit's start: index + 1, or 0. */
uint32_t dw_scopes_at(const struct dw_scopes *scopes, uint32_t offset);

/*
 * The name of the function that a DW_TAG_subprogram or DW_TAG_inlined_subroutine is of. 0 and
 * `*ret` from the pool (NULL: it has none), or -ENOMEM. Sets `*ret_made_up` when it has no linkage
 * name in a language that has them.
 */
int dwarf_file_name(struct dwarf_file *f, Dwarf_Die *die, const char **ret, bool *ret_made_up);
