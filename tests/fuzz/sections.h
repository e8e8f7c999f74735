/* SPDX-License-Identifier: Apache-2.0 */
/* What fuzzers of debug information share. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "elf/image.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/*
 * Changes some bytes of a section that is not loaded, where debug information is; which section and where
 * follow from `seed`, and what follows it stays where it is. Few other changes leave a file in which it is
 * found. The image lies in memory that may be written. False: there is no such section.
 */
static inline bool section_mutate(struct elf_image *img, unsigned int seed)
{
	for (unsigned int i = 0; i < 32 && img->n_sections; i++) {
		const struct elf_section *s = &img->sections[(seed + i) % img->n_sections];
		uint8_t *bytes = (uint8_t *)(uintptr_t)elf_image_section_data(img, s);
		size_t len = s->size < 64 ? s->size : 64;

		if (!bytes || !s->size || s->addr)
			continue;
		bytes += seed * 2654435761ULL / 256 % (s->size - len + 1);
		LLVMFuzzerMutate(bytes, len, len);
		return true;
	}
	return false;
}
