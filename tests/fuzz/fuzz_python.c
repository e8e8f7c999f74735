// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a location table, and as the memory of a process in which CPython's objects are read. */
#include <stdlib.h>
#include "python_fixture.h"
#include "sym/python_lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXPECT(condition)         \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

/* A line once found is that of all up to the next entry; past the end there is none. */
static void check_lines(const uint8_t *data, size_t size)
{
	for (uint64_t offset = 0; offset < 64; offset += 2)
		EXPECT(python_line(data, size, 1, offset) == python_line(data, size, 1, offset + 1));
	EXPECT(!python_line(data, size, 1, size * 16));
}

static void check_objects(struct area *a, unsigned int version)
{
	const struct python_module m = { .version = version, .runtime = 0x800, .code_type = 0x10 };
	struct memory memory = area_memory(a);
	struct strpool strings = { 0 };
	struct python p;
	struct symbol s;

	if (!python_open(&m, BASE, &memory, &p) && !python_symbol(&p, CODE, INSTRS, &strings, &s)) {
		EXPECT(s.function && *s.function && s.file && *s.file);
		EXPECT(s.line <= INT32_MAX);
	}
	strpool_deinit(&strings);
}

/* The first bytes are a table; then each two say where eight more go in an area with a sound object. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct area a = { 0 };

	check_lines(data, size);
	area_code(&a);
	for (; size >= 10; data += 10, size -= 10)
		area_put(&a, BASE + (data[0] | data[1] << 8) % (AREA_BYTES - 8), data + 2, 8);
	for (unsigned int minor = 10; minor < 15; minor++)
		check_objects(&a, PYTHON_VERSION(3, minor));
	return 0;
}
