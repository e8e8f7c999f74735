// SPDX-License-Identifier: Apache-2.0
/* Which hooks in the kernel there are, and the ways in which each can be attached, best first: see hooks.h. */
#include <leaktrace/types.h>
#include "base/cleanup.h"
#include "probe/hooks.h"

#define BIT(kind) (1U << LT_KIND_##kind)

#define FD_KPROBES                                                                                 \
	{                                                                                          \
		{ "kprobe_fd_install", "fd_install", false, false },                               \
		{ "kprobe_enter", "__x64_sys_close", false, false },                               \
		{ "kprobe_enter", "__x64_sys_close_range", false, false },                         \
		{ "kprobe_leave", "__x64_sys_dup2", true, false },                                 \
		{ "kprobe_leave", "__x64_sys_dup3", true, false },                                 \
		{ "kprobe_leave", "__x64_sys_connect", true, false },                              \
		{ "kprobe_leave", "__x64_sys_listen", true, false },                               \
	}

#define SHARER_POINTS                                                                              \
	{ "sharer_made", "task_newtask", false, false },                                           \
	{ "sharer_made_spare", "task_newtask", false, true },                                      \
	{ "sharer_ends", "sched_process_exit", false, false },                                     \
	{ "sharer_ends_spare", "sched_process_exit", false, true }

#define TASK_KPROBES                                                                               \
	{                                                                                          \
		{ "kprobe_task_new", "wake_up_new_task", false, false },                           \
		{ "kprobe_task_exit", "exit_files", false, false },                                \
	}

static const struct hook hooks[] = {
	{
		.name = "descriptors",
		.what = "descriptors and connections",
		.kinds = BIT(FD) | BIT(CONNECTION) | BIT(LISTENER),
		.all_syscalls_at_worst = true,
		.rows = {
			{ HOOK_FENTRY,
			  { { "fentry_fd_install", "fd_install", false, false },
			    { "fentry_close", "__x64_sys_close", false, false },
			    { "fentry_close_range", "__x64_sys_close_range", false, false },
			    { "fexit_dup2", "__x64_sys_dup2", true, false },
			    { "fexit_dup3", "__x64_sys_dup3", true, false },
			    { "fexit_connect", "__x64_sys_connect", true, false },
			    { "fexit_listen", "__x64_sys_listen", true, false } } },
			{ HOOK_KPROBE_MULTI, FD_KPROBES },
			{ HOOK_KPROBE, FD_KPROBES },
			{ HOOK_TRACEPOINT,
			  { { "tracepoint_sys_enter", "sys_enter", false, false },
			    { "tracepoint_sys_exit", "sys_exit", false, false } } },
		},
		.n_rows = 4,
	},
	{
		.name = "sockets",
		.what = "TCP states",
		.kinds = BIT(CONNECTION),
		.rows = { { HOOK_TRACEPOINT,
			    { { "socket_state", "inet_sock_set_state", false, false },
			      { "socket_state_spare", "inet_sock_set_state", false, true } } } },
		.n_rows = 1,
	},
	{
		.name = "tasks",
		.what = "threads and children",
		.kinds = BIT(THREAD) | BIT(UNJOINED) | BIT(CHILD) | BIT(ZOMBIE),
		.rows = {
			{ HOOK_TRACEPOINT,
			  { { "task_new", "task_newtask", false, false },
			    { "task_exit", "sched_process_exit", false, false } } },
			{ HOOK_KPROBE_MULTI, TASK_KPROBES },
			{ HOOK_KPROBE, TASK_KPROBES },
		},
		.n_rows = 3,
	},
	{
		/* Where a kprobe would be missed: from an interrupt, maybe of another kprobe. */
		.name = "waits",
		.what = "children that have been waited for",
		.kinds = BIT(CHILD) | BIT(ZOMBIE),
		.rows = { { HOOK_TRACEPOINT,
			    { { "task_free", "sched_process_free", false, false },
			      { "task_free_spare", "sched_process_free", false, true } } } },
		.n_rows = 1,
	},
	{
		.name = "exec",
		.what = "a process becoming another program, or ending",
		.rows = { { HOOK_TRACEPOINT,
			    { { "lifecycle_exec", "sched_process_exec", false, false },
			      { "lifecycle_exec_spare", "sched_process_exec", false, true },
			      { "lifecycle_exit", "sched_process_exit", false, false },
			      { "lifecycle_exit_spare", "sched_process_exit", false, true } } } },
		.n_rows = 1,
	},
	{
		.name = "spaces",
		.what = "children, and processes that share a target's memory",
		.rows = {
			{ HOOK_TRACEPOINT,
			  { SHARER_POINTS,
			    { "sharer_execs", "sched_prepare_exec", false, false },
			    { "sharer_execs_spare", "sched_prepare_exec", false, true } } },
			{ HOOK_TRACEPOINT, { SHARER_POINTS } }, /* before Linux 6.10 */
		},
		.n_rows = 2,
	},
	{
		/* Before Linux 6.16 the tracepoint comes when it is too late to ask what they did. */
		.name = "ends",
		.what = "the end of such processes, while it can be told what they did",
		.kinds = BIT(MEMORY),
		.optional = true,
		.rows = {
			{ HOOK_KPROBE_MULTI, { { "kprobe_sharer_ends", "exit_signals", false, false } } },
			{ HOOK_KPROBE, { { "kprobe_sharer_ends", "exit_signals", false, false } } },
		},
		.n_rows = 2,
	},
};

const struct hook *hooks_all(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(hooks);
	return hooks;
}
