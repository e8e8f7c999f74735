// SPDX-License-Identifier: Apache-2.0
#include "app/trace.h"
#include <string.h>
#include "app/command.h"
#include "app/members.h"
#include "app/output.h"
#include "app/remedy.h"
#include "app/say.h"
#include "app/tell.h"
#include "base/clock.h"
#include "proc/caps.h"

#define POLL_MS	 20
#define ENDED_MS 2000 /* for a command that has been told to end */

struct run {
	const struct options *options;
	struct interrupt *interrupt;
	struct tracer *tracer;
	struct output output;
	struct command command;
	struct members members; /* of a scope; { 0 }: there is none */
	size_t told_left_out;
};

static void on_module(void *ctx, const char *path)
{
	const struct run *run = ctx;

	tell_reading(run->options, path);
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

static void complain(const struct options *o, struct err *e, int r, const char *what)
{
	err_complete(e, r, "%s", what);
	remedy_add(o, e, r);
}

static int run_open(struct run *run, struct err *e)
{
	const struct options *o = run->options;
	struct tracer_options to = {
		.kinds = o->kinds,
		.min_amount = o->min_size,
		.max_amount = o->max_size,
		.max_processes = o->n_pids > LT_PROCESSES ? (uint32_t)o->n_pids : LT_PROCESSES,
		.older_ns = o->older_ns,
		.memory = o->memory,
		.attach_kind = o->attach,
		.hooks = o->hooks,
		.only_tables = o->only_tables,
		.kernel_stacks = o->kernel_stacks,
		.follow = !o->no_follow,
		.hold = o->command,
		.go_enable_profile = o->go_enable_profile,
		.verdict_until_ns = interrupt_verdict_ns(run->interrupt),
		.undo = interrupt_undo(run->interrupt),
		.progress = { on_module, run },
		.wants = options_have_scope(o) ? members_want : NULL,
		.wants_ctx = &run->members,
	};
	int r;

	for (size_t i = 0; i < o->n_pids && !to.attach_kind; i++)
		to.attach_kind = attach_kind_needed(o->pids[i]);
	if (remedy_check_system(o, e) || caps_check(e))
		return EXIT_FAILED;
	if (options_have_scope(o) && members_open(o, &run->members, e))
		return EXIT_FAILED;
	r = tracer_create(&to, &run->tracer, e);
	if (r)
		complain(o, e, r, "tracing cannot begin");
	if (r && status_of(r) == EXIT_CANNOT_TRACE)
		add_hint(e);
	if (r)
		return status_of(r);
	r = output_open(o, run->interrupt, &run->output, e);
	run->output.members = options_have_scope(o) ? &run->members : NULL;
	return r ? EXIT_FAILED : EXIT_DONE;
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
			complain(run->options, e, r, "it cannot be traced");
			target_deinit(&target);
			return r == -EOPNOTSUPP ? EXIT_CANNOT_TRACE : EXIT_FAILED;
		}
	}
	tracer_start(run->tracer);
	return EXIT_DONE;
}

static int run_add_members(struct run *run, struct err *e)
{
	if (members_begin(&run->members, run->tracer, e))
		return EXIT_FAILED;
	tracer_start(run->tracer);
	return EXIT_DONE;
}

/* When the window is over, CLOCK_MONOTONIC; 0: not by itself. */
static uint64_t run_until_ns(const struct run *run)
{
	uint64_t duration_ns = run->options->duration_ns;

	return duration_ns ? run->tracer->start_ns + duration_ns : 0;
}

static int run_start_command(struct run *run, const struct startup *startup, struct err *e)
{
	struct target target;
	int r = command_fork(run->options->command, startup, run->interrupt, &run->command, e);

	if (r)
		return EXIT_FAILED;
	r = target_open(run->command.pid, &target, e);
	if (r)
		return EXIT_FAILED;
	r = tracer_add_command(run->tracer, &target, e);
	if (r) {
		target_deinit(&target);
		return EXIT_FAILED;
	}
	tracer_start(run->tracer);
	r = command_exec(&run->command, run->tracer, run_until_ns(run), e);
	if (r)
		complain(run->options, e, r, "the command cannot be traced");
	return r ? EXIT_FAILED : EXIT_DONE;
}

