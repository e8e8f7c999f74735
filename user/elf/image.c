// SPDX-License-Identifier: Apache-2.0
#include "elf/image.h"
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "base/reader.h"

/* The kernel maps no file with more (fs/binfmt_elf.c), and a search over them stays short. */
#define PHDRS_MAX (65536 / sizeof(Elf64_Phdr))
#define NOTES_MAX 65536 /* bytes of a note table that are read */
#define INTERP_MAX 4096
#define SEGMENTS_MAX 256 /* linkers write ten at most, and each look-up goes through them */
/* Linkers write a few dozen; more than that come with their number elsewhere (gABI, e_shnum). */
#define SECTIONS_MAX	  SHN_LORESERVE
#define SECTION_NAMES_MAX (16UL << 20)
#define PAGE		  4096ULL

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static const uint8_t *image_bytes(const struct elf_image *img, uint64_t offset, uint64_t len)
{
	if (offset > img->size || len > img->size - offset)
		return NULL;
	if (img->copy && !file_copy_load(img->copy, offset, len))
		return NULL;
	return img->data + offset;
}

/* Copies item `index` of the table at `table`; foreign offsets need not be aligned. */
static bool image_read(const struct elf_image *img, uint64_t table, uint64_t index, void *item,
		       size_t size)
{
	const uint8_t *at;

	if (table > img->size || index > img->size / size)
		return false;
	at = image_bytes(img, table + index * size, size);
	if (at)
		memcpy(item, at, size);
	return at;
}

static void image_parse_notes(struct elf_image *img, uint64_t offset, uint64_t size, uint64_t align)
{
	const uint8_t *data = image_bytes(img, offset, min_u64(size, NOTES_MAX));
	struct reader r = reader_make(data, data ? min_u64(size, NOTES_MAX) : 0);
	const uint64_t mask = align == 8 ? 7 : 3;
	uint32_t name_size, desc_size, type;
	const void *name, *desc;

	while (!img->build_id_len && reader_left(&r) >= sizeof(Elf64_Nhdr)) {
		name_size = reader_u32(&r);
		desc_size = reader_u32(&r);
		type = reader_u32(&r);
		name = reader_bytes(&r, name_size);
		reader_skip(&r, -reader_offset(&r) & mask);
		desc = reader_bytes(&r, desc_size);
		if (r.bad)
			return;
		if (type == NT_GNU_BUILD_ID && name_size == sizeof(ELF_NOTE_GNU) &&
		    !memcmp(name, ELF_NOTE_GNU, name_size) && desc_size <= ELF_BUILD_ID_MAX) {
			memcpy(img->build_id, desc, desc_size);
			img->build_id_len = desc_size;
		}
		/* the last note of a table may go without its padding */
		reader_skip(&r, min_u64(-reader_offset(&r) & mask, reader_left(&r)));
	}
}

/* Clipped to the file and to the address space, so that no later sum can overflow. */
static struct elf_segment image_segment(const struct elf_image *img, const Elf64_Phdr *ph)
{
	struct elf_segment s = {
		.vaddr = ph->p_vaddr,
		.offset = ph->p_offset,
		.flags = ph->p_flags,
	};

	s.memsz = min_u64(ph->p_memsz, UINT64_MAX - s.vaddr);
	if (s.offset < img->size)
		s.filesz = min_u64(min_u64(ph->p_filesz, s.memsz), img->size - s.offset);
	return s;
}

static void image_parse_phdr(struct elf_image *img, const Elf64_Phdr *ph)
{
	const uint8_t *at;

	switch (ph->p_type) {
	case PT_LOAD:
		if (img->n_segments < SEGMENTS_MAX)
			img->segments[img->n_segments++] = image_segment(img, ph);
		break;
	case PT_DYNAMIC:
		img->dynamic_vaddr = ph->p_vaddr;
		img->dynamic_size = ph->p_filesz;
		break;
	case PT_GNU_EH_FRAME:
		img->eh_frame_hdr_vaddr = ph->p_vaddr;
		img->eh_frame_hdr_size = ph->p_filesz;
		break;
	case PT_INTERP:
		at = ph->p_filesz > INTERP_MAX ? NULL : image_bytes(img, ph->p_offset, ph->p_filesz);
		if (at && memchr(at, 0, ph->p_filesz))
			img->interp = (const char *)at;
		break;
	case PT_NOTE:
		image_parse_notes(img, ph->p_offset, ph->p_filesz, ph->p_align);
		break;
	}
}

