// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>
#include "app/containers.h"
#include "app/doctor.h"
#include "app/goroutines.h"
#include "app/help.h"
#include "app/remedy.h"
#include "app/say.h"
#include "app/trace.h"

static int run(const struct options *o, const struct startup *startup, struct err *e)
{
	struct interrupt *interrupt;
	int status;

	if (remedy_check_proc(e) || interrupt_create(o->command != NULL, &interrupt, e))
		return EXIT_FAILED;
	if (o->action == OPTIONS_DOCTOR)
		status = doctor_run(o, interrupt, e);
	else if (o->action == OPTIONS_GOROUTINES)
		status = goroutines_run(o, interrupt, e);
	else if (o->action == OPTIONS_CONTAINERS)
		status = containers_run(o, interrupt, e);
	else
		status = trace_run(o, startup, interrupt, e);
	interrupt_destroy(interrupt);
	return status;
}

static int help_run(enum options_action action, struct err *e)
{
	int r = help_print(action, stdout);

	return r ? err_complete(e, r, "writing to standard output failed"), EXIT_FAILED : EXIT_DONE;
}

int main(int argc, char **argv)
{
	_cleanup_(options_deinit) struct options options = { 0 };
	struct startup startup;
	struct err e = { "" };
	int r, status;

	startup_begin(&startup);
	r = options_parse(argc, argv, &options, &e);
	if (r) {
		say("%s", e.text[0] ? e.text : strerror(-r));
		return r == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	}
	say_for_libbpf(options.verbose);
	if (options.action < OPTIONS_HELP)
		status = run(&options, &startup, &e);
	else
		status = help_run(options.action, &e);
	if (status != EXIT_DONE && e.text[0])
		say("%s", e.text);
	else if (status == EXIT_FAILED && !options.pass_status)
		say("it failed for a reason that is not known");
	return status;
}
