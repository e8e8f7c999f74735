/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why the kernel does not let us look into a process. It gives one errno for all that may forbid it, so this
 * is told from what we are and where we run.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

struct refusal_facts {
	bool has_cap;		/* we have CAP_SYS_PTRACE */
	bool in_user_namespace; /* we run in one that is not the host's */
	bool under_seccomp;
	int yama_scope;		/* kernel.yama.ptrace_scope; < 0: there is none */
};

/* What forbids it and what helps, as it goes on after a colon: the first reason that applies. A constant. */
const char *refusal_words(const struct refusal_facts *facts);
/* The same of ourselves, here and now. */
const char *refusal_why(void);
/* Whether it is forbidden to look into this very process, and not only to read some file of it. */
bool refusal_is_of_process(pid_t pid);
/* Whether we run in a user namespace that is not the host's. */
bool refusal_in_user_namespace(void);
/* Whether system calls of ours are filtered. */
bool refusal_under_seccomp(void);
