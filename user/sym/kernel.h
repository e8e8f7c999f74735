/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the kernel's code: /proc/kallsyms. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/strbuf.h"
#include "base/vec.h"

#define KALLSYMS_TEXT_MAX (64U << 20) /* of the file, no more is read */

struct kallsyms_entry {
	uint64_t start;
	uint32_t name;	 /* where it is in `names` */
	uint32_t module; /* index in `modules` */
	uint32_t rank;	 /* of those at one address, the lowest is taken */
};

struct kallsyms_module {
	uint32_t name; /* where it is in `names`, in brackets */
	uint64_t start;
};

/* Once settled, sorted by address, one entry for each. */
struct kallsyms {
	VEC_OF(struct kallsyms_entry);
	struct {
		VEC_OF(struct kallsyms_module);
	} modules; /* [0] is the kernel itself */
	struct strbuf names;
	uint64_t text;	/* where the kernel itself begins; 0: not known */
	size_t hidden;	/* lines without an address */
	bool loaded;
};

/*
 * Reads all lines of `text` that have ended and returns how many bytes that is, or -ENOMEM. What is no
 * function's line is passed over.
 */
ssize_t kallsyms_parse(struct kallsyms *k, const char *text, size_t n);
/* Sorts what has been read. 0 or -ENOMEM. */
int kallsyms_settle(struct kallsyms *k);
/* Reads the file, once. 0, also when it tells nothing; or -ENOMEM. */
int kallsyms_load(struct kallsyms *k);
/* Whether names can be had; the file hides its addresses from the unprivileged, and with
 * kernel.kptr_restrict=2 from everybody. */
bool kallsyms_readable(void);

struct kernel_place {
	const char *function; /* NULL: not known */
	const char *module;   /* "[kernel]", "[nf_tables]" */
	uint64_t offset;      /* from where that begins */
};

/* What the return address `address` is. The strings are the table's. */
struct kernel_place kallsyms_at(const struct kallsyms *k, uint64_t address);
void kallsyms_deinit(struct kallsyms *k);
