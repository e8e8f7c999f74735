/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ELF file as foreign bytes: every access is bounded, nothing in it is trusted. Works on
 * stripped files and on files without section headers (program headers suffice).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "elf/copy.h"

#define ELF_BUILD_ID_MAX 20

/* filesz is clipped to the file, memsz to the address space: their sums do not overflow. */
struct elf_segment {
	uint64_t vaddr, offset, filesz, memsz;
	uint32_t flags; /* PF_X ... */
};

struct elf_section {
	const char *name; /* NULL when the name cannot be read */
	uint32_t type, link;
	uint64_t addr, offset, size, entsize, flags;
};

struct elf_image {
	const uint8_t *data;
	size_t size;
	struct file_copy *copy; /* of elf_image_open_fd(): what fills `data`; else NULL */
	bool mapped;		/* of elf_image_map_fd() */
	bool no_sections;	/* there are more than any linker makes: none was read */
	uint16_t machine, type;
	uint8_t class; /* ELFCLASS64 ... */
	uint64_t entry;
	struct elf_segment *segments; /* PT_LOAD only */
	size_t n_segments;
	struct elf_section *sections;
	size_t n_sections;
	uint64_t eh_frame_hdr_vaddr, eh_frame_hdr_size; /* 0: none */
	uint64_t dynamic_vaddr, dynamic_size;		/* 0: none */
	const char *interp;				/* PT_INTERP, or NULL */
	uint8_t build_id[ELF_BUILD_ID_MAX];
	unsigned int build_id_len;
};

#define elf_foreach_segment(s, img)                                                                \
	for (const struct elf_segment *s = (img)->segments;                                        \
	     s && s < (img)->segments + (img)->n_segments; s++)
#define elf_foreach_section(s, img)                                                                \
	for (const struct elf_section *s = (img)->sections;                                        \
	     s && s < (img)->sections + (img)->n_sections; s++)

/* Parses the file behind `fd` (which the caller keeps), and reads of it what is asked for, into memory of our
 * own. 0, -ENOEXEC when it is not a 64-bit little-endian ELF file, or another negative errno. */
int elf_image_open_fd(int fd, struct elf_image *ret);
/* The same by mapping the file. Who changes it meanwhile can crash us: only for helpers (base/helper.h). */
int elf_image_map_fd(int fd, struct elf_image *ret);
/* The same over bytes in memory, which must outlive the image. */
int elf_image_open_mem(const void *data, size_t size, struct elf_image *ret);
void elf_image_deinit(struct elf_image *img);
/* Bytes that have been read of the file so far. */
uint64_t elf_image_bytes_read(const struct elf_image *img);
/* Why something of the file could not be read although it lies within the file, in words; NULL: all could
 * that was asked for so far. */
const char *elf_image_damage(const struct elf_image *img);

/* The `len` bytes of the file that are loaded at `vaddr`, or NULL unless all of them are in it. */
const uint8_t *elf_image_at(const struct elf_image *img, uint64_t vaddr, uint64_t len);
/* How many bytes of file content follow `vaddr` in its segment (0: none). */
uint64_t elf_image_left(const struct elf_image *img, uint64_t vaddr);
const struct elf_section *elf_image_section(const struct elf_image *img, const char *name);
/* File bytes of a section (NULL for SHT_NOBITS or when out of bounds). */
const uint8_t *elf_image_section_data(const struct elf_image *img, const struct elf_section *s);
/* Do all `len` bytes at `vaddr` lie in one executable segment (whether in the file or not)? */
bool elf_image_is_code(const struct elf_image *img, uint64_t vaddr, uint64_t len);
/*
 * Virtual address <-> file offset through PT_LOAD. 0, or -ENOENT. A page on the border of two
 * segments is mapped for both; an offset in it is taken as one of the executable segment, rounded
 * out to its first page as the kernel maps it. So the offset of an executable mapping in
 * /proc/PID/maps gives the right address.
 */
int elf_vaddr_to_offset(const struct elf_image *img, uint64_t vaddr, uint64_t *ret);
int elf_offset_to_vaddr(const struct elf_image *img, uint64_t offset, uint64_t *ret);
