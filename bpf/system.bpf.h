/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the hooks in the kernel share: the user stack of the system call that the current thread is in,
 * its descriptors and sockets, and the books of what has an amount of one.
 *
 * What is large is a global function, verified once, not once for each hook.
 */
#pragma once
#include "track.bpf.h"
#include "leaktrace/system.h"

#define S_IFMT	 0170000
#define S_IFSOCK 0140000

#define AF_UNIX	 1
#define AF_INET	 2
#define AF_INET6 10

#define SOCK_STREAM    1
#define SOCK_DGRAM     2
#define SOCK_SEQPACKET 5

#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_MPTCP 262

/* include/net/tcp_states.h; sockets of other families have the same */
#define TCP_ESTABLISHED	 1
#define TCP_SYN_SENT	 2
#define TCP_CLOSE	 7
#define TCP_CLOSE_WAIT	 8
#define TCP_LISTEN	 10
#define TCP_NEW_SYN_RECV 12

/* By number; user space fills it in before anything is attached. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LT_SYSCALLS);
	__type(key, u32);
	__type(value, struct lt_syscall);
} syscalls __weak SEC(".maps");

/* TCP connections whose peers have closed them, by inode number, and when (CLOCK_MONOTONIC). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LT_MAX_SOCKETS);
	__type(key, u64);
	__type(value, u64);
} sockets __weak SEC(".maps");

volatile __u32 peers_closed __weak SEC(".data"); /* as many are there: none is the usual case */

/* Events are to be timed. What the kernel says of a program's runs is mostly of other processes'. */
volatile __u32 timing __weak SEC(".data");

/* A hook in a traced process has something to do. To be given to lt_event_end(). */
static __always_inline u64 lt_event_begin(void)
{
	lt_count(LT_COUNT_EVENTS);
	return timing ? bpf_ktime_get_ns() : 0;
}

static __always_inline void lt_event_end(u64 began)
{
	u64 ns = began ? bpf_ktime_get_ns() - began : 0;

	if (!ns || ns > LT_EVENT_MAX_NS)
		return;
	lt_count(LT_COUNT_TIMED);
	lt_count_add(LT_COUNT_TIMED_NS, ns);
}

static __always_inline bool lt_wants(u32 kind)
{
	return config.kinds >> kind & 1;
}

/* -- the system call ------------------------------------------------------------------------- */

/* The registers with which the current thread has entered the kernel. */
static __always_inline struct pt_regs *lt_user_regs(void)
{
	return (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
}

static __always_inline struct lt_syscall *lt_syscall_of(u64 nr)
{
	u32 i = nr;

	return bpf_map_lookup_elem(&syscalls, &i);
}

static __always_inline struct lt_syscall *lt_syscall_current(void)
{
	return lt_syscall_of(lt_user_regs()->orig_rax);
}

static __always_inline u8 lt_via(void)
{
	struct lt_syscall *row = lt_syscall_current();

	return row ? row->via : 0;
}

/* -- books ----------------------------------------------------------------------------------- */

/* Whether the tables tell the caller of the code before `pc`. */
static __always_inline bool lt_is_covered(struct lt_walk *w, u32 tgid, u64 pc)
{
	struct lt_rule *r;

	lt_walk_in(w, tgid);
	if (lt_find_mapping(w, pc - 1))
		return false;
	r = lt_rule_at(lt_find_rule_id(w, pc - 1));
	return r && r->cfa != LT_CFA_NONE && r->cfa != LT_CFA_UNSUPPORTED;
}

/* Where the walk begins: the wrapper of the system call, or its caller when that is not covered. */
static __always_inline struct lt_regs lt_user_start(struct lt_walk *w, u32 tgid, struct pt_regs *regs)
{
	struct lt_syscall *row = lt_syscall_of(regs->orig_rax);
	struct lt_regs r = LT_REGS(regs);
	u64 caller;

	if (!row || row->caller == LT_CALLER_UNKNOWN || lt_is_covered(w, tgid, r.rip))
		return r;
	if (row->caller == LT_CALLER_IN_RDI)
		r.rip = regs->rdi;
	else if (!lt_read_user(&caller, sizeof(caller), r.rsp)) {
		r.rip = caller;
		r.rsp += sizeof(caller);
	}
	return r;
}

/* The number of the user stack of the current thread's system call; < 0: it could not be recorded. */
__weak __noinline int lt_user_stack(u32 tgid, u32 kind, u32 via)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct lt_thread *t = lt_thread_of(task);
	struct lt_regs r;
	u32 number;

	if (!t)
		return -1;
	r = lt_user_start(&t->walk, tgid, (struct pt_regs *)bpf_task_pt_regs(task));
	if (!lt_stack_of_syscall(t, &r, tgid, kind, via, &number))
		return -1;
	return number;
}

