/* SPDX-License-Identifier: Apache-2.0 */
/* Builds small ELF files in memory, right or wrong ones. */
#pragma once
#include <assert.h>
#include <elf.h>
#include <stdint.h>
#include <string.h>
#include "elf/image.h"

#define FIXTURE_SIZE	 65536
#define FIXTURE_PHDRS	 16
#define FIXTURE_SECTIONS 16
#define FIXTURE_SHDRS	 0xe000 /* file offset of the section headers */
#define FIXTURE_NAMES	 0xf000 /* and of their names */

struct elf_fixture {
	_Alignas(8) uint8_t bytes[FIXTURE_SIZE];
	Elf64_Ehdr *ehdr;
	Elf64_Phdr *phdrs;
	Elf64_Shdr *shdrs;
	uint32_t names_size;
};

static inline void fixture_init(struct elf_fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->ehdr = (Elf64_Ehdr *)f->bytes;
	f->phdrs = (Elf64_Phdr *)(f->bytes + sizeof(Elf64_Ehdr));
	f->shdrs = (Elf64_Shdr *)(f->bytes + FIXTURE_SHDRS);
	*f->ehdr = (Elf64_Ehdr){
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB },
		.e_type = ET_DYN,
		.e_machine = EM_X86_64,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_shentsize = sizeof(Elf64_Shdr),
	};
}

static inline Elf64_Phdr *fixture_phdr(struct elf_fixture *f, uint32_t type, uint64_t offset,
				       uint64_t vaddr, uint64_t size, uint32_t flags)
{
	Elf64_Phdr *ph = &f->phdrs[f->ehdr->e_phnum++];

	assert(f->ehdr->e_phnum <= FIXTURE_PHDRS);
	*ph = (Elf64_Phdr){
		.p_type = type,
		.p_offset = offset,
		.p_vaddr = vaddr,
		.p_filesz = size,
		.p_memsz = size,
		.p_flags = flags,
		.p_align = 4,
	};
	return ph;
}

static inline void fixture_put(struct elf_fixture *f, uint64_t offset, const void *data, size_t n)
{
	assert(offset + n <= FIXTURE_SIZE);
	memcpy(f->bytes + offset, data, n);
}

/* Appends a section; the first call makes the null section and the table of names as well. */
static inline Elf64_Shdr *fixture_section(struct elf_fixture *f, const char *name, uint32_t type,
					  uint64_t offset, uint64_t vaddr, uint64_t size)
{
	Elf64_Shdr *names = &f->shdrs[1], *sh;

	if (!f->ehdr->e_shnum) {
		f->ehdr->e_shoff = FIXTURE_SHDRS;
		f->ehdr->e_shnum = 2;
		f->ehdr->e_shstrndx = 1;
		f->names_size = 1;
		*names = (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_offset = FIXTURE_NAMES };
	}
	sh = &f->shdrs[f->ehdr->e_shnum++];
	assert(f->ehdr->e_shnum <= FIXTURE_SECTIONS);
	*sh = (Elf64_Shdr){
		.sh_name = f->names_size,
		.sh_type = type,
		.sh_offset = offset,
		.sh_addr = vaddr,
		.sh_size = size,
	};
	fixture_put(f, FIXTURE_NAMES + f->names_size, name, strlen(name) + 1);
	f->names_size += strlen(name) + 1;
	names->sh_size = f->names_size;
	return sh;
}

static inline int fixture_open(const struct elf_fixture *f, struct elf_image *ret)
{
	return elf_image_open_mem(f->bytes, sizeof(f->bytes), ret);
}
