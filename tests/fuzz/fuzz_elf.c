// SPDX-License-Identifier: Apache-2.0
/* Any bytes as an ELF file: its headers and its symbols. */
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "elf/symtab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t sink;

#define EXPECT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

/* Reads the ends of what is said to be there. */
static void touch(const uint8_t *data, uint64_t size)
{
	if (data && size)
		sink += data[0] + data[size - 1];
}

static void check_image(const struct elf_image *img)
{
	uint64_t offset, vaddr;

	elf_foreach_segment(s, img) {
		EXPECT(!s->filesz || s->offset + s->filesz <= img->size);
		EXPECT(s->vaddr + s->memsz >= s->vaddr);
		touch(elf_image_at(img, s->vaddr, s->filesz), s->filesz);
		touch(elf_image_at(img, s->vaddr, s->memsz), s->memsz);
		touch(elf_image_at(img, s->vaddr + 1, elf_image_left(img, s->vaddr + 1)), 1);
		if (!elf_vaddr_to_offset(img, s->vaddr, &offset))
			EXPECT(offset < img->size && !elf_offset_to_vaddr(img, offset, &vaddr));
		elf_offset_to_vaddr(img, s->offset & -4096ULL, &vaddr);
	}
	elf_foreach_section(s, img) {
		touch(elf_image_section_data(img, s), s->size);
		sink += s->name ? strlen(s->name) : 0;
	}
	touch(elf_image_at(img, img->eh_frame_hdr_vaddr, img->eh_frame_hdr_size),
	      img->eh_frame_hdr_size);
	touch(img->build_id, img->build_id_len);
	sink += img->interp ? strlen(img->interp) : 0;
	sink += elf_image_section(img, ".text") != NULL;
}

static void check_symtab(const struct elf_symtab *t)
{
	const struct elf_symbol *s, *found;

	for (size_t i = 0; i < t->n; i++) {
		s = &t->symbols[i];
		EXPECT(!i || s[-1].addr <= s->addr);
		EXPECT(*s->name && s->outer <= i);
		found = elf_symtab_at(t, s->addr);
		if (found)
			EXPECT(found->addr <= s->addr && s->addr - found->addr < found->size);
		if (s->type == STT_FUNC && s->size) {
			EXPECT(found);
			found = elf_symtab_named(t, s->name);
			EXPECT(found && !strcmp(found->name, s->name));
			EXPECT(found->dynamic >= s->dynamic);
		}
	}
	elf_symtab_at(t, UINT64_MAX);
	elf_symtab_named(t, "malloc");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };

	if (elf_image_open_mem(data, size, &img))
		return 0;
	check_image(&img);
	for (int dynamic_only = 0; dynamic_only < 2; dynamic_only++) {
		_cleanup_(elf_symtab_deinit) struct elf_symtab t = { 0 };

		if (!elf_symtab_load(&img, dynamic_only, &t))
			check_symtab(&t);
	}
	return 0;
}