#define LT_WALK_ANEW (-2)

__weak __noinline int lt_user_stack_walked(u32 tgid, u32 kind, u32 via)
{
	struct lt_thread *t = lt_thread_get();
	struct lt_walk *w;
	u32 number;

	if (!t)
		return -1;
	w = &t->walk;
	w->seed = lt_stack_seed(tgid, kind, via);
	if (!w->late && lt_stack_find(lt_walk_id(w), false, &number))
		return number;
	if (w->late || w->recalled)
		return LT_WALK_ANEW;
	w->out.kind = kind;
	w->out.via = via;
	return lt_stack_known(w, lt_walk_id(w), &number) ? (int)number : -1;
}

/* The same as lt_user_stack() for another kind, when the thread's last walk was of this very stack. */
static __always_inline int lt_user_stack_again(u32 tgid, u32 kind, u32 via)
{
	int number = lt_user_stack_walked(tgid, kind, via);

	return number == LT_WALK_ANEW ? lt_user_stack(tgid, kind, via) : number;
}

/* Books one, held by the process `tgid`, at the stack of this number, LT_STACK_BEFORE among them. */
__weak __noinline int lt_hold(u32 tgid, u32 kind, u64 id, u32 stack)
{
	struct lt_holding_key key = { .id = id, .tgid = tgid, .kind = kind };

	lt_book_acquire(&key, lt_stack_at(stack), stack, 1);
	return 0;
}

static __always_inline void lt_acquire_one(u32 tgid, u32 kind, u32 via, u64 id)
{
	int stack = lt_user_stack(tgid, kind, via);

	if (stack >= 0)
		lt_hold(tgid, kind, id, stack);
}

__weak __noinline int lt_release_one(u32 tgid, u32 kind, u64 id)
{
	return lt_release(tgid, kind, id);
}

/* -- what pointers of no known type lead to ---------------------------------------------------- */

/*
 * A helper's call for each field is a good part of what a system call costs. From 6.2 on the verifier can be
 * told the type of such a pointer, after which its fields are read without one, and NULL's are 0. Older
 * kernels refuse programs in which that is so much as mentioned: so those have the argument `typed`.
 */
extern void *bpf_rdonly_cast(const void *pointer, u32 type) __ksym __weak;

#define LT_TYPED(type, pointer)	   ((type *)bpf_rdonly_cast(pointer, bpf_core_type_id_kernel(type)))
#define LT_READ(typed, p, field) ((typed) ? (p)->field : BPF_CORE_READ(p, field))

/* -- descriptors ----------------------------------------------------------------------------- */

/* The open file of a descriptor of the current process, or NULL. A helper's call is dear; what the
 * verifier knows the type of is read without one. */
static __always_inline struct file *lt_file(u32 fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct files_struct *files = task->files;
	struct fdtable *fdt = files ? files->fdt : 0;
	struct file *file;

	if (!fdt || fd >= fdt->max_fds || bpf_probe_read_kernel(&file, sizeof(file), fdt->fd + fd))
		return 0;
	return file;
}

