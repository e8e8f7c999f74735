// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptors, and the connections that are held through them.
 *
 * A descriptor is booked when it is installed, and given up at the entry of close, before the number
 * can be handed out again. A connection is a socket that is in a connected state when a descriptor of
 * it is installed (accept, socketpair, a message), or after connect; the process holds it until the
 * last of its descriptors goes. That is known at once when the file has no other user; else only a
 * census by user space can tell, which LT_COUNT_UNSETTLED asks for. So do the ways to lose many
 * descriptors at once: numbers that are handed out again meanwhile are right all the same, as the new
 * holding takes the place of the old one.
 *
 * The same hooks in the shapes in which kernels attach them stand at the end: user space chooses
 * (user/probe/hooks.c). Kernels without kprobes and fentry have system call tracepoints only, which
 * all processes of the machine pass through.
 */
#include "space.bpf.h"
#include "system.bpf.h"

#define CLOSE_RANGE_CLOEXEC 4
#define MAX_CLOSED	    128 /* the verifier takes most of a second for ten times as many */

static __always_inline bool holds(u32 tgid, u32 kind, u64 id)
{
	struct lt_holding_key key = { .id = id, .tgid = tgid, .kind = kind };

	return lt_holding_find(&key);
}

/* -- sockets --------------------------------------------------------------------------------- */

static __always_inline void connection_gone(u32 tgid, u64 inode)
{
	if (lt_release(tgid, LT_KIND_CONNECTION, inode))
		lt_release(tgid, LT_KIND_LISTENER, inode);
	else if (peers_closed && !bpf_map_delete_elem(&sockets, &inode))
		__sync_fetch_and_add(&peers_closed, -1);
}

/* Books a connection or listener at the stack of this number. */
static __always_inline void socket_hold(u32 tgid, const struct lt_sock_type *t, u64 inode, int stack)
{
	if (stack >= 0)
		lt_hold(tgid, lt_sock_kind(t), inode, stack);
}

/* Books what the socket, of which the process has a descriptor, is now. `walked`: the stack has been. */
static __always_inline void socket_is(u32 tgid, struct file *file, u64 inode, u32 via, bool walked,
				      bool typed)
{
	struct lt_sock_type t = lt_sock_type(lt_sock(file, typed), typed);
	u32 kind = lt_sock_kind(&t);

	if (kind == LT_KIND_MAX) {
		if (holds(tgid, LT_KIND_CONNECTION, inode))
			connection_gone(tgid, inode);
	} else if (lt_wants(LT_KIND_CONNECTION) && !holds(tgid, kind, inode)) {
		socket_hold(tgid, &t, inode, walked ? lt_user_stack_again(tgid, kind, via)
						    : lt_user_stack(tgid, kind, via));
	}
}

static __always_inline int socket_changes(u32 tgid, u32 via, u32 fd, bool walked, bool typed)
{
	struct file *file = typed ? lt_file_typed(fd) : lt_file(fd);
	u64 inode = file ? lt_socket_inode_as(file, typed) : 0;

	if (inode)
		socket_is(tgid, file, inode, via, walked, typed);
	return 0;
}

/* After connect or listen, and what gives sockets that are connected already. */
__weak __noinline int socket_changed(u32 tgid, u32 via, u32 fd, bool walked)
{
	return socket_changes(tgid, via, fd, walked, false);
}

__weak __noinline int socket_changed_typed(u32 tgid, u32 via, u32 fd, bool walked)
{
	return socket_changes(tgid, via, fd, walked, true);
}

/* -- descriptors ----------------------------------------------------------------------------- */

/* Where a program is attached: at functions of the kernel or at all system calls, and `typed` or not. */
enum place { AT_FUNCTIONS, AT_SYSCALLS, AT_SYSCALLS_TYPED };

/* Programs call these themselves: deeper, their stacks would not fit into the kernel's 512 bytes. */
static __always_inline void fd_installed(u32 tgid, const struct lt_syscall *row, u32 fd, enum place at)
{
	if (lt_wants(LT_KIND_FD))
		lt_acquire_one(tgid, LT_KIND_FD, row->via, fd);
	if (row->unconnected)
		return;
	if (at == AT_SYSCALLS_TYPED)
		socket_changed_typed(tgid, row->via, fd, lt_wants(LT_KIND_FD));
	else
		socket_changed(tgid, row->via, fd, lt_wants(LT_KIND_FD));
}

static __always_inline int fd_closes(u32 tgid, u32 fd, bool typed)
{
	struct file *file = typed ? lt_file_typed(fd) : lt_file(fd);
	u64 inode;

	if (!file)
		return 0;
	if (lt_wants(LT_KIND_FD) && lt_release(tgid, LT_KIND_FD, fd))
		lt_count(LT_COUNT_UNMATCHED);
	inode = lt_wants(LT_KIND_CONNECTION) ? lt_socket_inode_as(file, typed) : 0;
	if (!inode)
		return 0;
	if (lt_file_users(file, typed) == 1)
		connection_gone(tgid, inode);
	else
		lt_count(LT_COUNT_UNSETTLED);
	return 0;
}

