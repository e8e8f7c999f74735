/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the verifier can be told the type of a pointer (bpf_rdonly_cast(), from Linux 6.2 on), so that
 * programs read what it points to without a helper's call for each field. Kernels that cannot refuse the
 * whole program.
 */
#pragma once
#include <stdbool.h>

/* Found by trying: loads a program that does it and no more. */
bool kernel_takes_casts(void);
