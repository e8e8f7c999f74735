// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "probe/site.h"
#include "runtime/go/sites.h"

#define CODE(bytes) .code = (bytes), .size = sizeof(bytes) - 1

static const struct {
	const char *name, *code;
	size_t size;
	uint32_t offset;
	bool emulated, checking;
} entries[] = {
	{ "1.21 on: behind the check", CODE("\x49\x3b\x66\x10\x76\x20\x55\x48\x89\xe5"), 6, true, false },
	{ "the same, far", CODE("\x49\x3b\x66\x10\x0f\x86\x20\x01\x00\x00\x55\x48\x89\xe5"), 10, true,
	  false },
	{ "a larger frame", CODE("\x4c\x8d\x64\x24\x90\x4d\x3b\x66\x10\x76\x20\x55\x48"), 11, true, false },
	{ "a huge one",
	  CODE("\x4c\x8d\xa4\x24\x00\xf0\xff\xff\x4d\x3b\x66\x10\x0f\x86\x20\x01\x00\x00\x55\x48"), 18, true,
	  false },
	{ "1.19: sub $n,%rsp behind it", CODE("\x49\x3b\x66\x10\x76\x20\x48\x83\xec\x18"), 4, true, true },
	{ "1.19, a larger frame", CODE("\x4c\x8d\x64\x24\x90\x4d\x3b\x66\x10\x76\x20\x48\x81\xec"), 9, true,
	  true },
	{ "no check, a frame", CODE("\x55\x48\x89\xe5\x48\x83\xec\x10"), 0, true, false },
	{ "no check, no frame", CODE("\x48\x8b\x00\xc3"), 0, false, false },
	{ "a comparison with something else", CODE("\x49\x3b\x66\x18\x76\x20\x55"), 0, false, false },
	{ "another jump", CODE("\x49\x3b\x66\x10\x77\x20\x55"), 0, false, false },
	{ "cut behind the check", CODE("\x49\x3b\x66\x10"), 0, false, false },
	{ "cut behind the jump", CODE("\x49\x3b\x66\x10\x76\x20"), 4, true, true },
	{ "cut in the jump", CODE("\x49\x3b\x66\x10\x0f\x86\x20"), 0, false, false },
	{ "nothing", CODE(""), 0, false, false },
};

static void test_entries(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		char *copy = malloc(entries[i].size + 1);
		bool checking;
		struct probe_site s;

		assert_non_null(copy);
		memcpy(copy, entries[i].code, entries[i].size);
		copy = realloc(copy, entries[i].size ? entries[i].size : 1);
		s = go_site_choose((uint8_t *)copy, entries[i].size, &checking);
		if (s.offset != entries[i].offset || s.emulated != entries[i].emulated ||
		    checking != entries[i].checking || s.sp_delta)
			fail_msg("%s: +%u, emulated %d, checking %d", entries[i].name, s.offset, s.emulated,
				 checking);
		free(copy);
	}
}

/* The code is at 0x1000, what is called at 0x2000. */
static const struct {
	const char *name, *code;
	size_t size;
	uint32_t offset; /* 0: no site */
	bool at_call;
} calls[] = {
	{ "test %rax,%rax; je", CODE("\x90\xe8\xfa\x0f\x00\x00\x48\x85\xc0\x74\x10"), 9, false },
	{ "the same, far", CODE("\x90\xe8\xfa\x0f\x00\x00\x48\x85\xc0\x0f\x84\x10\x00\x00\x00"), 9, false },
	{ "a nop first", CODE("\x90\xe8\xfa\x0f\x00\x00\x0f\x1f\x00\x48\x85\xc0\x74\x10"), 6, false },
	{ "a nop of 5 bytes is passed over",
	  CODE("\x90\xe8\xfa\x0f\x00\x00\x0f\x1f\x44\x00\x00\x48\x85\xc0\x74\x10"), 14, false },
	{ "the result is stored first", CODE("\x90\xe8\xfa\x0f\x00\x00\x48\x89\x44\x24\x20\x74\x10"), 11, false },
	{ "behind another call", CODE("\xe8\x00\x00\x00\x00\x74\x05\xe8\xf4\x0f\x00\x00\x74\x10"), 12, false },
	{ "only another call", CODE("\x90\xe8\xfb\x0f\x00\x00\x48\x85\xc0\x74\x10"), 0, false },
	{ "the result is overwritten", CODE("\x90\xe8\xfa\x0f\x00\x00\x31\xc0\x74\x10"), 0, false },
	{ "called again", CODE("\x90\xe8\xfa\x0f\x00\x00\xe8\x00\x00\x00\x00\x74\x10"), 0, false },
	{ "it returns", CODE("\x90\xe8\xfa\x0f\x00\x00\xc3\x74\x10"), 0, false },
	{ "cut behind the call", CODE("\x90\xe8\xfa\x0f\x00\x00"), 0, false },
	{ "no code before the call", CODE("\x06\xe8\xfa\x0f\x00\x00\x74\x10"), 0, false },
	{ "an indirect call", CODE("\xff\xd0\x74\x10"), 0, false },
	{ "the call itself", CODE("\x90\xe8\xfa\x0f\x00\x00\x31\xc0\xc3"), 1, true },
	{ "the call itself, at the end", CODE("\x90\xe8\xfa\x0f\x00\x00"), 1, true },
	{ "no such call", CODE("\x90\xe8\xfb\x0f\x00\x00\x31\xc0\xc3"), 0, true },
	{ "nothing", CODE(""), 0, false },
};

static void test_calls(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		struct probe_site s = { 0 };
		bool found = probe_site_of_call((const uint8_t *)calls[i].code, calls[i].size, 0x1000,
						0x2000, calls[i].at_call, &s);

		if (found != !!calls[i].offset || s.offset != calls[i].offset || s.emulated != found)
			fail_msg("%s: %d, +%u", calls[i].name, found, s.offset);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_calls),
	};

	return cmocka_run_group_tests_name("go_sites", tests, NULL, NULL);
}
