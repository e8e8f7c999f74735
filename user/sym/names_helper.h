/* SPDX-License-Identifier: Apache-2.0 */
/* What names.c and its helper say to each other. */
#pragma once
#include <stdbool.h>
#include "base/helper.h"

enum names_what { NAMES_MODULE, NAMES_JIT };

#define NAMES_JIT_MAX 256 /* addresses of one question */

/*
 * A question. Behind it, when the module is new to the helper, its path and its root, each with a NUL; then
 * its file goes with the message. The answer: u32 symbols, u32 things that were left out; for each symbol
 * u32 line, u8 inlined, function, file; for each of the others what, of what, why. All strings with a NUL.
 * -ENOKEY: the helper needs the module's file.
 *
 * Of a JIT's code: behind the question come `n` addresses, u64. The answer: u32 names, u32 things that were
 * left out, u64 how often names were overridden; the names, empty where there is none; the others as above.
 */
struct names_question {
	enum names_what what;
	uint32_t module;
	pid_t pid;
	bool plain; /* only the module's own symbol tables */
	uint32_t n;
	uint64_t address;
};

extern const struct helper_kind names_helper;
