// SPDX-License-Identifier: Apache-2.0
#include "app/doctor.h"
#include <errno.h>
#include <string.h>
#include "app/doctor_words.h"
#include "app/output.h"
#include "app/remedy.h"
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

static int doctor_print(const struct doctor *d, struct outfile *out, struct err *e)
{
	const struct report_style style = output_style(out);
	FILE *stream;
	int r = outfile_begin(out, &stream, e);

	if (r)
		return r;
	if (d->options->format == &report_writer_json)
		doctor_json(d, stream);
	else
		doctor_text(d, &style, stream);
	return outfile_end(out, 0, e);
}

/* Whether this host and all targets can be traced; if not, `e` says what stands against it first. */
static bool doctor_is_well(const struct doctor *d, struct err *e)
{
	if (d->host.tracing) {
		*e = d->host.refusal;
		if (!d->host.caps) /* what helps against that stands there already */
			remedy_add(d->options, e, d->host.tracing);
		return false;
	}
	vec_foreach(t, &d->targets) {
		const char *why = doctor_target_words(&t->facts, d->options->kinds, &d->host).why;

		if (why) {
			err_set(e, -EOPNOTSUPP, "pid %d: %s", (int)t->target.pid, why);
			return false;
		}
	}
	return true;
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

static int doctor_do(struct doctor *d, struct outfile *out, struct err *e)
{
	if (doctor_collect(d, e) || doctor_print(d, out, e))
		return EXIT_FAILED;
	return doctor_is_well(d, e) ? EXIT_DONE : EXIT_CANNOT_TRACE;
}

int doctor_run(const struct options *o, struct interrupt *interrupt, struct err *e)
{
	_cleanup_(doctor_deinit) struct doctor d = { .options = o };
	struct outfile out;
	int status;

	for (size_t i = 0; i < o->n_pids; i++)
		if (doctor_open(&d, o->pids[i], e))
			return EXIT_FAILED;
	if (outfile_open(o->output, interrupt, &out, e))
		return EXIT_FAILED;
	status = doctor_do(&d, &out, e);
	return outfile_close(&out, e) ? EXIT_FAILED : status;
}
