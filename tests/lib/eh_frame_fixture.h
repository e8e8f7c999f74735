/* SPDX-License-Identifier: Apache-2.0 */
/* Builds an ELF file with an .eh_frame, record by record, right or wrong ones. */
#pragma once
#include <dwarf.h>
#include "elf_fixture.h"

#define EH_BASE	     0x400000ULL
#define EH_TEXT	     (EH_BASE + 0x1000) /* executable; full of nops */
#define EH_TEXT_SIZE 0x1000ULL
#define EH_OFFSET    0x3000 /* of .eh_frame in the file */
#define EH_SIZE_MAX  0x8000

#define EH_REG_RBP 6
#define EH_REG_RSP 7
#define EH_REG_RA  16

struct eh_fixture {
	struct elf_fixture elf;
	uint64_t at; /* file offset of what comes next */
};

static inline void eh_init(struct eh_fixture *f)
{
	fixture_init(&f->elf);
	fixture_phdr(&f->elf, PT_LOAD, 0, EH_BASE, 0x1000, PF_R);
	fixture_phdr(&f->elf, PT_LOAD, 0x1000, EH_TEXT, EH_TEXT_SIZE, PF_R | PF_X);
	fixture_phdr(&f->elf, PT_LOAD, 0x2000, EH_BASE + 0x2000, EH_SIZE_MAX, PF_R);
	memset(f->elf.bytes + 0x1000, 0x90, EH_TEXT_SIZE);
	f->at = EH_OFFSET;
}

/* Overwrites code. */
static inline void eh_code(struct eh_fixture *f, uint64_t vaddr, const void *code, size_t n)
{
	fixture_put(&f->elf, vaddr - EH_BASE, code, n);
}

static inline void eh_bytes(struct eh_fixture *f, const void *data, size_t n)
{
	fixture_put(&f->elf, f->at, data, n);
	f->at += n;
}

/* Little-endian, as is the host. */
static inline void eh_uint(struct eh_fixture *f, uint64_t value, size_t n)
{
	eh_bytes(f, &value, n);
}

/* Starts a record: its length comes with eh_end(). Returns its offset in .eh_frame. */
static inline uint64_t eh_begin(struct eh_fixture *f)
{
	uint64_t start = f->at;

	eh_uint(f, 0, 4);
	return start - EH_OFFSET;
}

static inline void eh_end(struct eh_fixture *f, uint64_t record)
{
	uint32_t length;

	while ((f->at - record) & 3)
		eh_uint(f, DW_CFA_nop, 1);
	length = f->at - EH_OFFSET - record - 4;
	fixture_put(&f->elf, EH_OFFSET + record, &length, 4);
}

/* A CIE of the given version and augmentation; `data` is the augmentation's. */
static inline uint64_t eh_cie_as(struct eh_fixture *f, uint8_t version, const char *augmentation,
				 const void *data, size_t data_size, const void *program, size_t n)
{
	uint64_t record = eh_begin(f);

	eh_uint(f, 0, 4);
	eh_uint(f, version, 1);
	eh_bytes(f, augmentation, strlen(augmentation) + 1);
	if (version == 4)
		eh_uint(f, 8, 2); /* bytes of an address, of a segment's number */
	eh_uint(f, 1, 1);
	eh_uint(f, 0x78, 1); /* -8 */
	eh_uint(f, EH_REG_RA, 1);
	if (*augmentation == 'z')
		eh_uint(f, data_size, 1);
	eh_bytes(f, data, data_size);
	eh_bytes(f, program, n);
	eh_end(f, record);
	return record;
}

/* What every compiler writes: pc-relative addresses; CFA = rsp + 8, return address at CFA - 8. */
static const uint8_t eh_usual_program[] = { DW_CFA_def_cfa, EH_REG_RSP, 8,
					    DW_CFA_offset | EH_REG_RA, 1 };

static inline uint64_t eh_cie(struct eh_fixture *f, const char *augmentation)
{
	const uint8_t encoding = DW_EH_PE_pcrel | DW_EH_PE_sdata4;

	return eh_cie_as(f, 1, augmentation, &encoding, 1, eh_usual_program,
			 sizeof(eh_usual_program));
}

/* The head of an FDE, up to and without its addresses. */
static inline uint64_t eh_fde_begin(struct eh_fixture *f, uint64_t cie)
{
	uint64_t record = eh_begin(f);

	eh_uint(f, f->at - EH_OFFSET - cie, 4);
	return record;
}

/* An FDE of a CIE made by eh_cie(). */
static inline void eh_fde(struct eh_fixture *f, uint64_t cie, uint64_t start, uint64_t size,
			  const void *program, size_t n)
{
	uint64_t record = eh_fde_begin(f, cie);

	eh_uint(f, start - (EH_BASE + f->at), 4);
	eh_uint(f, size, 4);
	eh_uint(f, 0, 1);
	eh_bytes(f, program, n);
	eh_end(f, record);
}

/* Ends .eh_frame and opens the file, through section headers. */
static inline int eh_open(struct eh_fixture *f, struct elf_image *ret)
{
	eh_uint(f, 0, 4);
	fixture_section(&f->elf, ".eh_frame", SHT_PROGBITS, EH_OFFSET, EH_BASE + EH_OFFSET,
			f->at - EH_OFFSET);
	return fixture_open(&f->elf, ret);
}
