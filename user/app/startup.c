// SPDX-License-Identifier: Apache-2.0
#include "app/startup.h"
#include <fcntl.h>
#include <unistd.h>

/* A path's descriptor can neither be read nor written. No program that we start inherits it. */
static void take_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/", O_PATH | O_CLOEXEC) < 0)
			return; /* then nothing else can be opened either */
}

void startup_begin(struct startup *ret)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN }, usual = { .sa_handler = SIG_DFL };

	ret->files = (struct rlimit){ 0, 0 };
	take_standard_descriptors();
	sigprocmask(SIG_SETMASK, NULL, &ret->mask);
	sigaction(SIGPIPE, &ignore, &ret->pipe);
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
	sigprocmask(SIG_SETMASK, &s->mask, NULL);
}
