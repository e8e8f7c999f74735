// SPDX-License-Identifier: Apache-2.0
#include "app/doctor.h"
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include "app/doctor_words.h"
#include "app/trace.h"

/* What is wrong with the target itself is told before anything is tried. */
static int doctor_open(struct doctor *d, pid_t pid, struct err *e)
{
	struct doctor_target t = { .target.pidfd = -1 };
	int r = target_open(pid, &t.target, e);

	if (!r)
		r = vec_push(&d->targets, t);
	if (r)
		target_deinit(&t.target);
	return r;
}

static int doctor_collect(struct doctor *d, struct err *e)
{
	struct tracer_options to = {
		.kinds = d->options->kinds,
		.max_amount = UINT64_MAX,
		.attach_kind = d->options->attach,
		.hooks = d->options->hooks,
	};
	int r = host_facts_collect(&to, &d->host);

	if (r)
		return err_set(e, r, "%s", strerror(-r));
	vec_foreach(t, &d->targets) {
		r = target_facts_collect(t->target.pid, d->options->kinds, &t->facts);
		if (r)
			return err_set(e, r, "pid %d: %s", (int)t->target.pid,
				       r == -ESRCH ? "it has just exited" : strerror(-r));
	}
	return 0;
}

static int doctor_print(const struct doctor *d, struct err *e)
{
	const struct options *o = d->options;
	FILE *out = o->output ? fopen(o->output, "we") : stdout;
	struct report_style style = { 0 };
	struct winsize w;
	bool failed;

	if (!out)
		return err_set(e, -errno, "cannot write %s: %s", o->output, strerror(errno));
	style.colour = isatty(fileno(out)) && !getenv("NO_COLOR");
	if (isatty(fileno(out)) && !ioctl(fileno(out), TIOCGWINSZ, &w))
		style.width = w.ws_col;
	if (o->format == &report_writer_json)
		doctor_json(d, out);
	else
		doctor_text(d, &style, out);
	failed = fflush(out) || ferror(out);
	if (out != stdout)
		failed |= fclose(out);
	return failed ? err_set(e, -EIO, "writing failed: %s", strerror(errno)) : 0;
}

static bool doctor_is_well(const struct doctor *d)
{
	vec_foreach(t, &d->targets)
		if (doctor_target_words(&t->facts, d->options->kinds, &d->host).why)
			return false;
	return !d->host.tracing;
}

static void doctor_deinit(struct doctor *d)
{
	vec_foreach(t, &d->targets) {
		target_facts_deinit(&t->facts);
		target_deinit(&t->target);
	}
	vec_free(&d->targets);
	host_facts_deinit(&d->host);
}

int doctor_run(const struct options *o, struct err *e)
{
	_cleanup_(doctor_deinit) struct doctor d = { .options = o };

	for (size_t i = 0; i < o->n_pids; i++)
		if (doctor_open(&d, o->pids[i], e))
			return EXIT_FAILED;
	if (doctor_collect(&d, e) || doctor_print(&d, e))
		return EXIT_FAILED;
	return doctor_is_well(&d) ? EXIT_DONE : EXIT_CANNOT_TRACE;
}
