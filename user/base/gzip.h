/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdio.h>

/* Writes `n` bytes as a gzip file (RFC 1952) of its own. 0, -ENOMEM, or -EIO: the stream failed. */
int gzip_write(FILE *out, const void *bytes, size_t n);