__weak __noinline int fd_closing(u32 tgid, u32 fd)
{
	return fd_closes(tgid, fd, false);
}

__weak __noinline int fd_closing_typed(u32 tgid, u32 fd)
{
	return fd_closes(tgid, fd, true);
}

/* close_range; of more descriptors than a program may look at, a census tells what has gone. */
__weak __noinline int fds_closing(u32 tgid, u32 first, u32 last, u32 flags)
{
	if (flags & CLOSE_RANGE_CLOEXEC)
		return 0;
	for (u32 i = 0; i < MAX_CLOSED; i++) {
		if (first + i > last || first + i >= lt_fd_limit())
			return 0;
		fd_closing(tgid, first + i);
	}
	lt_count(LT_COUNT_UNSETTLED);
	return 0;
}

/* -- descriptors in messages ------------------------------------------------------------------ */

/* Of struct user_msghdr (include/linux/socket.h), where that is, and the size of struct mmsghdr. */
struct msg_control {
	u64 at, len;
};

#define MSG_CONTROL	 32
#define SIZEOF_MMSGHDR	 64

struct cmsghdr {
	u64 len;
	u32 level, type;
};

#define SOL_SOCKET  1
#define SCM_RIGHTS  1
#define MAX_CMSGS   8
#define MAX_MESSAGES 32
#define PASSED_AT_ONCE 16

__weak __noinline int fd_passed(u32 tgid, u32 fd, int fd_stack, int connection_stack)
{
	struct file *file = lt_file(fd);
	u64 inode = file ? lt_socket_inode(file) : 0;
	struct lt_sock_type t;

	if (lt_wants(LT_KIND_FD) && fd_stack >= 0)
		lt_hold(tgid, LT_KIND_FD, fd, fd_stack);
	if (!inode || !lt_wants(LT_KIND_CONNECTION))
		return 0;
	t = lt_sock_type(lt_sock(file, false), false);
	if (lt_sock_kind(&t) == LT_KIND_CONNECTION && !holds(tgid, LT_KIND_CONNECTION, inode))
		socket_hold(tgid, &t, inode, connection_stack);
	return 0;
}

/* A few of the `n` at `at`; < 0: they cannot be read. A function of its own, so that it is verified once. */
__weak __noinline int fds_passed_some(u32 tgid, u64 at, u32 n, int fd_stack, int connection_stack)
{
	for (u32 i = 0; i < PASSED_AT_ONCE && i < n; i++) {
		u32 fd;

		if (lt_read_user(&fd, sizeof(fd), at + i * sizeof(fd)))
			return -1;
		fd_passed(tgid, fd, fd_stack, connection_stack);
	}
	return 0;
}

__weak __noinline int fds_passed(u32 tgid, u32 via, u64 at, u32 n)
{
	int fd_stack = lt_user_stack(tgid, LT_KIND_FD, via);
	int connection_stack = lt_user_stack_again(tgid, LT_KIND_CONNECTION, via);

	if (n > LT_MAX_PASSED)
		n = LT_MAX_PASSED;
	for (u32 i = 0; i < LT_MAX_PASSED && i < n; i += PASSED_AT_ONCE)
		if (fds_passed_some(tgid, at + i * sizeof(u32), n - i, fd_stack, connection_stack))
			break;
	return 0;
}

__weak __noinline int message_received(u32 tgid, u32 via, u64 message)
{
	struct msg_control m;
	struct cmsghdr c;
	u64 end;

	if (lt_read_user(&m, sizeof(m), message + MSG_CONTROL) || !m.at)
		return 0;
	end = m.at + m.len;
	for (int i = 0; i < MAX_CMSGS && m.at + sizeof(c) <= end; i++) {
		if (lt_read_user(&c, sizeof(c), m.at) || c.len < sizeof(c))
			break;
		if (c.level == SOL_SOCKET && c.type == SCM_RIGHTS)
			fds_passed(tgid, via, m.at + sizeof(c), (c.len - sizeof(c)) / sizeof(u32));
		m.at += (c.len + 7) & ~7ULL;
	}
	return 0;
}

/* -- system calls ----------------------------------------------------------------------------- */

/* Without an array of them: it would cost an eighth of the stack that Linux 6.1 has. And without a
 * variable offset, into which clang would fold the choice. */
