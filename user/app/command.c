// SPDX-License-Identifier: Apache-2.0
#include "app/command.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"

#define STOP_PATIENCE_US 100000
#define STOP_POLL_US	 50
#define LOOK_MS		 50
#define KILLED_MS	 1000

static void child_run(int go, int failed, char *const *argv, const struct startup *startup)
{
	char byte;
	int err;

	startup_restore(startup);
	if (read(go, &byte, 1) == 1) {
		execvp(argv[0], argv);
		err = errno;
		if (write(failed, &err, sizeof(err)) < 0)
			_exit(126);
	}
	_exit(127);
}

/* -- its group -------------------------------------------------------------------------------- */

/* Before it has done anything of its own. */
static void undo_by_killing(uintptr_t group, uint64_t unused)
{
	kill(-(pid_t)group, SIGKILL);
}

static void undo_by_ending(uintptr_t group, uint64_t unused)
{
	kill(-(pid_t)group, SIGTERM);
	kill(-(pid_t)group, SIGCONT);
}

static int fork_in_group(pid_t *ret)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid > 0)
		setpgid(pid, pid); /* it waits for us */
	*ret = pid;
	return 0;
}

/* The child is known to `undo` from its first moment on. */
static int fork_undoably(struct undo_list *undo, pid_t *ret)
{
	int r;

	undo_begin(undo);
	r = vec_reserve(undo, 1);
	if (!r)
		r = fork_in_group(ret);
	if (!r && *ret)
		r = undo_add(undo, undo_by_killing, (uintptr_t)*ret, 0);
	if (r || *ret)
		undo_end(undo);
	return r;
}

static void command_set_undo(const struct command *c, undo_fn *before, undo_fn *now)
{
	struct undo_list *undo = interrupt_undo(c->interrupt);

	undo_begin(undo);
	undo_drop(undo, before, (uintptr_t)c->pid, 0);
	if (now)
		undo_add(undo, now, (uintptr_t)c->pid, 0); /* there is room: one went */
	undo_end(undo);
}

/* -- starting --------------------------------------------------------------------------------- */

int command_fork(char *const *argv, const struct startup *startup, struct interrupt *interrupt,
		 struct command *ret, struct err *e)
{
	int go[2] = { -1, -1 }, failed[2] = { -1, -1 };
	pid_t pid = 0;
	int r = pipe2(go, O_CLOEXEC) || pipe2(failed, O_CLOEXEC) ? -errno : 0;

	if (!r)
		r = fork_undoably(interrupt_undo(interrupt), &pid);
	if (!r && !pid) {
		close(go[1]); /* or the child would keep itself waiting */
		child_run(go[0], failed[1], argv, startup);
	}
	if (go[0] >= 0)
		close(go[0]);
	if (failed[1] >= 0)
		close(failed[1]);
	*ret = (struct command){ .name = argv[0], .pid = pid, .go = go[1], .failed = failed[0],
				 .interrupt = interrupt };
	if (r)
		return err_set(e, r, "cannot start %s: %s", argv[0], strerror(-r));
	interrupt_command(interrupt, pid);
	return 0;
}

/* Whether it has stopped or ended since the last time: then `c->status` tells. */
static bool command_changed(struct command *c)
{
	int status;

	if (c->reaped || waitpid(c->pid, &status, WNOHANG | WUNTRACED) != c->pid)
		return false;
	c->status = status;
	c->reaped = !WIFSTOPPED(status);
	if (c->reaped) { /* its number may be another's from now on */
		interrupt_command(c->interrupt, 0);
		command_set_undo(c, undo_by_ending, NULL);
		command_set_undo(c, undo_by_killing, NULL);
	}
	return true;
}

/* Waits for its next stop or its end. 1 stopped, 0 ended, -ETIMEDOUT. */
static int command_wait(struct command *c, uint64_t until_ns)
{
	while (!command_changed(c)) {
		if (until_ns && clock_now() >= until_ns)
			return -ETIMEDOUT;
		interrupt_await_child(LOOK_MS);
	}
	return !c->reaped;
}

static int command_never_ran(struct command *c, struct err *e)
{
	int err = 0;

	if (read(c->failed, &err, sizeof(err)) != sizeof(err))
		return err_set(e, -ENOENT, "%s ended before its allocator was loaded", c->name);
	return err_set(e, -err, "cannot run %s: %s", c->name, strerror(err));
}

int command_exec(struct command *c, struct tracer *t, uint64_t until_ns, struct err *e)
{
	int r = 0;

	if (write(c->go, "", 1) != 1)
		return err_set(e, -EPIPE, "%s ended before it was run", c->name);
	close(take_fd(c->go));
	while (r == 0) {
		int stopped = command_wait(c, until_ns);

		if (stopped == -ETIMEDOUT)
			break;
		if (!stopped)
			return command_never_ran(c, e);
		r = tracer_command_stopped(t, e);
		if (r == -EALREADY)
			r = 0;
		if (r >= 0)
			kill(c->pid, SIGCONT);
	}
	if (r < 0) {
		kill(-c->pid, SIGKILL);
		command_await(c, KILLED_MS);
		return r;
	}
	command_set_undo(c, undo_by_killing, undo_by_ending);
	return 0;
}

/* -- while it runs ---------------------------------------------------------------------------- */

/* A stop that was announced comes within microseconds, unless somebody continues the command at that very
 * moment. */
static bool command_changed_soon(struct command *c, const struct tracer *t)
{
	int patience = tracer_command_stopping(t) ? STOP_PATIENCE_US / STOP_POLL_US : 1;

	for (; patience > 0; patience--) {
		if (command_changed(c))
			return true;
		if (patience > 1)
			usleep(STOP_POLL_US);
	}
	return false;
}

/* Of its whole group, as when a shell's job stops: by Ctrl-Z, or because it wants the terminal. */
static void command_on_job_stop(const struct command *c, int sig)
{
	const struct terminal *terminal = interrupt_terminal(c->interrupt);

	if ((sig == SIGTTIN || sig == SIGTTOU) && terminal_give(terminal))
		kill(-c->pid, SIGCONT);
	else if (sig == SIGTSTP && terminal_has(terminal))
		kill(0, SIGTSTP); /* we are a job of a shell ourselves */
}

void command_tick(struct command *c, struct tracer *t)
{
	if (!command_changed_soon(c, t) || c->reaped)
		return;
	if (WSTOPSIG(c->status) != SIGSTOP)
		command_on_job_stop(c, WSTOPSIG(c->status));
	else if (tracer_command_stopped(t, NULL) != -EALREADY) /* somebody else's is none of our business */
		kill(c->pid, SIGCONT);
}

/* -- its end ---------------------------------------------------------------------------------- */

bool command_end(struct command *c)
{
	if (!c->pid || c->reaped)
		return false;
	undo_by_ending((uintptr_t)c->pid, 0);
	return true;
}

bool command_await(struct command *c, unsigned int ms)
{
	uint64_t until_ns = clock_now() + ms * 1000000ULL;

	while (!c->reaped && command_wait(c, until_ns) > 0)
		;
	return c->reaped;
}

void command_deinit(struct command *c)
{
	command_end(c);
	if (c->go >= 0)
		close(c->go);
	if (c->failed >= 0)
		close(c->failed);
	*c = COMMAND_NONE;
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

int command_exit_status(const struct command *c)
{
	return WIFSIGNALED(c->status) ? 128 + WTERMSIG(c->status) : WEXITSTATUS(c->status);
}
