/* SPDX-License-Identifier: Apache-2.0 */
/* What a function's machine code refers to: how variables of the runtime are found without symbols.
 */
#pragma once
#include <stdbool.h>
#include "base/vec.h"
#include "elf/gopclntab.h"

struct go_operand {
	uint64_t target;   /* what it refers to, as an address of the ELF file */
	unsigned int bits; /* that are read or written there */
	bool address;	   /* only its address is taken */
	bool reads, writes;
};

struct go_operands {
	VEC_OF(struct go_operand);
};

/* Adds the operands of the function `name` that are relative to the instruction, in their order.
 * 0, -ENOENT: there is no such function, or -ENOMEM. */
int go_operands_of(const struct gopclntab *t, const char *name, struct go_operands *ret);
/* Is `target` among them? */
bool go_operands_have(const struct go_operands *operands, uint64_t target);
void go_operands_deinit(struct go_operands *operands);
