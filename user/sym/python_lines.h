/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* The line of the instruction `offset` bytes into the code, by the location table (PEP 626) that
 * CPython has from 3.11 on; 0 when it has none. The table may hold any bytes. */
unsigned int python_line(const void *table, size_t size, unsigned int first_line, uint64_t offset);
