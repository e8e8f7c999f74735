/* SPDX-License-Identifier: Apache-2.0 */
/* Who a report is of. */
#pragma once
#include "app/members.h"
#include "base/arena.h"
#include "report/report.h"
#include "trace/tracer.h"

/* Fills rep->target but for the shares of its processes, and what the coverage says of those that are not traced; all
 * that it does not point to in `t` and `m` is in `arena`. `m`: of the scope that is traced, or NULL; `ended`: how the
 * target ended, in words, or NULL. 0 or -ENOMEM. */
int report_target_fill(const struct tracer *t, const struct members *m, const char *ended, struct arena *arena,
		       struct report *rep);
