/* SPDX-License-Identifier: Apache-2.0 */
/* What knows names of code in files: see symbolizer.h for how to add one. */
#pragma once
#include "base/left_out.h"
#include "sym/debugfile.h"
#include "sym/strpool.h"
#include "sym/symbolizer.h"

/* A module's file and what belongs to it, opened once and shared by the sources. */
struct sym_object {
	const char *path, *root; /* as in struct module; only while a source is opened */
	int fd;			 /* likewise */
	uid_t owner;		 /* of the file */
	struct left_out *left_out;
	struct elf_image image;
	struct debugfile debug;	 /* image.data is NULL when there is none */
	struct elf_image packed; /* .gnu_debugdata; data is NULL when there is none */
	void *packed_data;
	struct strpool *strings; /* all that a source hands out comes from here */
};

/* What is known of one address. */
struct sym_found {
	struct symbol symbols[SYMBOLS_MAX]; /* innermost first */
	int n;
	bool made_up; /* the last function's name was put together; a symbol table's is better */
};

struct sym_source {
	const char *name;
	bool plain; /* reads the file's own symbol tables only: is left when other sources take too much */
	/* Gets ready for `o`, which outlives the state. 0 and `*ret`, -ENOENT when this source
	 * knows nothing of the file, or -ENOMEM. */
	int (*open)(struct sym_object *o, void **ret);
	/*
	 * Improves what the sources before it have found at `vaddr`: nothing, or symbols of which
	 * the last has no function or a made-up one. A source of whole chains comes first in the
	 * table; one of mere names sets the function of the last symbol or adds one. 0 or -ENOMEM.
	 */
	int (*find)(void *state, uint64_t vaddr, struct sym_found *found);
	void (*close)(void *state);
};

extern const struct sym_source sym_source_go;
extern const struct sym_source sym_source_dwarf;
extern const struct sym_source sym_source_elf;

/* Whether the file itself has the contents of the section `name`. */
static inline bool sym_has_section(const struct elf_image *img, const char *name)
{
	const struct elf_section *s = img->data ? elf_image_section(img, name) : NULL;

	return s && s->size && elf_image_section_data(img, s);
}
