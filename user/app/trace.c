// SPDX-License-Identifier: Apache-2.0
#include "app/trace.h"
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include "app/command.h"
#include "app/output.h"
#include "app/say.h"
#include "proc/caps.h"
#include "sym/kernel.h"

#define POLL_MS 20

struct run {
	const struct options *options;
	struct tracer *tracer;
	struct output output;
	struct command command;
	bool has_command;
	int signals; /* signalfd of SIGINT, SIGTERM, SIGHUP */
};

/* Only to somebody who is watching, or has asked. */
static bool run_talks(const struct run *run)
{
	return run->options->verbose || (!run->options->quiet && say_is_watched());
}

/* Reading the tables of a big program takes a while: say so. */
static void on_module(void *ctx, const char *path)
{
	if (run_talks(ctx))
		say("reading %s", path);
}

static int status_of(int r)
{
	return r == -EOPNOTSUPP || r == -ENOTSUP || r == -EINVAL || r == -ENOSYS ? EXIT_CANNOT_TRACE
										 : EXIT_FAILED;
}

static void add_hint(struct err *e)
{
	size_t n = strlen(e->text);

	snprintf(e->text + n, sizeof(e->text) - n, "; see 'leaktrace doctor'");
}

static int run_open(struct run *run, struct err *e)
{
	const struct options *o = run->options;
	struct tracer_options to = {
		.kinds = o->kinds,
		.min_amount = o->min_size,
		.max_amount = o->max_size,
		.attach_kind = o->attach,
		.hooks = o->hooks,
		.kernel_stacks = o->kernel_stacks,
		.go_enable_profile = o->go_enable_profile,
		.progress = { on_module, run },
	};
	int r = caps_check(e);

	if (r)
		return EXIT_FAILED;
	r = tracer_create(&to, &run->tracer, e);
	if (r && status_of(r) == EXIT_CANNOT_TRACE)
		add_hint(e);
	if (r)
		return status_of(r);
	return output_open(o, &run->output, e) ? EXIT_FAILED : EXIT_DONE;
}

static int run_add_pids(struct run *run, struct err *e)
{
	for (size_t i = 0; i < run->options->n_pids; i++) {
		struct target target;
		int r = target_open(run->options->pids[i], &target, e);

		if (r)
			return EXIT_FAILED;
		r = tracer_add(run->tracer, &target, e);
		if (r) {
			target_deinit(&target);
			return r == -EOPNOTSUPP ? EXIT_CANNOT_TRACE : EXIT_FAILED;
		}
	}
	tracer_start(run->tracer);
	return EXIT_DONE;
}

static int run_start_command(struct run *run, struct err *e)
{
	char *const *argv = run->options->command;
	struct target target;
	int r = command_fork(argv, &run->command, e);

	if (r)
		return EXIT_FAILED;
	run->has_command = true;
	r = target_open(run->command.pid, &target, e);
	if (r)
		return EXIT_FAILED;
	r = tracer_add_command(run->tracer, &target, e);
	if (r) {
		target_deinit(&target);
		return EXIT_FAILED;
	}
	tracer_start(run->tracer);
	return command_exec(&run->command, run->tracer, argv[0], e) ? EXIT_FAILED : EXIT_DONE;
}

static bool run_interrupted(const struct run *run)
{
	struct signalfd_siginfo info;

	return read(run->signals, &info, sizeof(info)) == sizeof(info);
}

static bool run_over(struct run *run)
{
	const struct options *o = run->options;

	if (run->has_command)
		command_tick(&run->command, run->tracer);
	if (run->has_command ? run->command.reaped : !tracer_alive(run->tracer))
		return true;
	if (o->duration_ns && tracer_seconds(run->tracer) * 1e9 >= (double)o->duration_ns)
		return true;
	return run_interrupted(run);
}

static int run_report(struct run *run, struct err *e)
{
	char buf[64];
	const char *ended = run->has_command ? command_ended(&run->command, buf, sizeof(buf)) : NULL;

	return output_write(&run->output, run->options, run->tracer, ended, e) ? EXIT_FAILED : EXIT_DONE;
}

