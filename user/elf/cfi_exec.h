/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the call frame program of an FDE and lowers its rows to struct lt_rule. Only for
 * user/elf/cfi*.c. */
#pragma once
#include <leaktrace/unwind.h>
#include "elf/cfi_parse.h"

#define CFI_REMEMBER_MAX 64

enum cfi_how {
	CFI_SAME,      /* a register: not touched, or nothing is said about it */
	CFI_UNDEFINED, /* a register: lost */
	CFI_AT_CFA,    /* a register: saved at CFA + offset */
	CFI_AT_REG,    /* a register: saved at reg + offset */
	CFI_OFFSET,    /* the CFA: reg + offset */
	CFI_DEREF,     /* the CFA: *(reg + offset) + add */
	CFI_PLT,       /* the CFA: as LT_CFA_PLT */
	CFI_OTHER,
};

struct cfi_location {
	enum cfi_how how;
	uint64_t reg;
	int64_t offset, add;
};

/* The columns that matter here. */
struct cfi_columns {
	struct cfi_location cfa, rbp, ra;
};

struct cfi_machine {
	const struct cfi_section *section;
	const struct cfi_cie *cie;
	struct reader program;
	uint64_t pc, end;
	struct cfi_columns now, initial;
	struct cfi_location ignored; /* of all other registers */
	unsigned int depth;
	struct cfi_columns remembered[CFI_REMEMBER_MAX];
};

/* Runs the CIE's own program. 0, or -EINVAL when it is malformed. */
int cfi_machine_init(struct cfi_machine *m, const struct cfi_section *section,
		     const struct cfi_cie *cie);
/* Starts on an FDE of that CIE; a machine can be started any number of times. */
void cfi_machine_start(struct cfi_machine *m, const struct cfi_fde *fde);
/* The next row: writes its first address and its rule. 1, or 0 after the last row, or -EINVAL when
 * the program is malformed. */
int cfi_machine_row(struct cfi_machine *m, uint64_t *ret_pc, struct lt_rule *ret_rule);
