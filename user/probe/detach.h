/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking probes away. Before the kernel gives one back it waits until every program that may be running has ended:
 * tens of milliseconds as a rule, for one probe as for many at the same time, but seconds where the machine is
 * overloaded or somebody else's program sleeps; and nothing interrupts that. So a child closes them: whatever it
 * takes, leaktrace can go on and can end.
 */
#pragma once
#include <stddef.h>

struct bpf_link;

/* Closes these links: `n` descriptors, and `n_perf` of libbpf's. When the kernel has not given them all back after
 * half a second, a child goes on with it. */
void detach_together(const int *fds, size_t n, struct bpf_link *const *perf, size_t n_perf);
/* Closes all links that this process has, within a third of a second as far as it is concerned. Nothing that uses
 * them is to go on. */
void detach_everything(void);
