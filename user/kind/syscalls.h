/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls by which descriptors and connections come and go, as data for the BPF programs. */
#pragma once
#include <stddef.h>
#include <leaktrace/system.h>

struct syscall_row {
	unsigned int nr;
	const char *via; /* what the report calls it */
	struct lt_syscall row; /* without `via` */
};

/* All rows; `ret_n`: how many. */
const struct syscall_row *syscall_rows(size_t *ret_n);
