/* SPDX-License-Identifier: Apache-2.0 */
/* What bpf/go_net.bpf.c is told of a Go program. */
#pragma once
#include <leaktrace/go_net.h>
#include "go/runtime.h"

/* Where the runtime keeps what is followed. 0, or -EOPNOTSUPP: something is not where it should be. */
int go_program_row(const struct go_runtime *rt, struct lt_go_program *ret);
/* The functions that a function calls or jumps to, up to `max` of them, but the runtime's. Addresses are
 * those of the ELF file. Returns how many. */
size_t go_program_callees(const struct go_runtime *rt, const struct go_function *f, uint64_t *ret, size_t max);