static __always_inline u64 syscall_arg(struct pt_regs *regs, u32 n)
{
	u64 value = regs->rdi;

#define X(i, name) if (n == i) { value = regs->name; barrier_var(value); }
	X(1, rsi) X(2, rdx) X(3, r10) X(4, r8) X(5, r9)
#undef X
	return value;
}

static __always_inline bool syscall_applies(const struct lt_syscall *row, struct pt_regs *regs)
{
	s32 value;

	if (!row->n_only)
		return true;
	value = syscall_arg(regs, row->only_arg);
	for (int i = 0; i < LT_SYSCALL_ONLY; i++)
		if (i < row->n_only && row->only[i] == value)
			return true;
	return false;
}

static __always_inline void pair_installed(u32 tgid, const struct lt_syscall *row, u64 pair,
					   enum place at)
{
	u32 fds[2];

	if (lt_read_user(fds, sizeof(fds), pair))
		return;
	for (int i = 0; i < 2; i++)
		fd_installed(tgid, row, fds[i], at);
}

/* What a system call that has succeeded has installed. */
static __always_inline void syscall_installed(u32 tgid, struct pt_regs *regs, const struct lt_syscall *row,
					     u32 result, enum place at)
{
	u64 out = syscall_arg(regs, row->out);

	switch (row->role) {
	case LT_SYSCALL_FD:
		fd_installed(tgid, row, result, at);
		break;
	case LT_SYSCALL_PAIR:
		pair_installed(tgid, row, out, at);
		break;
	case LT_SYSCALL_RECEIVE:
		message_received(tgid, row->via, out);
		break;
	case LT_SYSCALL_RECEIVES:
		for (u32 i = 0; i < MAX_MESSAGES && i < result; i++)
			message_received(tgid, row->via, out + i * SIZEOF_MMSGHDR);
	}
}

/* A system call of a traced process has ended. */
static __always_inline void syscall_ended(u32 tgid, struct pt_regs *regs, const struct lt_syscall *row,
					  s64 result, enum place at)
{
	if (row->role == LT_SYSCALL_SOCKET) { /* a connection may be under way although it has failed */
		if (at == AT_SYSCALLS_TYPED)
			socket_changed_typed(tgid, row->via, regs->rdi, false);
		else
			socket_changed(tgid, row->via, regs->rdi, false);
		return;
	}
	if (result < 0 || !syscall_applies(row, regs))
		return;
	if (row->role == LT_SYSCALL_ONTO && regs->rdi != regs->rsi) {
		lt_count(LT_COUNT_UNSETTLED); /* it may have replaced a socket */
		fd_installed(tgid, row, result, at);
	} else if (at != AT_FUNCTIONS) { /* there, fd_install tells of what others install */
		syscall_installed(tgid, regs, row, result, at);
	}
}

/* The current thread's system call ends with this result. */
static __always_inline int syscall_leave(void *ctx, u32 tgid, struct pt_regs *regs, s64 result,
					 enum place at)
{
	struct lt_syscall *row = lt_syscall_of(regs->orig_rax);
	u64 began;

	if (!row || row->role == LT_SYSCALL_NONE || row->role >= LT_SYSCALL_CLOSE)
		return 0;
	began = lt_event_begin();
	if (config.kernel_stacks)
		lt_kernel_stack_take(ctx);
	syscall_ended(tgid, regs, row, result, at);
	lt_event_end(began);
	return 0;
}

/* The current thread, of the traced process `tgid`, begins a system call. */
static __always_inline int syscall_enter(u32 tgid, struct pt_regs *regs, enum place at)
{
	struct lt_syscall *row = lt_syscall_of(regs->orig_rax);
	u32 role = row ? row->role : LT_SYSCALL_NONE;
	u64 began;

	if (role != LT_SYSCALL_CLOSE && role != LT_SYSCALL_CLOSES) {
		if (at != AT_FUNCTIONS && role == LT_SYSCALL_NONE)
			lt_count(LT_COUNT_SYSCALLS);
		return 0;
	}
	began = lt_event_begin();
	if (role == LT_SYSCALL_CLOSE && at == AT_SYSCALLS_TYPED)
		fd_closing_typed(tgid, regs->rdi);
	else if (role == LT_SYSCALL_CLOSE)
		fd_closing(tgid, regs->rdi);
	else
		fds_closing(tgid, regs->rdi, regs->rsi, regs->rdx);
	lt_event_end(began);
	return 0;
}

static __always_inline int function_enter(void)
{
	u32 tgid = lt_traced_files();

	return tgid ? syscall_enter(tgid, lt_user_regs(), AT_FUNCTIONS) : 0;
}

static __always_inline int function_leave(void *ctx, s64 result)
{
	u32 tgid = lt_traced_files();

	return tgid ? syscall_leave(ctx, tgid, lt_user_regs(), result, AT_FUNCTIONS) : 0;
}