static __always_inline struct file *lt_file_typed(u32 fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct files_struct *files = task->files;
	struct fdtable *fdt = files ? files->fdt : 0;

	if (!fdt || fd >= fdt->max_fds)
		return 0;
	/* some structure of a pointer alone */
	return LT_TYPED(struct file, LT_TYPED(struct hlist_head, fdt->fd + fd)->first);
}

/* As many descriptors as the current process has room for. */
static __always_inline u32 lt_fd_limit(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct files_struct *files = task->files;
	struct fdtable *fdt = files ? files->fdt : 0;

	return fdt ? fdt->max_fds : 0;
}

static __always_inline s64 lt_file_users(struct file *file, bool typed)
{
	struct file___ref *newer = (void *)file;

	if (bpf_core_field_exists(newer->f_ref))
		return LT_READ(typed, newer, f_ref.refcnt.counter) + 1;
	return LT_READ(typed, file, f_count.counter);
}

/* -- sockets --------------------------------------------------------------------------------- */

struct lt_sock_type {
	u16 family, type, protocol;
	u8 state;
};

/* Two 16-bit fields of a structure; with one read where they lie together. */
static __always_inline void lt_read_two(const void *from, u32 at, u32 other_at, u16 *ret, u16 *ret_other)
{
	u32 first = at < other_at ? at : other_at;
	u64 both = 0;

	if (at - first <= sizeof(both) - sizeof(u16) && other_at - first <= sizeof(both) - sizeof(u16)) {
		bpf_probe_read_kernel(&both, sizeof(both), from + first);
		*ret = both >> 8 * (at - first);
		*ret_other = both >> 8 * (other_at - first);
		return;
	}
	bpf_probe_read_kernel(ret, sizeof(*ret), from + at);
	bpf_probe_read_kernel(ret_other, sizeof(*ret_other), from + other_at);
}

static __always_inline struct lt_sock_type lt_sock_type(struct sock *sk, bool typed)
{
	struct lt_sock_type t = { 0 };
	u16 state = 0;

	if (typed)
		return (struct lt_sock_type){
			.family = sk->__sk_common.skc_family,
			.type = sk->sk_type,
			.protocol = sk->sk_protocol,
			.state = sk->__sk_common.skc_state,
		};
	lt_read_two(sk, bpf_core_field_offset(sk->__sk_common.skc_family),
		    bpf_core_field_offset(sk->__sk_common.skc_state), &t.family, &state);
	lt_read_two(sk, bpf_core_field_offset(sk->sk_type), bpf_core_field_offset(sk->sk_protocol),
		    &t.type, &t.protocol);
	t.state = state;
	return t;
}

/* What a socket is now: a kind, or LT_KIND_MAX for none of ours. */
static __always_inline u32 lt_sock_kind(const struct lt_sock_type *t)
{
	if (t->family == AF_UNIX ? t->type != SOCK_STREAM && t->type != SOCK_SEQPACKET
				 : t->family != AF_INET && t->family != AF_INET6)
		return LT_KIND_MAX;
	if (t->family != AF_UNIX && t->protocol != IPPROTO_TCP && t->protocol != IPPROTO_UDP &&
	    t->protocol != IPPROTO_MPTCP)
		return LT_KIND_MAX;
	if (!t->state || t->state == TCP_CLOSE || t->state == TCP_NEW_SYN_RECV)
		return LT_KIND_MAX;
	return t->state == TCP_LISTEN ? LT_KIND_LISTENER : LT_KIND_CONNECTION;
}

/* The socket's inode number when the file is one, else 0. */
static __always_inline u64 lt_socket_inode_as(struct file *file, bool typed)
{
	struct inode *inode = LT_READ(typed, file, f_inode);

	if ((LT_READ(typed, inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	return LT_READ(typed, inode, i_ino);
}

static __always_inline u64 lt_socket_inode(struct file *file)
{
	return lt_socket_inode_as(file, false);
}

static __always_inline struct sock *lt_sock(struct file *file, bool typed)
{
	struct socket *socket;

	if (typed)
		return LT_TYPED(struct socket, file->private_data)->sk;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}
