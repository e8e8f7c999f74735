/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that make goroutines: what the compiler makes of go statements, `call runtime.newproc`. The kernel
 * emulates the instruction, so that a probe on it costs one trap. There the goroutine is in r14, and rax
 * has the function that the new one is to run.
 */
#pragma once
#include "elf/gopclntab.h"
#include "elf/image.h"
#include "base/vec.h"

struct go_create {
	uint64_t pc;	 /* where it returns to, as an address of the ELF file: what struct g has as gopc */
	uint64_t offset; /* of the call in the file */
};

struct go_creates {
	VEC_OF(struct go_create);
};

/*
 * Adds the calls in functions that make goroutines now and then, to do something that will be held for
 * others: connections. The table in go_creates.c names them. 0, -ENOENT: there is no newproc, or -ENOMEM.
 */
int go_creates_rare(const struct elf_image *img, const struct gopclntab *table, struct go_creates *ret);
/* The call that returns to `pc`; false: there is none, or it is known to be made for each request. */
bool go_creates_at(const struct elf_image *img, const struct gopclntab *table, uint64_t newproc, uint64_t pc,
		   struct go_create *ret);
/* The entry of runtime.newproc; 0: there is none. */
uint64_t go_creates_newproc(const struct gopclntab *table);
