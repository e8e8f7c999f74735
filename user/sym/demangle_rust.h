/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rust's "v0" names (RFC 2603), in the form of rustc-demangle's without hashes. libiberty also
 * reads them, but a short name can keep it busy for years: here every step is counted.
 */
#pragma once
#include <stdbool.h>
#include "base/strbuf.h"

/* Adds the readable form of `name`, which begins with "_R". Returns whether it could; if not, what
 * was added is to be dropped. At most `max` characters are added. */
bool demangle_rust_v0(const char *name, size_t max, struct strbuf *ret);
