// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "report/furniture.h"

#define LIBC   "/usr/lib/x86_64-linux-gnu/libc.so.6"
#define LIBCC  "/usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.30"
#define LOADER "/lib64/ld-linux-x86-64.so.2"

#define IN(file, name) { .module = (file), .function = (name) }

static const struct row {
	uint64_t acquired;
	struct report_frame frames[4];
	const char *words; /* part of them; NULL: it is the program's */
} rows[] = {
	{ 1, { IN(LIBCC, NULL), IN(LOADER, NULL), IN(LOADER, NULL) }, "libstdc++" },
	{ 1, { IN(LIBCC, "std::locale::locale()"), IN("/srv/a", "main") }, NULL },
	{ 1, { IN(LIBC, "__GI__IO_file_doallocate"), IN(LIBC, "_IO_doallocbuf"), IN("/srv/a", "main") }, "stdio" },
	/* of files that are opened again and again */
	{ 2, { IN(LIBC, "_IO_file_doallocate"), IN(LIBC, "_IO_doallocbuf"), IN("/srv/a", "main") }, NULL },
	{ 1, { IN(LIBC, "__strdup"), IN("/srv/a", "main") }, NULL },
	{ 61, { IN(LOADER, "allocate_dtv"), IN(LIBC, "__pthread_create_2_1"), IN("/srv/a", "main") }, "threads" },
	{ 67, { IN(LOADER, "allocate_dtv"), IN(LIBC, "__pthread_create_2_1"), IN("/srv/a", "main") }, NULL },
	{ 1, { IN(LOADER, "_dl_new_object"), IN(LIBC, "dlopen"), IN("/srv/a", "main") }, "loader" },
	/* a plugin that is opened in turns */
	{ 2, { IN(LOADER, "_dl_new_object"), IN(LIBC, "dlopen"), IN("/srv/a", "main") }, NULL },
	{ 1, { IN("/srv/ld-linux.so/a", "main") }, NULL },
	{ 1, { { 0 } }, NULL },
};

static void test_furniture(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct report_frame frames[4];
		struct report_stack s = { .frames = frames, .acquired.count = rows[i].acquired };
		const char *words;

		memcpy(frames, rows[i].frames, sizeof(frames));
		while (s.n_frames < ARRAY_SIZE(frames) &&
		       (frames[s.n_frames].module || frames[s.n_frames].function))
			s.n_frames++;
		words = furniture_words(&s);
		if (!words != !rows[i].words || (words && !strstr(words, rows[i].words)))
			fail_msg("row %zu: %s", i, words ? words : "none");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_furniture) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
