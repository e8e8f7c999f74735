/* SPDX-License-Identifier: Apache-2.0 */
/* What each process has of the report's resources. */
#pragma once
#include "report/build.h"

/* Fills the shares of ret->target.processes from the books, once ret->resources are there. A process that is only in
 * the books gets a row behind the others. All from `arena`; 0 or -ENOMEM. */
int report_processes(const struct report_source *src, const struct report_request *rq, struct arena *arena,
		     struct report *ret);
