// SPDX-License-Identifier: Apache-2.0
/* Any bytes as the linker's name of a function. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "sym/demangle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXPECT(condition)         \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *name = strndup((const char *)data, size);
	struct strbuf out = { 0 };
	const bool done = demangle(name, &out);

	EXPECT(name && !out.oom);
	EXPECT(!done || (out.n && out.n <= DEMANGLE_OUTPUT_MAX && strlen(name) > 2));
	EXPECT(done || !strncmp(name, out.s ? out.s : "", out.n));
	strbuf_deinit(&out);
	free(name);
	return 0;
}