static int image_parse_segments(struct elf_image *img, const Elf64_Ehdr *eh)
{
	Elf64_Phdr ph;

	if (!eh->e_phnum)
		return 0;
	if (eh->e_phentsize != sizeof(ph) || eh->e_phnum > PHDRS_MAX)
		return -ENOEXEC;
	img->segments = calloc(min_u64(eh->e_phnum, SEGMENTS_MAX), sizeof(*img->segments));
	if (!img->segments)
		return -ENOMEM;
	for (unsigned int i = 0; i < eh->e_phnum; i++) {
		if (!image_read(img, eh->e_phoff, i, &ph, sizeof(ph)))
			return -ENOEXEC;
		image_parse_phdr(img, &ph);
	}
	return 0;
}

/* The string table, cut behind its last NUL: every offset into it is a terminated string. */
static struct reader image_section_names(const struct elf_image *img, const Elf64_Ehdr *eh,
					 uint64_t index)
{
	const uint8_t *data, *nul;
	Elf64_Shdr sh;

	if (!image_read(img, eh->e_shoff, index, &sh, sizeof(sh)) || sh.sh_type == SHT_NOBITS)
		return (struct reader){ 0 };
	sh.sh_size = min_u64(sh.sh_size, SECTION_NAMES_MAX);
	data = image_bytes(img, sh.sh_offset, sh.sh_size);
	nul = data ? memrchr(data, 0, sh.sh_size) : NULL;
	return reader_make(data, nul ? (size_t)(nul - data) + 1 : 0);
}

static int image_parse_sections(struct elf_image *img, const Elf64_Ehdr *eh)
{
	const uint64_t table = eh->e_shoff;
	uint64_t n = eh->e_shnum, names_index = eh->e_shstrndx;
	struct reader names;
	Elf64_Shdr sh;

	if (!table || eh->e_shentsize != sizeof(sh) || !image_read(img, table, 0, &sh, sizeof(sh)))
		return 0;
	if (!n)
		n = sh.sh_size;
	if (names_index == SHN_XINDEX)
		names_index = sh.sh_link;
	/* program headers suffice: a table that does not fit is as good as none */
	img->no_sections = n > SECTIONS_MAX;
	if (!n || img->no_sections || !image_read(img, table, n - 1, &sh, sizeof(sh)))
		return 0;
	img->sections = calloc(n, sizeof(*img->sections));
	if (!img->sections)
		return -ENOMEM;
	img->n_sections = n;
	names = image_section_names(img, eh, names_index);
	for (size_t i = 0; i < n; i++) {
		image_read(img, table, i, &sh, sizeof(sh));
		img->sections[i] = (struct elf_section){
			.type = sh.sh_type,
			.link = sh.sh_link,
			.addr = sh.sh_addr,
			.offset = sh.sh_offset,
			.size = sh.sh_size,
			.entsize = sh.sh_entsize,
			.flags = sh.sh_flags,
		};
		if (sh.sh_name < reader_left(&names))
			img->sections[i].name = (const char *)names.start + sh.sh_name;
	}
	return 0;
}

static int image_parse(struct elf_image *img)
{
	const struct elf_section *note;
	Elf64_Ehdr eh;
	int r;

	if (!image_read(img, 0, 0, &eh, sizeof(eh)) || memcmp(eh.e_ident, ELFMAG, SELFMAG) ||
	    eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_ident[EI_DATA] != ELFDATA2LSB)
		return -ENOEXEC;
	img->machine = eh.e_machine;
	img->type = eh.e_type;
	img->class = eh.e_ident[EI_CLASS];
	img->entry = eh.e_entry;
	r = image_parse_segments(img, &eh);
	if (!r)
		r = image_parse_sections(img, &eh);
	if (r)
		return r;
	/* files of debug information may have lost their PT_NOTE's contents */
	note = elf_image_section(img, ".note.gnu.build-id");
	if (note && note->type == SHT_NOTE)
		image_parse_notes(img, note->offset, note->size, 4);
	return 0;
}

int elf_image_open_mem(const void *data, size_t size, struct elf_image *ret)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { .data = data, .size = size };
	int r = image_parse(&img);

	if (r)
		return r;
	*ret = img;
	img = (struct elf_image){ 0 };
	return 0;
}