/* The kernel's own function through which all descriptors come but those of dup2 and dup3. */
static __always_inline int fd_install_enter(void *ctx, u32 fd, struct file *file)
{
	u32 tgid = lt_traced_files(), via;
	struct lt_syscall *row;
	u64 inode, began;

	if (!tgid)
		return 0;
	began = lt_event_begin();
	if (config.kernel_stacks)
		lt_kernel_stack_take(ctx);
	row = lt_syscall_current();
	via = row ? row->via : 0;
	if (lt_wants(LT_KIND_FD))
		lt_acquire_one(tgid, LT_KIND_FD, via, fd);
	inode = row && row->unconnected ? 0 : lt_socket_inode(file);
	if (inode)
		socket_is(tgid, file, inode, via, lt_wants(LT_KIND_FD), false);
	lt_event_end(began);
	return 0;
}

/* -- TCP states: when the peer closed, and connections that never came about -------------------- */

static __always_inline void peer_closed(u64 inode)
{
	u64 ns = bpf_ktime_get_ns();

	if (!bpf_map_update_elem(&sockets, &inode, &ns, BPF_NOEXIST))
		__sync_fetch_and_add(&peers_closed, 1);
}

/* A second time it does nothing. */
static __always_inline int state_changed(u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	u32 before = ctx[1], now = ctx[2], tgid;
	bool failed = before == TCP_SYN_SENT && now == TCP_CLOSE;
	struct socket *socket;
	u64 inode;

	if ((now != TCP_CLOSE_WAIT && !failed) || !enabled)
		return 0;
	/* closed by its holder, maybe at its end: that is another's business */
	if (failed && BPF_CORE_READ(sk, sk_shutdown))
		return 0;
	socket = sk->sk_socket;
	if (!socket) /* nobody has accepted it yet, or it has been closed */
		return 0;
	inode = BPF_CORE_READ(socket, file, f_inode, i_ino);
	tgid = inode ? lt_connection_holder(inode) : 0;
	if (!tgid)
		return 0;
	if (failed)
		connection_gone(tgid, inode);
	else
		peer_closed(inode);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int socket_state(u64 *ctx)
{
	return state_changed(ctx);
}

SEC("tp_btf/inet_sock_set_state")
int socket_state_spare(u64 *ctx)
{
	return state_changed(ctx);
}

/* -- programs ---------------------------------------------------------------------------------- */

/* With types that the verifier knows, which spares calls. */
#define AT_ENTER(name, place)                                                                      \
	SEC("tp_btf/sys_enter") int name(u64 *ctx)                                                 \
	{                                                                                          \
		u32 tgid = lt_traced_files();                                                      \
                                                                                                   \
		return tgid ? syscall_enter(tgid, (struct pt_regs *)ctx[0], place) : 0;            \
	}
#define AT_EXIT(name, place)                                                                       \
	SEC("tp_btf/sys_exit") int name(u64 *ctx)                                                  \
	{                                                                                          \
		u32 tgid = lt_traced_files();                                                      \
                                                                                                   \
		return tgid ? syscall_leave(ctx, tgid, (struct pt_regs *)ctx[0], ctx[1], place) : 0; \
	}

AT_ENTER(tracepoint_sys_enter, AT_SYSCALLS)
AT_EXIT(tracepoint_sys_exit, AT_SYSCALLS)
AT_ENTER(tracepoint_sys_enter_typed, AT_SYSCALLS_TYPED)
AT_EXIT(tracepoint_sys_exit_typed, AT_SYSCALLS_TYPED)

SEC("kprobe")
int kprobe_fd_install(struct pt_regs *ctx)
{
	return fd_install_enter(ctx, ctx->rdi, (void *)ctx->rsi);
}

SEC("kprobe")
int kprobe_enter(struct pt_regs *ctx)
{
	return function_enter();
}

SEC("kretprobe")
int kprobe_leave(struct pt_regs *ctx)
{
	return function_leave(ctx, ctx->rax);
}

SEC("fentry/fd_install")
int fentry_fd_install(u64 *ctx)
{
	return fd_install_enter(ctx, ctx[0], (void *)ctx[1]);
}

/* A program can be attached to a single function this way, and may only return 0. */
#define ENTER(syscall)                                                                             \
	SEC("fentry/__x64_sys_" #syscall) int fentry_##syscall(u64 *ctx) { return function_enter(), 0; }
#define LEAVE(syscall)                                                                             \
	SEC("fexit/__x64_sys_" #syscall) int fexit_##syscall(u64 *ctx) { return function_leave(ctx, ctx[1]), 0; }

ENTER(close)
ENTER(close_range)
LEAVE(dup2)
LEAVE(dup3)
LEAVE(connect)
LEAVE(listen)

char LICENSE[] SEC("license") = "GPL";
