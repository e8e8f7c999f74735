// SPDX-License-Identifier: Apache-2.0
#include "app/command.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOP_PATIENCE_US 100000
#define STOP_POLL_US	 50

static void child_run(int go, int failed, char *const *argv)
{
	sigset_t none;
	char byte;
	int err;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (read(go, &byte, 1) == 1) {
		execvp(argv[0], argv);
		err = errno;
		if (write(failed, &err, sizeof(err)) < 0)
			_exit(126);
	}
	_exit(127);
}

int command_fork(char *const *argv, struct command *ret, struct err *e)
{
	int go[2] = { -1, -1 }, failed[2] = { -1, -1 };
	pid_t pid = -1;

	if (!pipe2(go, O_CLOEXEC) && !pipe2(failed, O_CLOEXEC))
		pid = fork();
	if (pid < 0)
		return err_set(e, -errno, "cannot start %s: %s", argv[0], strerror(errno));
	if (pid == 0) {
		close(go[1]); /* or the child would keep itself waiting */
		child_run(go[0], failed[1], argv);
	}
	close(go[0]);
	close(failed[1]);
	*ret = (struct command){ .pid = pid, .go = go[1], .failed = failed[0] };
	return 0;
}

/* Waits for the next stop or the end. 1 stopped, 0 ended. */
static int command_wait(struct command *c)
{
	while (waitpid(c->pid, &c->status, WUNTRACED) != c->pid)
		;
	c->reaped = !WIFSTOPPED(c->status);
	return !c->reaped;
}

static int command_never_ran(struct command *c, const char *name, struct err *e)
{
	int err = 0;

	if (read(c->failed, &err, sizeof(err)) != sizeof(err))
		return err_set(e, -ENOENT, "%s ended before its allocator was loaded", name);
	return err_set(e, -err, "cannot run %s: %s", name, strerror(err));
}

int command_exec(struct command *c, struct tracer *t, const char *name, struct err *e)
{
	int r = 0;

	if (write(c->go, "", 1) != 1)
		return err_set(e, -EPIPE, "%s ended before it was run", name);
	close(take_fd(c->go));
	while (r == 0) {
		if (!command_wait(c))
			return command_never_ran(c, name, e);
		r = tracer_command_stopped(t, e);
		if (r == -EALREADY)
			r = 0;
		if (r >= 0)
			kill(c->pid, SIGCONT);
	}
	if (r < 0) {
		kill(c->pid, SIGKILL);
		command_wait(c);
	}
	return r < 0 ? r : 0;
}

/* Whether the command has changed its state. A stop that was announced comes within microseconds,
 * unless somebody continues the command at that very moment. */
static bool command_changed(struct command *c, const struct tracer *t, int *ret_status)
{
	int patience = tracer_command_stopping(t) ? STOP_PATIENCE_US / STOP_POLL_US : 1;

	for (; patience > 0; patience--) {
		if (waitpid(c->pid, ret_status, WNOHANG | WUNTRACED) == c->pid)
			return true;
		if (patience > 1)
			usleep(STOP_POLL_US);
	}
	return false;
}

void command_tick(struct command *c, struct tracer *t)
{
	int status, r;

	if (c->reaped || !command_changed(c, t, &status))
		return;
	if (!WIFSTOPPED(status)) {
		c->status = status;
		c->reaped = true;
		return;
	}
	if (WSTOPSIG(status) != SIGSTOP)
		return;
	r = tracer_command_stopped(t, NULL);
	if (r != -EALREADY) /* somebody else's stop is none of our business */
		kill(c->pid, SIGCONT);
}

void command_deinit(struct command *c)
{
	if (c->pid > 0 && !c->reaped)
		kill(c->pid, SIGTERM);
	if (c->go >= 0)
		close(c->go);
	if (c->failed >= 0)
		close(c->failed);
}

const char *command_ended(const struct command *c, char *buf, size_t size)
{
	if (!c->reaped)
		return NULL;
	if (WIFSIGNALED(c->status))
		snprintf(buf, size, "killed by signal %d (%s)", WTERMSIG(c->status),
			 strsignal(WTERMSIG(c->status)));
	else
		snprintf(buf, size, "exited with status %d", WEXITSTATUS(c->status));
	return buf;
}