/* What has been written to a process is told, whoever watches. */
static void run_tell_written(struct run *run)
{
	vec_foreach(p, &run->tracer->processes) {
		if (!p->go.heap_switched_on || p->told_written)
			continue;
		p->told_written = true;
		say("pid %d: its heap profile is switched on: runtime.MemProfileRate was 0 "
			"and is 524288 until tracing ends", (int)p->target.pid);
	}
}

static void run_tell_undone(const struct run *run)
{
	vec_foreach(p, &run->tracer->processes)
		if (p->go.heap_not_off)
			say("pid %d: its heap profile could not be switched off: %s",
				(int)p->target.pid, strerror(-p->go.heap_not_off));
}

static int run_loop(struct run *run, struct err *e)
{
	double interval = (double)run->options->interval_ns / 1e9, next = interval;
	int status = EXIT_DONE;

	while (status == EXIT_DONE && !run_over(run)) {
		int r = tracer_poll(run->tracer, POLL_MS);

		run_tell_written(run);
		if (r) {
			err_set(e, r, "reading from BPF failed: %s", strerror(-r));
			status = EXIT_FAILED;
		} else if (interval > 0 && tracer_seconds(run->tracer) >= next) {
			status = run_report(run, e);
			next += interval;
		}
	}
	tracer_stop(run->tracer);
	run_tell_undone(run);
	return status == EXIT_DONE ? run_report(run, e) : status;
}

static void run_block_signals(struct run *run)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	run->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	signal(SIGPIPE, SIG_IGN); /* a reader that has gone is an error of write */
}

/* Whose Python frames are followed, and whose are not. */
static void run_tell_python(const struct tracer *t)
{
	vec_foreach(p, &t->processes) {
		const struct python_process *python = python_process_of(&t->pythons, p->target.pid);
		unsigned int version = python ? python->python.version : 0;

		if (version)
			say("pid %d: Python %u.%u, whose frames are %s",
				(int)p->target.pid, version >> 8, version & 0xff,
				python->known	  ? "followed"
				: python->refused ? "not known: stacks are those of the interpreter"
						  : "not where they should be: stacks are those of the "
						    "interpreter");
		else if (python)
			say("pid %d: Python older than 3.11, whose frames are not "
				"known: stacks are those of the interpreter", (int)p->target.pid);
	}
}

static void run_tell(struct run *run)
{
	const struct tracer *t = run->tracer;

	if (run_talks(run))
		say("tracing %s%s (probes: %s); Ctrl-C ends it with a report",
			t->processes.items[0].target.comm, t->processes.n > 1 ? " and others" : "",
			t->object.kind->name);
	run_tell_written(run);
	if (run->options->verbose)
		run_tell_python(t);
	if (run->options->quiet)
		return;
	if (run->options->command_is_shell)
		say("-c holds more than one command: what is traced is the "
				"shell that runs them");
	if (run->options->kernel_stacks && !kallsyms_readable())
		say("/proc/kallsyms shows no addresses, so the kernel's functions have "
				"no names here (sysctl kernel.kptr_restrict=1 would do)");
	vec_foreach(p, &t->processes) {
		if (p->allocator && p->stranger)
			say("pid %d: %s defines malloc as well; what goes "
				"through it is seen only where it calls glibc's",
				(int)p->target.pid, p->stranger);
		if (*p->go.refused.text && !p->command)
			say("pid %d: goroutines and Go's heap are not read: %s",
				(int)p->target.pid, p->go.refused.text);
		if (!p->allocator && !p->go.runtime && run->options->kinds & 1U << LT_KIND_MEMORY)
			say("pid %d: its memory is not traced: no known "
				"allocator (glibc, jemalloc) is mapped", (int)p->target.pid);
	}
}

int trace_run(const struct options *o, struct err *e)
{
	struct run run = { .options = o, .command = { .go = -1, .failed = -1 }, .signals = -1 };
	int status = run_open(&run, e);

	run_block_signals(&run);
	if (status == EXIT_DONE)
		status = o->command ? run_start_command(&run, e) : run_add_pids(&run, e);
	if (status == EXIT_DONE) {
		run_tell(&run);
		status = run_loop(&run, e);
	}
	command_deinit(&run.command);
	if (output_close(&run.output, e) && status == EXIT_DONE)
		status = EXIT_FAILED;
	tracer_destroy(run.tracer);
	if (run.signals >= 0)
		close(run.signals);
	return status;
}
