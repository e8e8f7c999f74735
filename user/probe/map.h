/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls on BPF maps, as libbpf's of the same names: 0, or -1 and errno.
 *
 * While a thread is in one, the kernel passes over the programs of kprobes on its processor. A kernel that
 * preempts may well take the processor from it there and give it to the target, whose events would
 * be missed for as long. So the thread has real-time priority meanwhile, where that is permitted: no
 * ordinary task can come between.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

int map_update(int fd, const void *key, const void *value, uint64_t flags);
int map_lookup(int fd, const void *key, void *ret);
int map_delete(int fd, const void *key);
/* bpf_map_lookup_batch() without options. */
int map_lookup_batch(int fd, void *in, void *out, void *keys, void *values, uint32_t *n);
/* bpf_map_update_batch(), and bpf_map_delete_batch() of keys of a size, likewise. A key that is not there does no
 * harm. */
int map_update_batch(int fd, const void *keys, const void *values, uint32_t n);
int map_delete_batch(int fd, const void *keys, size_t size, uint32_t n);
