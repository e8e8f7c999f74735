/* SPDX-License-Identifier: Apache-2.0 */
/* Linker names -> names as a person writes them. */
#pragma once
#include <stdbool.h>
#include "base/strbuf.h"

#define DEMANGLE_INPUT_MAX  4096  /* longer names are left as they are */
#define DEMANGLE_OUTPUT_MAX 65536 /* so are those that would become longer than this */

/*
 * Adds `name` to `ret` in readable form: C++ (Itanium ABI) with its parameters, Rust (legacy
 * without the hash, v0). Any other name, and any that is too long or malformed, is added as it is.
 * Returns whether it was demangled. Time and stack are bounded whatever the name.
 */
bool demangle(const char *name, struct strbuf *ret);
