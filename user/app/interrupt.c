// SPDX-License-Identifier: Apache-2.0
#include "app/interrupt.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "app/say.h"
#include "app/trace.h"
#include "base/clock.h"
#include "probe/detach.h"

#define MS 1000000ULL
#define LOOK_MS	   50	     /* so often it is looked what has become of the first signal */
#define SAME_NS	   (200 * MS) /* timeout(1) and others send a signal twice: that is one */
#define END_NS	   (500 * MS) /* for what can be cut short */
#define VERDICT_NS (300 * MS) /* for what comes before the names */
#define END_NICE   (-10)	     /* what has to end soon goes before others */
#define LAST_NS	   (800 * MS)
#define WINDOW_NS (5000 * MS) /* something does not come back: what was traced is lost */

struct interrupt {
	pthread_t thread;
	sigset_t signals;
	sigset_t before; /* the mask */
	struct terminal terminal;
	_Atomic pid_t command;
	_Atomic int phase, status, signal;
	_Atomic uint64_t phase_ns, signal_ns, verdict_ns, end_ns;
	struct undo_list undo;
};

/* -- ends ------------------------------------------------------------------------------------- */

static void leave_nothing(struct interrupt *i)
{
	undo_all(&i->undo);
	terminal_take(&i->terminal);
	detach_everything();
}

static _Noreturn void end(struct interrupt *i, int status)
{
	leave_nothing(i);
	_exit(status);
}

static _Noreturn void end_without_report(struct interrupt *i)
{
	say("interrupted: no report");
	end(i, EXIT_FAILED);
}

/* So that whoever waits for us learns why, a shell above all. */
static _Noreturn void end_by(struct interrupt *i, int sig)
{
	sigset_t set;

	say("interrupted: no report");
	leave_nothing(i);
	signal(sig, SIG_DFL);
	kill(getpid(), sig);
	sigemptyset(&set);
	sigaddset(&set, sig);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	_exit(128 + sig); /* the first process of a namespace does not die by signals */
}

/* -- the terminal ----------------------------------------------------------------------------- */

/* What is typed goes to the group in the foreground, and that is ours. */
static bool is_typed(const siginfo_t *info)
{
	return info->si_code == SI_KERNEL;
}

/* Ctrl-Z: the command stops, and so do we, until a shell continues us. */
static void suspend(struct interrupt *i)
{
	bool given = terminal_take(&i->terminal);
	sigset_t set;

	if (i->command)
		kill(-i->command, SIGTSTP);
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	pthread_kill(pthread_self(), SIGTSTP);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL); /* here */
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (given)
		terminal_give(&i->terminal);
	if (i->command)
		kill(-i->command, SIGCONT);
}

/* -- the thread ------------------------------------------------------------------------------- */

/* The first signal has been there for too long. */
static bool is_overdue(const struct interrupt *i)
{
	uint64_t waited = clock_now() - i->signal_ns;

	switch ((enum interrupt_phase)i->phase) {
	case INTERRUPT_WINDOW:
		return waited >= WINDOW_NS;
	case INTERRUPT_LAST: /* unless it has ended the window */
		return waited >= LAST_NS && i->signal_ns >= i->phase_ns;
	default:
		return false;
	}
}

static void on_signal(struct interrupt *i, int sig, const siginfo_t *info)
{
	if (sig == SIGTSTP) {
		suspend(i);
		return;
	}
	if (i->command && is_typed(info))
		kill(-i->command, sig);
	if (sig == SIGQUIT || i->phase == INTERRUPT_ENDS)
		end_by(i, sig);
	if (i->phase == INTERRUPT_WRITTEN)
		end(i, i->status);
	if (!i->signal) {
		i->signal_ns = clock_now();
		i->verdict_ns = i->signal_ns + VERDICT_NS;
		i->end_ns = i->signal_ns + END_NS;
		i->signal = sig;
		setpriority(PRIO_PROCESS, (id_t)getpid(), END_NICE); /* the thread that makes the report */
	} else if (clock_now() - i->signal_ns >= SAME_NS) {
		end_without_report(i);
	}
}

