// SPDX-License-Identifier: Apache-2.0
#include "sym/dwview.h"
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zlib.h>
#include "base/cleanup.h"
#include "base/reader.h"

#define PAGE	      4096UL
#define UNPACKED_MAX  (192ULL << 20) /* bytes of all sections together */
#define DEFLATE_RATIO 1032 /* no stream of zlib's expands more (zlib's technical details) */

static const char *const section_names[] = {
	".debug_info",	      ".debug_abbrev", ".debug_line",	".debug_line_str", ".debug_str",
	".debug_str_offsets", ".debug_addr",   ".debug_ranges", ".debug_rnglists", ".debug_types",
};

#define SECTIONS ARRAY_SIZE(section_names)

/* The view: a page with the ELF header, the file, then the unpacked sections and the tables. */
struct plan {
	struct {
		uint64_t offset, size; /* in the view */
		const uint8_t *packed; /* NULL: it is in the file as it is */
		uint64_t packed_size;
	} sections[SECTIONS];
	uint64_t end; /* of the view so far */
	uint64_t unpacked;
	bool too_large;
};

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) & ~(to - 1);
}

static int plan_unpacked(struct plan *p, size_t i, const uint8_t *packed, uint64_t packed_size,
			 uint64_t size)
{
	if (size / DEFLATE_RATIO > packed_size)
		return -ENOENT;
	if (size > UNPACKED_MAX || p->unpacked + size > UNPACKED_MAX) {
		p->too_large = true;
		return -E2BIG;
	}
	p->unpacked += size;
	p->sections[i].offset = p->end;
	p->sections[i].size = size;
	p->sections[i].packed = packed;
	p->sections[i].packed_size = packed_size;
	/* a string that runs out of a section ends there */
	p->end = round_up(p->end + size + 1, 16);
	return 0;
}

/* As gcc and clang compress with -gz: an Elf64_Chdr before the data. */
static int plan_compressed(struct plan *p, size_t i, const uint8_t *data, uint64_t size)
{
	Elf64_Chdr header;

	if (size < sizeof(header))
		return -ENOENT;
	memcpy(&header, data, sizeof(header));
	if (header.ch_type != ELFCOMPRESS_ZLIB)
		return -ENOENT;
	return plan_unpacked(p, i, data + sizeof(header), size - sizeof(header), header.ch_size);
}

/* As binutils did before: the section is called .zdebug_* and begins with "ZLIB" and its size, most
 * significant byte first. */
static int plan_zdebug(struct plan *p, size_t i, const struct elf_image *img)
{
	const struct elf_section *s;
	const uint8_t *data;
	char name[32];
	uint64_t size;

	snprintf(name, sizeof(name), ".z%s", section_names[i] + 1);
	s = elf_image_section(img, name);
	data = s ? elf_image_section_data(img, s) : NULL;
	if (!data || s->size < 12 || memcmp(data, "ZLIB", 4))
		return -ENOENT;
	memcpy(&size, data + 4, sizeof(size));
	return plan_unpacked(p, i, data + 12, s->size - 12, __builtin_bswap64(size));
}

static void plan_section(struct plan *p, size_t i, const struct elf_image *img)
{
	const struct elf_section *s = elf_image_section(img, section_names[i]);
	const uint8_t *data = s ? elf_image_section_data(img, s) : NULL;

	if (!data) {
		plan_zdebug(p, i, img);
	} else if (s->flags & SHF_COMPRESSED) {
		plan_compressed(p, i, data, s->size);
	} else {
		p->sections[i].offset = PAGE + s->offset;
		p->sections[i].size = s->size;
	}
}

static bool inflate_section(const uint8_t *packed, uint64_t packed_size, uint8_t *to, uint64_t size)
{
	z_stream z = { .next_in = (uint8_t *)(uintptr_t)packed, .next_out = to };
	int r = Z_OK;

	if (inflateInit(&z) != Z_OK)
		return false;
	while (r == Z_OK) {
		const uint64_t in_left = packed + packed_size - z.next_in;
		const uint64_t out_left = to + size - z.next_out;

		z.avail_in = in_left < UINT32_MAX ? in_left : UINT32_MAX;
		z.avail_out = out_left < UINT32_MAX ? out_left : UINT32_MAX;
		r = inflate(&z, Z_NO_FLUSH);
	}
	inflateEnd(&z);
	return r == Z_STREAM_END && z.next_out == to + size;
}

