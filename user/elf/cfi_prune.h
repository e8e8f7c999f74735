/* SPDX-License-Identifier: Apache-2.0 */
/* Only for user/elf/cfi*.c. */
#pragma once
#include "elf/image.h"

/*
 * May a call or syscall instruction lie in [from, to)? A scan for their bytes at any place, so it
 * misses none. Rows change only between instructions: none lies across the border of two.
 */
bool cfi_has_call(const struct elf_image *img, uint64_t from, uint64_t to);