static bool run_target_ended(const struct run *run)
{
	if (options_have_scope(run->options))
		return members_over(&run->members, run->tracer);
	return run->command.pid ? run->command.reaped : !tracer_alive(run->tracer);
}

static bool run_over(struct run *run)
{
	uint64_t until_ns = run_until_ns(run);

	if (run->command.pid)
		command_tick(&run->command, run->tracer);
	if (run_target_ended(run))
		return true;
	if (until_ns && clock_now() >= until_ns)
		return true;
	return interrupt_signal(run->interrupt);
}

static int run_report(struct run *run, enum interrupt_phase phase, struct err *e)
{
	char buf[64];
	const char *ended = run->command.pid ? command_ended(&run->command, buf, sizeof(buf)) : NULL;
	int r;

	interrupt_phase(run->interrupt, phase);
	r = output_write(&run->output, run->options, run->tracer, ended, e);
	tell_left_out(run->options, run->tracer, &run->told_left_out);
	if (r == -ENOMEM)
		remedy_add(run->options, e, r);
	if (phase == INTERRUPT_REPORT) {
		if (!r && (r = tracer_told(run->tracer)))
			err_complete(e, r, "what has ended cannot be added up");
		interrupt_phase(run->interrupt, INTERRUPT_WINDOW);
	}
	return r ? EXIT_FAILED : EXIT_DONE;
}

static int run_poll(struct run *run, struct err *e)
{
	int r = tracer_poll(run->tracer, POLL_MS);

	if (r)
		return err_set(e, r, "reading from BPF failed: %s", strerror(-r));
	if (options_have_scope(run->options))
		r = members_look(&run->members, run->tracer, e);
	tell_targets(run->options, run->tracer);
	return r;
}

static int run_loop(struct run *run, struct err *e)
{
	double interval = (double)run->options->interval_ns / 1e9, next = interval;
	int status = EXIT_DONE;

	while (status == EXIT_DONE && !run_over(run)) {
		if (run_poll(run, e)) {
			status = EXIT_FAILED;
		} else if (interval > 0 && tracer_seconds(run->tracer) >= next) {
			status = run_report(run, INTERRUPT_REPORT, e);
			next += interval;
		}
	}
	interrupt_phase(run->interrupt, INTERRUPT_LAST);
	tracer_stop(run->tracer);
	tell_undone(run->tracer);
	return status == EXIT_DONE ? run_report(run, INTERRUPT_LAST, e) : status;
}

/* The command has not ended when tracing has: it is ended. */
static void run_end_command(struct run *run)
{
	struct command *c = &run->command;

	if (command_end(c) && !run->options->quiet)
		say("%s (pid %d) still ran: its process group has been sent SIGTERM", c->name, (int)c->pid);
}

static int run_pass_status(struct run *run, struct err *e)
{
	struct command *c = &run->command;

	e->text[0] = '\0';
	if (command_await(c, ENDED_MS))
		return command_exit_status(c);
	err_set(e, -ETIMEDOUT, "%s (pid %d) has no exit status: it still runs", c->name, (int)c->pid);
	return EXIT_FAILED;
}

static int run_begin(struct run *run, const struct startup *startup, struct err *e)
{
	if (run->options->command)
		return run_start_command(run, startup, e);
	return options_have_scope(run->options) ? run_add_members(run, e) : run_add_pids(run, e);
}

int trace_run(const struct options *o, const struct startup *startup, struct interrupt *interrupt,
	      struct err *e)
{
	struct run run = { .options = o, .interrupt = interrupt, .output = OUTPUT_NONE, .command = COMMAND_NONE };
	int status = run_open(&run, e);

	if (status == EXIT_DONE)
		status = run_begin(&run, startup, e);
	if (status == EXIT_DONE) {
		interrupt_phase(interrupt, INTERRUPT_WINDOW);
		tell_begun(o, run.tracer, run.members.words);
		tell_targets(o, run.tracer);
		status = run_loop(&run, e);
	}
	if (output_close(&run.output, e) && status == EXIT_DONE)
		status = EXIT_FAILED;
	run_end_command(&run);
	if (status == EXIT_DONE && o->pass_status)
		status = run_pass_status(&run, e);
	interrupt_written(interrupt, status);
	command_deinit(&run.command);
	tracer_destroy(run.tracer);
	members_deinit(&run.members);
	return status;
}
