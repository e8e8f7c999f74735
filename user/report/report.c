// SPDX-License-Identifier: Apache-2.0
#include "report/report.h"

const char *verdict_name(enum verdict v)
{
	static const char *const names[VERDICT_MAX] = {
		[VERDICT_LOST] = "LOST",
		[VERDICT_GROWING] = "GROWING",
		[VERDICT_HELD] = "HELD",
		[VERDICT_YOUNG] = "YOUNG",
	};

	return v < VERDICT_MAX ? names[v] : NULL;
}

#define RATE_SECONDS_MIN 1 /* what is less says nothing about a rate */

bool report_process_rate(const struct report_process *p, size_t resource, double *ret_count, double *ret_amount)
{
	const struct process_share *s = &p->shares[resource];

	if (p->seconds < RATE_SECONDS_MIN)
		return false;
	*ret_count = ((double)s->outstanding.count - (double)s->before.count) / p->seconds;
	*ret_amount = ((double)s->outstanding.amount - (double)s->before.amount) / p->seconds;
	return true;
}
