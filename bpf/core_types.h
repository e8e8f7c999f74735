/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The few kernel types and fields that the programs touch. Offsets are relocated at load time
 * (CO-RE), so only names matter here; a field that a kernel lacks is asked for before use.
 */
#pragma once
#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <asm/ptrace.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct xol_area {
	unsigned long vaddr; /* its first slot is the uretprobe trampoline */
};

struct uprobes_state {
	struct xol_area *xol_area;
};

struct mm_struct {
	struct uprobes_state uprobes_state;
	struct {
		void *vdso;
	} context;
};

/* include/linux/uprobes.h */
struct return_instance {
	unsigned long stack;	      /* address of the hijacked return address */
	unsigned long orig_ret_vaddr; /* what stood there */
	struct return_instance *next;
};

struct uprobe_task {
	struct return_instance *return_instances;
};

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	int nr_threads;
	atomic_t live;
	unsigned int flags;
	unsigned long long sum_sched_runtime; /* of threads that are gone */
};

struct sched_entity {
	__u64 sum_exec_runtime;
};

struct ns_common {
	unsigned int inum;
};

struct pid_namespace {
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct thread_struct {
	unsigned long fsbase;
};

struct timespec64 {
	long long tv_sec;
	long tv_nsec;
};

struct super_block {
	unsigned int s_dev;
};

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
	unsigned int i_generation;
	long long i_size;
	struct super_block *i_sb;
	struct timespec64 i_mtime; /* up to 6.6 */
};

struct inode___67 {
	struct timespec64 __i_mtime;
};

struct inode___611 {
	long long i_mtime_sec;
	unsigned int i_mtime_nsec;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct fs_struct {
	struct path root;
};

struct file {
	void *private_data;
	struct inode *f_inode;
	struct path f_path;
	struct {
		long long counter;
	} f_count;
};

/* from 6.13 on: one less than there are */
struct file___ref {
	struct {
		struct {
			long long counter;
		} refcnt;
	} f_ref;
};

struct vm_area_struct {
	unsigned long vm_start, vm_end;
	struct mm_struct *vm_mm;
	unsigned long vm_flags;
	unsigned long vm_pgoff;
	struct file *vm_file;
};

struct hlist_head {
	struct hlist_node *first;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct sock_common {
	unsigned short skc_family;
	volatile unsigned char skc_state;
};

struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	unsigned short sk_type;
	unsigned short sk_protocol;
	unsigned char sk_shutdown;
};

struct socket {
	struct file *file;
	struct sock *sk;
};

/* include/linux/xarray.h */
struct xarray {
	void *xa_head;
};

struct xa_node {
	unsigned char shift;
	void *slots[64];
};

struct idr {
	struct xarray idr_rt;
};

/* include/linux/ipc_namespace.h, ipc/shm.c */
struct ipc_ids {
	struct idr ipcs_idr;
};

struct ipc_namespace {
	struct ipc_ids ids[3];
};

struct nsproxy {
	struct ipc_namespace *ipc_ns;
};

struct kern_ipc_perm {
	int id;
};

struct shmid_kernel {
	struct kern_ipc_perm shm_perm;
	struct file *shm_file;
};

struct task_struct {
	unsigned long long self_exec_id;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	struct mm_struct *mm;
	struct files_struct *files;
	struct fs_struct *fs;
	struct uprobe_task *utask;
	struct pid *thread_pid;
	struct thread_struct thread;
	struct task_struct *real_parent;
	int pid, tgid;
	int exit_state;
	struct sched_entity se;
	struct task_struct *group_leader;
	unsigned long long start_time;
};

#pragma clang attribute pop
