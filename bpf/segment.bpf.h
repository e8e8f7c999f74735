/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The size of a segment of SysV's shared memory, which shmat() is not told. The kernel keeps segments in an
 * array of the IPC namespace, by the low bits of their ids. It is read without a lock: what is found says
 * itself which id it has.
 */
#pragma once
#include "helpers.bpf.h"

#define IPC_SHM_IDS	 2 /* ipc/util.h */
#define IPC_SHIFT	 15 /* include/linux/ipc_namespace.h */
#define IPC_SHIFT_LONG	 24 /* booted with ipcmni_extend */
#define XA_DEPTH	 4
#define XA_CHUNK_MASK	 63
#define XA_INTERNAL_MASK 3
#define XA_INTERNAL	 2
#define XA_NODE_ABOVE	 4096

static __always_inline bool lt_is_xa_node(u64 entry)
{
	return (entry & XA_INTERNAL_MASK) == XA_INTERNAL && entry > XA_NODE_ABOVE;
}

/* What the array has at an index, or NULL. */
static __always_inline void *lt_xa_load(u64 entry, u64 index)
{
	u64 left = index;

	for (int i = 0; i < XA_DEPTH && lt_is_xa_node(entry); i++) {
		struct xa_node *node = (void *)(entry & ~(u64)XA_INTERNAL_MASK);
		u32 shift = BPF_CORE_READ(node, shift) & 63;
		u64 slot = left >> shift;

		if (slot > XA_CHUNK_MASK)
			return 0;
		left -= slot << shift;
		if (bpf_probe_read_kernel(&entry, sizeof(entry),
					  (void *)node + bpf_core_field_offset(node->slots) + slot * sizeof(entry)))
			return 0;
	}
	return left || entry & XA_INTERNAL_MASK ? 0 : (void *)entry;
}

static __always_inline u64 lt_segment_size_by(u64 array, u32 id, u32 shift)
{
	struct shmid_kernel *segment = lt_xa_load(array, id & ((1U << shift) - 1));

	if (!segment || (u32)BPF_CORE_READ(segment, shm_perm.id) != id)
		return 0;
	return BPF_CORE_READ(segment, shm_file, f_inode, i_size);
}

/* Of a segment in the namespace of the current process, in bytes; 0: there is none. */
__weak __noinline u64 lt_segment_size(u32 id)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ipc_namespace *ns = BPF_CORE_READ(task, nsproxy, ipc_ns);
	u64 array = (u64)BPF_CORE_READ(ns, ids[IPC_SHM_IDS].ipcs_idr.idr_rt.xa_head);
	u64 size = lt_segment_size_by(array, id, IPC_SHIFT);

	return size ? size : lt_segment_size_by(array, id, IPC_SHIFT_LONG);
}
