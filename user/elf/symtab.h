/* SPDX-License-Identifier: Apache-2.0 */
/* Function and object symbols of an ELF image: .symtab and .dynsym (through PT_DYNAMIC when there
 * are no section headers). */
#pragma once
#include "elf/image.h"

struct elf_symbol {
	uint64_t addr, size; /* size 0: unknown */
	const char *name;    /* points into the image */
	uint8_t type, bind;  /* STT_FUNC ..., STB_GLOBAL ... */
	bool dynamic;	     /* exported: from .dynsym */
};

struct elf_symtab {
	struct elf_symbol *symbols; /* sorted by address; defined symbols only */
	size_t n, cap;
};

/* Which tables: both, or only the exported one. An image without any gives an empty table and 0. */
int elf_symtab_load(const struct elf_image *img, bool dynamic_only, struct elf_symtab *ret);
void elf_symtab_deinit(struct elf_symtab *t);
/* The function that covers `addr`: the best symbol (global before local, sized before unsized, then
 * by shortest leading underscores), or NULL. A symbol of size 0 covers up to the next symbol. */
const struct elf_symbol *elf_symtab_at(const struct elf_symtab *t, uint64_t addr);
/* The defined function called `name` (exported ones first), or NULL. */
const struct elf_symbol *elf_symtab_named(const struct elf_symtab *t, const char *name);
