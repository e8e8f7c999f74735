// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "proc/refusal.h"

/* The same errno of the kernel's, each time for another reason: that one is told, and no other. */
static void test_reasons(void **state)
{
	static const struct {
		struct refusal_facts facts;
		const char *says;
	} cases[] = {
		{ { .yama_scope = -1 }, "CAP_SYS_PTRACE" },
		{ { .yama_scope = 1 }, "CAP_SYS_PTRACE" },
		{ { .in_user_namespace = true, .under_seccomp = true, .yama_scope = 3 }, "CAP_SYS_PTRACE" },
		{ { .has_cap = true, .in_user_namespace = true, .yama_scope = 1 }, "a user namespace" },
		{ { .has_cap = true, .yama_scope = 3 }, "ptrace_scope is 3" },
		{ { .has_cap = true, .under_seccomp = true, .yama_scope = 3 }, "ptrace_scope is 3" },
		{ { .has_cap = true, .under_seccomp = true, .yama_scope = 2 }, "under seccomp" },
		{ { .has_cap = true, .yama_scope = 2 }, "a security module" },
		{ { .has_cap = true, .yama_scope = -1 }, "a security module" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *said = refusal_words(&cases[i].facts);

		if (!strstr(said, cases[i].says))
			fail_msg("case %zu: \"%s\" does not say \"%s\"", i, said, cases[i].says);
		if (cases[i].facts.has_cap && strstr(said, "run leaktrace as root, or with CAP_SYS_PTRACE"))
			fail_msg("case %zu: asks for what is there", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
