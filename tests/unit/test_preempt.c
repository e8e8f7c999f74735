// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "probe/preempt.h"

/* As kernels say it. */
static void test_modes(void **state)
{
	static const struct {
		const char *modes, *version;
		bool preempts;
	} cases[] = {
		{ "none (voluntary) full\n", "Linux version 6.1.0 #1 SMP PREEMPT_DYNAMIC Debian", false },
		{ "(none) voluntary full lazy\n", "Linux version 6.13.0 #1 SMP PREEMPT_DYNAMIC", false },
		{ "none voluntary (full)\n", "Linux version 6.1.0 #1 SMP PREEMPT_DYNAMIC Debian", true },
		{ "none voluntary full (lazy)\n", "Linux version 6.14.0 #1 SMP PREEMPT_DYNAMIC", true },
		{ NULL, "Linux version 6.18.44 #1 SMP PREEMPT_DYNAMIC @0", true },
		{ NULL, "Linux version 6.1.0 #1 SMP PREEMPT_RT Debian", true },
		{ NULL, "Linux version 7.2.12 #1 SMP PREEMPT_LAZY Debian", true },
		{ NULL, "Linux version 5.15.0 (buildd@NONPREEMPT) #1 SMP Mon Nov 3", false },
		{ "", "Linux version 5.15.0 #1 SMP PREEMPT Mon Nov 3", true },
		{ NULL, NULL, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(preempt_mode_preempts(cases[i].modes, cases[i].version),
				 cases[i].preempts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
