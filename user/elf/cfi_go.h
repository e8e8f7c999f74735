/* SPDX-License-Identifier: Apache-2.0 */
/* Only for user/elf/cfi*.c. */
#pragma once
#include "elf/cfi.h"

/* Puts the rows of a Go program's functions in the place of what .eh_frame says of them, which is
 * nothing. 0 (also when it is no Go program), or -ENOMEM with the rows as they were. */
int cfi_go_add(const struct elf_image *img, struct cfi_rows *rows);
