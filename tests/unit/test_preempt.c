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
		enum preemption expected;
	} cases[] = {
		{ "none (voluntary) full\n", "Linux version 6.1.0 #1 SMP PREEMPT_DYNAMIC Debian", PREEMPTION_NEVER },
		{ "(none) voluntary full lazy\n", "Linux version 6.13.0 #1 SMP PREEMPT_DYNAMIC", PREEMPTION_NEVER },
		{ "none voluntary (full)\n", "Linux version 6.1.0 #1 SMP PREEMPT_DYNAMIC Debian", PREEMPTION_SURE },
		{ "none voluntary full (lazy)\n", "Linux version 6.14.0 #1 SMP PREEMPT_DYNAMIC", PREEMPTION_SURE },
		{ NULL, "Linux version 6.18.44 #1 SMP PREEMPT_DYNAMIC @0", PREEMPTION_MAYBE },
		{ NULL, "Linux version 6.1.0 #1 SMP PREEMPT_RT Debian", PREEMPTION_SURE },
		{ NULL, "Linux version 7.2.12 #1 SMP PREEMPT_LAZY Debian", PREEMPTION_SURE },
		{ NULL, "Linux version 5.15.0 (buildd@NONPREEMPT) #1 SMP Mon Nov 3", PREEMPTION_NEVER },
		{ "", "Linux version 5.15.0 #1 SMP PREEMPT Mon Nov 3", PREEMPTION_SURE },
		{ NULL, NULL, PREEMPTION_NEVER },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(preemption_of(cases[i].modes, cases[i].version),
				 cases[i].expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
