/* SPDX-License-Identifier: Apache-2.0 */
/* Function and object symbols of an ELF image: .symtab and .dynsym (through PT_DYNAMIC when there
 * are no section headers). */
#pragma once
#include "elf/image.h"

#define ELF_SYMBOLS_MAX (3U << 20) /* entries of a table: several times those of the largest programs */

struct elf_symbol {
	uint64_t addr, size; /* size 0: unknown */
	const char *name;    /* points into the image */
	uint8_t type, bind;  /* STT_FUNC ..., STB_GLOBAL ... */
	bool dynamic;	     /* exported: from .dynsym */
	bool guessed;	     /* size: up to the next symbol; the file gives none */
	uint32_t outer;	     /* index + 1 of the nearest one before that reaches over addr, or 0 */
};

struct elf_symtab {
	struct elf_symbol *symbols; /* sorted by address; defined symbols only */
	size_t n, cap;
	bool cut; /* there were more: ELF_SYMBOLS_MAX */
	struct elf_name_index *names; /* of elf_symtab_named(), made by its first call */
};

/* Which tables: both, or only the exported one. An image without any gives an empty table and 0.
 * The image must outlive the table. 0, or -ENOMEM. */
int elf_symtab_load(const struct elf_image *img, bool dynamic_only, struct elf_symtab *ret);
void elf_symtab_deinit(struct elf_symtab *t);
/*
 * The function that covers `addr`, or NULL: the innermost one whose size is known, else the nearest
 * one of unknown size before it. Among those at one address the best is taken: global before local,
 * sized before unsized, then by fewest leading underscores.
 */
const struct elf_symbol *elf_symtab_at(const struct elf_symtab *t, uint64_t addr);
/* The defined function called `name` (exported ones first), or NULL. Not for use from several
 * threads at once. */
const struct elf_symbol *elf_symtab_named(const struct elf_symtab *t, const char *name);
