/* SPDX-License-Identifier: Apache-2.0 */
/* The records of .eh_frame: which functions there are, and the programs that describe their frames.
 * Only for user/elf/cfi*.c. */
#pragma once
#include "base/hashmap.h"
#include "base/reader.h"
#include "base/vec.h"
#include "elf/image.h"

/* Numbers of the x86-64 psABI. */
#define CFI_RBP 6
#define CFI_R10 10 /* what gcc realigns a stack with */
#define CFI_RSP 7

#define CFI_FDES_MAX (2U << 20) /* several times those of the largest programs */

struct cfi_section {
	const uint8_t *data;
	size_t size;
	uint64_t vaddr;
	bool measured; /* the size is known: a zero length in the middle does not end it */
};

/* A common information entry: what its FDEs share. */
struct cfi_cie {
	bool valid;
	bool augmented; /* FDEs carry augmentation data */
	bool signal;
	uint8_t encoding; /* of the FDEs' addresses: DW_EH_PE_... */
	uint64_t code_factor;
	int64_t data_factor;
	uint64_t ra_column;
	struct reader program;
};

/* A frame description entry: one contiguous piece of a function. */
struct cfi_fde {
	uint64_t start, end; /* start first: the key of sort_by_address() */
	const uint8_t *program;
	uint32_t program_size;
	uint32_t cie; /* index into cfi_records.cies */
};

struct cfi_fde_vec {
	VEC_OF(struct cfi_fde);
};

struct cfi_cie_vec {
	VEC_OF(struct cfi_cie);
};

struct cfi_records {
	struct cfi_section section;
	struct cfi_fde_vec fdes; /* sorted by start */
	struct cfi_cie_vec cies;
	struct hashmap cie_at; /* offset in the section -> index into cies */
	uint64_t bad_fdes;     /* skipped as malformed */
	bool cut;	       /* there were more: CFI_FDES_MAX */
};

/* All FDEs of the image's code; none when it has no .eh_frame. 0, or -ENOMEM. */
int cfi_records_read(const struct elf_image *img, struct cfi_records *ret);
void cfi_records_deinit(struct cfi_records *records);
/* An address in encoding `encoding` (DW_EH_PE_...) at `r`, a reader over bytes of the section. Sets
 * r->bad for encodings that no compiler uses in .eh_frame. */
uint64_t cfi_read_address(struct reader *r, uint8_t encoding, const struct cfi_section *section);
