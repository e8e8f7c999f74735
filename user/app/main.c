// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>
#include "app/doctor.h"
#include "app/goroutines.h"
#include "app/help.h"
#include "app/say.h"
#include "app/trace.h"

int main(int argc, char **argv)
{
	_cleanup_(options_deinit) struct options options = { 0 };
	struct err e = { "" };
	int r = options_parse(argc, argv, &options, &e), status;

	if (r) {
		say("%s", e.text[0] ? e.text : strerror(-r));
		return r == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	}
	say_for_libbpf(options.verbose);
	if (options.action >= OPTIONS_HELP)
		return help_print(options.action, stdout) ? EXIT_FAILED : EXIT_DONE;
	if (options.action == OPTIONS_DOCTOR)
		status = doctor_run(&options, &e);
	else if (options.action == OPTIONS_GOROUTINES)
		status = goroutines_run(&options, &e);
	else
		status = trace_run(&options, &e);
	if (status != EXIT_DONE && e.text[0])
		say("%s", e.text);
	return status;
}
