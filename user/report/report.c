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