static void view_write_headers(uint8_t *map, uint64_t tables, const struct elf_image *img,
			       const struct plan *p)
{
	Elf64_Shdr sections[SECTIONS + 2] = { 0 };
	const uint64_t names = tables + sizeof(sections);
	uint64_t at = names + 1;
	const Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_EXEC, /* nothing is to be relocated */
		.e_machine = img->machine,
		.e_version = EV_CURRENT,
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_shoff = tables,
		.e_shentsize = sizeof(*sections),
		.e_shnum = ARRAY_SIZE(sections),
		.e_shstrndx = SECTIONS + 1,
	};

	for (size_t i = 0; i < SECTIONS; i++) {
		sections[i + 1] = (Elf64_Shdr){
			.sh_name = at - names,
			.sh_type = p->sections[i].size ? SHT_PROGBITS : SHT_NOBITS,
			.sh_offset = p->sections[i].offset,
			.sh_size = p->sections[i].size,
			.sh_addralign = 1,
		};
		strcpy((char *)map + at, section_names[i]);
		at += strlen(section_names[i]) + 1;
	}
	sections[SECTIONS + 1] = (Elf64_Shdr){
		.sh_type = SHT_STRTAB,
		.sh_offset = names,
		.sh_size = at - names,
		.sh_addralign = 1,
	};
	memcpy(map, &header, sizeof(header));
	memcpy(map + tables, sections, sizeof(sections));
}

/* Reserves the view and lays the file into it. */
static int view_map(struct dwview *v, int fd, const struct elf_image *img, const struct plan *p,
		    uint64_t tables)
{
	const uint64_t behind = PAGE + round_up(img->size, PAGE); /* the file */

	/* the longest name, plus a page of zeros for reads that overrun */
	v->size = round_up(tables + (SECTIONS + 2) * (sizeof(Elf64_Shdr) + 32), PAGE) + PAGE;
	v->map = mmap(NULL, v->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (v->map == MAP_FAILED) {
		v->map = NULL;
		return -errno;
	}
	/* what is written counts as memory of ours; the file, however large, does not */
	if (mprotect(v->map, PAGE, PROT_READ | PROT_WRITE) ||
	    mprotect(v->map + behind, v->size - behind, PROT_READ | PROT_WRITE) ||
	    mmap(v->map + PAGE, img->size, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0) == MAP_FAILED)
		return -errno;
	for (size_t i = 0; i < SECTIONS; i++)
		if (p->sections[i].packed &&
		    !inflate_section(p->sections[i].packed, p->sections[i].packed_size,
				     v->map + p->sections[i].offset, p->sections[i].size))
			return -ENOENT;
	view_write_headers(v->map, tables, img, p);
	return 0;
}

static int view_begin(struct dwview *v)
{
	elf_version(EV_CURRENT);
	v->elf = elf_memory((char *)v->map, v->size);
	v->dwarf = v->elf ? dwarf_begin_elf(v->elf, DWARF_C_READ, NULL) : NULL;
	return v->dwarf ? 0 : -ENOENT;
}

static void view_end(struct dwview *v)
{
	dwarf_end(v->dwarf);
	elf_end(v->elf);
	v->dwarf = NULL;
	v->elf = NULL;
}

int dwview_open(int fd, const struct elf_image *img, struct dwview *ret)
{
	_cleanup_(dwview_deinit) struct dwview v = { 0 };
	struct plan p = { .end = PAGE + round_up(img->size, PAGE) };
	int r;

	for (size_t i = 0; i < SECTIONS; i++)
		plan_section(&p, i, img);
	if (p.too_large)
		return -E2BIG;
	if (!p.sections[0].size || !p.sections[1].size)
		return -ENOENT;
	r = view_map(&v, fd, img, &p, round_up(p.end, 16));
	if (!r)
		r = view_begin(&v);
	if (r)
		return r;
	v.info_size = p.sections[0].size;
	v.line_size = p.sections[2].size;
	v.line = v.line_size ? v.map + p.sections[2].offset : NULL;
	*ret = v;
	v = (struct dwview){ 0 };
	return 0;
}

int dwview_reset(struct dwview *v)
{
	view_end(v);
	return view_begin(v);
}

void dwview_deinit(struct dwview *v)
{
	view_end(v);
	if (v->map)
		munmap(v->map, v->size);
	*v = (struct dwview){ 0 };
}
