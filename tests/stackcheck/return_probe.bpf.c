// SPDX-License-Identifier: GPL-2.0
/* Another tracer's return probe, which just counts. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

__u64 hits;

SEC("uprobe")
int return_probe(void *ctx)
{
	__sync_fetch_and_add(&hits, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
