/* SPDX-License-Identifier: Apache-2.0 */
/* Taking probes away takes the kernel tens of milliseconds, for one as for many at the same time. */
#pragma once
#include <stddef.h>

struct bpf_link;

/* Closes these links, many at a time: `n` descriptors, and `n_perf` of libbpf's. */
void detach_together(const int *fds, size_t n, struct bpf_link *const *perf, size_t n_perf);
/* Closes all links that this process has: when it ends by itself the kernel takes one after the other.
 * Nothing that uses them is to go on. */
void detach_everything(void);
