/* SPDX-License-Identifier: Apache-2.0 */
/* Who a report is of. */
#pragma once
#include "base/arena.h"
#include "probe/tracer.h"
#include "report/report.h"

/* Fills rep->target but for the shares of its processes; all that it does not point to in `t` is in `arena`. `ended`:
 * how the target ended, in words, or NULL. 0 or -ENOMEM. */
int report_target_fill(const struct tracer *t, const char *ended, struct arena *arena, struct report *rep);
