/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table that every Go program carries, stripped or not, for its own stack traces: functions,
 * files, lines, inlined calls and the size of the frame at every address. Format: Go's
 * src/runtime/symtab.go and src/cmd/link/internal/ld/pcln.go; read here as Go 1.18 and later write
 * it. Addresses are those of the ELF file.
 *
 * What belongs to one release only is found by trying it on the table itself: see
 * gopclntab_find.c.
 */
#pragma once
#include "base/reader.h"
#include "elf/image.h"

enum go_func_flag {
	GO_FUNC_TOP = 1,      /* the outermost frame of its stack */
	GO_FUNC_SP_WRITE = 2, /* sets the stack pointer: its frame is known only at calls */
	GO_FUNC_ASM = 4,
};

struct gopclntab {
	const struct elf_image *img;
	struct reader names, units, files, values, functions; /* each over all of its part */
	uint64_t address;	/* of the table */
	uint64_t text;		/* what functions' addresses are relative to */
	uint64_t gofunc;	/* and inline trees'; 0: unknown, no inlined call is found */
	uint64_t module;	/* of the runtime's moduledata, where this comes from */
	uint32_t n;		/* functions */
	unsigned int quantum;	/* of addresses */
	bool early;		/* written by Go 1.18 or 1.19 */
};

struct go_function {
	uint64_t entry, end;
	const char *name;
	uint32_t pcsp, pcfile, pcln, unit, n_pcdata, pcdata; /* pcdata: where the offsets start */
	uint8_t id, flags, n_funcdata; /* id: of those the runtime treats specially; their numbers
					  differ between releases */
};

/* A table of values by address, from the first address of its function on. */
struct go_values {
	struct reader table;
	uint64_t pc; /* up to here `value` holds */
	int32_t value;
	unsigned int quantum;
	bool first;
};

struct go_line {
	const char *file; /* NULL: unknown */
	unsigned int line;
};

/* An inlined call: what is called, and an address of the line of the call. */
struct go_inlined {
	const char *name;
	uint64_t caller;
	uint8_t id; /* as a function's */
};

/* Numbers of the tables that each function has: by address, and as data. */
enum go_pcdata { GO_PCDATA_STACK_MAP = 1, GO_PCDATA_INLINED = 2, GO_PCDATA_ARGS_LIVE = 3 };
enum go_funcdata {
	GO_FUNCDATA_ARGS_MAPS = 0,
	GO_FUNCDATA_LOCALS_MAPS = 1,
	GO_FUNCDATA_STACK_OBJECTS = 2,
	GO_FUNCDATA_INLINED = 3,
	GO_FUNCDATA_ARGS_INFO = 5,
	GO_FUNCDATA_ARGS_LIVE = 6,
};

/* Finds the table of the image, which must outlive it. 0, or -ENOENT: none, or not one that is
 * understood. */
int gopclntab_find(const struct elf_image *img, struct gopclntab *ret);
/* Function number `index`, counted by address; false when there is none or it makes no sense. */
bool gopclntab_function(const struct gopclntab *t, uint32_t index, struct go_function *ret);
/* Is it returned to although it has not called, so that its frames are looked up one byte early? */
bool gopclntab_is_resumed(const struct go_function *f);
/* Does `f` have the name, be it in assembly or not? */
bool gopclntab_is_named(const struct go_function *f, const char *name);
/* The function that holds `vaddr`. */
bool gopclntab_at(const struct gopclntab *t, uint64_t vaddr, struct go_function *ret);
/* The function of that name, exactly; false: there is none. Reads the whole table. */
bool gopclntab_named(const struct gopclntab *t, const char *name, struct go_function *ret);
/* File and line of the code at `vaddr` in `f`, wherever it was inlined from. */
struct go_line gopclntab_line(const struct gopclntab *t, const struct go_function *f,
			      uint64_t vaddr);
/* The innermost inlined call that the code at `vaddr` belongs to; false: none. */
bool gopclntab_inlined(const struct gopclntab *t, const struct go_function *f, uint64_t vaddr,
		       struct go_inlined *ret);

/* The values of one of the function's tables, e.g. `f->pcsp`: the bytes between the stack pointer
 * and the return address. */
struct go_values gopclntab_values(const struct gopclntab *t, const struct go_function *f,
				  uint32_t table);
/* The value that holds at `vaddr` of one of the tables, as the runtime's pcvalue(); -1: none. */
int32_t gopclntab_value(const struct gopclntab *t, const struct go_function *f, uint32_t table,
			uint64_t vaddr);
/* The same of an enum go_pcdata. */
int32_t gopclntab_pcdata(const struct gopclntab *t, const struct go_function *f,
			 enum go_pcdata which, uint64_t vaddr);
/* Where the function's data of an enum go_funcdata is; 0: it has none. */
uint64_t gopclntab_funcdata(const struct gopclntab *t, const struct go_function *f,
			    enum go_funcdata which);
/* The next stretch of addresses, [the previous `pc`, `pc`); false behind the last. */
bool go_values_next(struct go_values *v);

/* A string of one of the parts, or NULL. Only for user/elf/gopclntab*.c, as all below. */
const char *gopclntab_string(const struct reader *part, uint32_t offset);
/* One of the inlined calls of `f`; false when it makes no sense. */
bool gopclntab_call(const struct gopclntab *t, const struct go_function *f, int32_t index,
		    struct go_inlined *ret);
bool gopclntab_has_inlined(const struct gopclntab *t, const struct go_function *f);