static void *interrupt_thread(void *arg)
{
	const struct timespec look = { .tv_nsec = LOOK_MS * 1000000 };
	struct interrupt *i = arg;

	for (;;) {
		siginfo_t info;
		int sig = i->signal ? sigtimedwait(&i->signals, &info, &look)
				    : sigwaitinfo(&i->signals, &info);

		if (i->phase == INTERRUPT_OVER)
			return NULL;
		if (sig > 0)
			on_signal(i, sig, &info);
		else if (i->signal && is_overdue(i))
			end_without_report(i);
	}
}

/* -- for others ------------------------------------------------------------------------------- */

static void choose_signals(struct interrupt *i, bool command)
{
	struct sigaction hup;

	sigemptyset(&i->signals);
	sigaddset(&i->signals, SIGINT);
	sigaddset(&i->signals, SIGTERM);
	sigaddset(&i->signals, SIGQUIT);
	if (!sigaction(SIGHUP, NULL, &hup) && hup.sa_handler != SIG_IGN)
		sigaddset(&i->signals, SIGHUP);
	if (command && terminal_open(&i->terminal))
		sigaddset(&i->signals, SIGTSTP);
}

/* Those that are waited for, here and in interrupt_await_child(). */
static void block_signals(struct interrupt *i)
{
	sigset_t set = i->signals;

	sigaddset(&set, SIGCHLD);
	if (i->terminal.fd >= 0)
		sigaddset(&set, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &set, &i->before);
}

int interrupt_create(bool command, struct interrupt **ret, struct err *e)
{
	struct interrupt *i = calloc(1, sizeof(*i));
	int r;

	if (!i)
		return err_set(e, -ENOMEM, "out of memory");
	i->undo = UNDO_LIST_NONE;
	i->terminal = TERMINAL_NONE;
	choose_signals(i, command);
	block_signals(i);
	r = pthread_create(&i->thread, NULL, interrupt_thread, i);
	if (r) {
		pthread_sigmask(SIG_SETMASK, &i->before, NULL);
		terminal_close(&i->terminal);
		undo_list_deinit(&i->undo);
		free(i);
		return err_set(e, -r, "a thread cannot be started: %s", strerror(r));
	}
	*ret = i;
	return 0;
}

void interrupt_destroy(struct interrupt *i)
{
	i->phase = INTERRUPT_OVER;
	pthread_kill(i->thread, SIGTERM);
	pthread_join(i->thread, NULL);
	pthread_sigmask(SIG_SETMASK, &i->before, NULL);
	terminal_take(&i->terminal);
	terminal_close(&i->terminal);
	undo_list_deinit(&i->undo);
	free(i);
}

void interrupt_phase(struct interrupt *i, enum interrupt_phase phase)
{
	i->phase_ns = clock_now();
	i->phase = phase;
}

void interrupt_written(struct interrupt *i, int status)
{
	i->status = status;
	interrupt_phase(i, INTERRUPT_WRITTEN);
}

int interrupt_signal(const struct interrupt *i)
{
	return i->signal;
}

const _Atomic uint64_t *interrupt_end_ns(const struct interrupt *i)
{
	return &i->end_ns;
}

const _Atomic uint64_t *interrupt_verdict_ns(const struct interrupt *i)
{
	return &i->verdict_ns;
}

struct undo_list *interrupt_undo(struct interrupt *i)
{
	return &i->undo;
}

void interrupt_command(struct interrupt *i, pid_t group)
{
	if (!group) /* its group may be gone */
		terminal_take(&i->terminal);
	i->terminal.group = group;
	i->command = group;
}

const struct terminal *interrupt_terminal(const struct interrupt *i)
{
	return &i->terminal;
}

void interrupt_await_child(unsigned int ms)
{
	const struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigtimedwait(&set, NULL, &time);
}
