// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "report/notes.h"

#define NOTES_MAX 12

/* The notes, and what they say together: "count text", the most frequent first. */
static const struct {
	const char *notes[NOTES_MAX], *want[NOTES_MAX];
} cases[] = {
	{ { NULL }, { NULL } },
	{ { "ended" }, { "1 ended" } },
	{ { "ended", "lost", "ended" }, { "2 ended", "1 lost" } },
	{ { "b", "a" }, { "1 a", "1 b" } },
	{ { "closed 3.0 s ago", "closed 3.0 s ago" }, { "2 closed 3.0 s ago" } },
	{ { "closed 3.0 s ago", "closed 120 ms ago" }, { "2 closed up to 3.0 s ago" } },
	{ { "closed 120 ms ago, so", "closed 5m 12s ago, so", "closed 59.0 s ago, so" },
	  { "3 closed up to 5m 12s ago, so" } },
	{ { "closed 2d 04h ago", "closed 3h 05m ago" }, { "2 closed up to 2d 04h ago" } },
	{ { "closed 3h 05m", "closed 3h 06m" }, { "2 closed up to 3h 06m" } },
	/* one of a time, and one without */
	{ { "closed 3.0 s ago", "closed ago" }, { "1 closed 3.0 s ago", "1 closed ago" } },
	/* no times */
	{ { "3 descriptors", "4 descriptors" }, { "1 3 descriptors", "1 4 descriptors" } },
	{ { "of .5 s", "of . s", "x3s" }, { "1 of . s", "1 of .5 s", "1 x3s" } },
	{ { "", "" }, { "2 " } },
	/* more than there is room for */
	{ { "a", "b", "c", "d", "e", "f", "g", "h", "i", "a", "j" },
	  { "2 a", "1 b", "1 c", "1 d", "1 e", "1 f", "1 g", "1 h" } },
};

static void test_notes_of_one_meaning(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(note_groups_deinit) struct note_groups g = { 0 };
		_cleanup_(arena_deinit) struct arena arena = { 0 };
		struct report_stack s = { 0 };
		char got[128];

		for (size_t k = 0; k < NOTES_MAX && cases[i].notes[k]; k++)
			assert_int_equal(note_groups_add(&g, cases[i].notes[k]), 0);
		assert_int_equal(note_groups_finish(&g, &arena, &s), 0);
		for (size_t k = 0; k < s.n_notes; k++) {
			snprintf(got, sizeof(got), "%d %s", (int)s.notes[k].count, s.notes[k].text);
			if (!cases[i].want[k] || strcmp(got, cases[i].want[k]))
				fail_msg("case %zu: '%s'", i, got);
		}
		assert_true(s.n_notes == NOTES_MAX || !cases[i].want[s.n_notes]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_notes_of_one_meaning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
