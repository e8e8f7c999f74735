/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The debug information of a file as libdw may safely see it. libdw trusts ELF headers, section
 * bounds and the ends of strings more than foreign bytes deserve, and opens further files by names
 * that it finds inside. So it is given an ELF file made here: our own headers over a private
 * mapping of the file, with only the sections needed, all of them checked, unpacked where
 * compressed, and zeros behind the last.
 */
#pragma once
#include <elfutils/libdw.h>
#include "elf/image.h"

struct dwview {
	uint8_t *map;
	size_t size;
	uint64_t info_size;  /* of .debug_info */
	const uint8_t *line; /* .debug_line; NULL: none */
	uint64_t line_size;
	Elf *elf;
	Dwarf *dwarf;
};

/* The debug information of the image `img` of the file behind `fd`, neither of which is needed
 * afterwards. 0, -ENOENT when there is none that can be read, -E2BIG when it unpacks to more than is read, or
 * another negative errno. */
int dwview_open(int fd, const struct elf_image *img, struct dwview *ret);
/* Drops all that libdw has kept of what it read, which is otherwise as long-lived as the view. 0,
 * or -ENOENT: the view is of no use any more. */
int dwview_reset(struct dwview *v);
void dwview_deinit(struct dwview *v);
