/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "app/interrupt.h"
#include "app/options.h"
#include "app/startup.h"
#include "base/err.h"

/* Exit statuses (the contract of the command line). */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_LEAK = 3, EXIT_CANNOT_TRACE = 77 };

/* Traces as the options say and writes the reports. Returns the exit status; `e` holds the line to
 * print when it is not EXIT_DONE. */
int trace_run(const struct options *o, const struct startup *startup, struct interrupt *interrupt,
	      struct err *e);
