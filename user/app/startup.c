// SPDX-License-Identifier: Apache-2.0
#include "app/startup.h"
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * glibc keeps two signals to itself and lets nobody ask for them (sysdeps/unix/sysv/linux/internal-signals.h).
 * The one that changes a user id in all threads gets a handler with the first pthread_create(), but may be
 * ignored when we start: make's children are born so.
 */
#define SIGSETXID 33

/* The kernel's struct sigaction (arch/x86/include/asm/signal.h). */
struct kernel_sigaction {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

static bool is_ignored(int signal)
{
	struct kernel_sigaction a;

	return !syscall(SYS_rt_sigaction, signal, NULL, &a, sizeof(a.mask)) && a.handler == SIG_IGN;
}

static void ignore(int signal)
{
	const struct kernel_sigaction a = { .handler = SIG_IGN };

	syscall(SYS_rt_sigaction, signal, &a, NULL, sizeof(a.mask));
}

/* A path's descriptor can neither be read nor written. No program that we start inherits it. */
static void take_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/", O_PATH | O_CLOEXEC) < 0)
			return; /* then nothing else can be opened either */
}

void startup_begin(struct startup *ret)
{
	const struct sigaction ignored = { .sa_handler = SIG_IGN }, usual = { .sa_handler = SIG_DFL };

	ret->files = (struct rlimit){ 0, 0 };
	take_standard_descriptors();
	sigprocmask(SIG_SETMASK, NULL, &ret->mask);
	ret->no_setxid = is_ignored(SIGSETXID);
	sigaction(SIGPIPE, &ignored, &ret->pipe);
	sigaction(SIGCHLD, &usual, &ret->child);
	if (!getrlimit(RLIMIT_NOFILE, &ret->files))
		setrlimit(RLIMIT_NOFILE, &(struct rlimit){ ret->files.rlim_max, ret->files.rlim_max });
}

void startup_restore(const struct startup *s)
{
	if (s->files.rlim_max)
		setrlimit(RLIMIT_NOFILE, &s->files);
	sigaction(SIGPIPE, &s->pipe, NULL);
	sigaction(SIGCHLD, &s->child, NULL);
	if (s->no_setxid)
		ignore(SIGSETXID);
	sigprocmask(SIG_SETMASK, &s->mask, NULL);
}