/* The size of a file that may be one; or a negative errno. */
static off_t file_size(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	return S_ISREG(st.st_mode) && st.st_size >= (off_t)sizeof(Elf64_Ehdr) ? st.st_size : -ENOEXEC;
}

int elf_image_open_fd(int fd, struct elf_image *ret)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	const off_t size = file_size(fd);
	int r;

	if (size < 0)
		return (int)size;
	r = file_copy_open(fd, (size_t)size, &img.copy);
	if (r)
		return r;
	img.data = img.copy->data;
	img.size = (size_t)size;
	r = image_parse(&img);
	if (r)
		return r == -ENOEXEC && img.copy->damaged ? -EIO : r;
	*ret = img;
	img = (struct elf_image){ 0 };
	return 0;
}

int elf_image_map_fd(int fd, struct elf_image *ret)
{
	const off_t size = file_size(fd);
	void *data;
	int r;

	if (size < 0)
		return (int)size;
	data = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return -errno;
	r = elf_image_open_mem(data, (size_t)size, ret);
	if (r)
		munmap(data, (size_t)size);
	else
		ret->mapped = true;
	return r;
}

void elf_image_deinit(struct elf_image *img)
{
	free(img->segments);
	free(img->sections);
	file_copy_close(img->copy);
	if (img->mapped)
		munmap((void *)(uintptr_t)img->data, img->size);
	*img = (struct elf_image){ 0 };
}

uint64_t elf_image_bytes_read(const struct elf_image *img)
{
	return img->copy ? FILE_COPY_MAX - img->copy->left : 0;
}

const char *elf_image_damage(const struct elf_image *img)
{
	if (img->no_sections)
		return "it has more sections than any linker makes";
	if (!img->copy)
		return NULL;
	if (img->copy->damaged)
		return "the file has changed while it was read, or cannot be read";
	return img->copy->over ? "it is larger than anything that is read" : NULL;
}

static const struct elf_segment *image_segment_at(const struct elf_image *img, uint64_t vaddr)
{
	elf_foreach_segment(s, img)
		if (vaddr - s->vaddr < s->filesz)
			return s;
	return NULL;
}

uint64_t elf_image_left(const struct elf_image *img, uint64_t vaddr)
{
	const struct elf_segment *s = image_segment_at(img, vaddr);

	return s ? s->filesz - (vaddr - s->vaddr) : 0;
}

const uint8_t *elf_image_at(const struct elf_image *img, uint64_t vaddr, uint64_t len)
{
	const struct elf_segment *s = image_segment_at(img, vaddr);

	if (!s || len > s->filesz - (vaddr - s->vaddr))
		return NULL;
	return image_bytes(img, s->offset + (vaddr - s->vaddr), len);
}

const struct elf_section *elf_image_section(const struct elf_image *img, const char *name)
{
	elf_foreach_section(s, img)
		if (s->name && !strcmp(s->name, name))
			return s;
	return NULL;
}

const uint8_t *elf_image_section_data(const struct elf_image *img, const struct elf_section *s)
{
	return s->type == SHT_NOBITS ? NULL : image_bytes(img, s->offset, s->size);
}

bool elf_image_is_code(const struct elf_image *img, uint64_t vaddr, uint64_t len)
{
	elf_foreach_segment(s, img)
		if ((s->flags & PF_X) && vaddr - s->vaddr < s->memsz &&
		    len <= s->memsz - (vaddr - s->vaddr))
			return true;
	return false;
}

int elf_vaddr_to_offset(const struct elf_image *img, uint64_t vaddr, uint64_t *ret)
{
	const struct elf_segment *s = image_segment_at(img, vaddr);

	if (!s)
		return -ENOENT;
	*ret = s->offset + (vaddr - s->vaddr);
	return 0;
}

int elf_offset_to_vaddr(const struct elf_image *img, uint64_t offset, uint64_t *ret)
{
	const struct elf_segment *best = NULL;
	unsigned int rank, best_rank = 0;
	uint64_t head;

	elf_foreach_segment(s, img) {
		head = s->offset & (PAGE - 1);
		if (offset - s->offset < s->filesz)
			rank = s->flags & PF_X ? 3 : 1;
		else if ((s->flags & PF_X) && s->filesz && s->offset - offset <= head)
			rank = 2;
		else
			continue;
		if (rank > best_rank) {
			best_rank = rank;
			best = s;
		}
	}
	if (!best)
		return -ENOENT;
	*ret = best->vaddr + (offset - best->offset);
	return 0;
}
