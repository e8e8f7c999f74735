// SPDX-License-Identifier: Apache-2.0
/* Any text as a perf map, in two readings, against the last line that covers an address. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sym/perfmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXPECT(condition)         \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

/* The same lines without any order but that of the text. */
static const char *last_line(const struct perfmap *lines, uint64_t address)
{
	for (size_t i = lines->n; i--;)
		if (address >= lines->items[i].start && address < lines->items[i].end)
			return lines->names.s + lines->items[i].name;
	return NULL;
}

static void check_at(const struct perfmap *m, const struct perfmap *lines, uint64_t address)
{
	const char *got = perfmap_at(m, address), *want = last_line(lines, address);

	EXPECT(!got == !want);
	EXPECT(!got || !strcmp(got, want));
}

static size_t parse(struct perfmap *m, const uint8_t *data, size_t size)
{
	const ssize_t used = perfmap_parse(m, (const char *)data, size);

	EXPECT(used >= 0 && (size_t)used <= size);
	EXPECT(!used || data[used - 1] == '\n');
	EXPECT(!memchr(data + used, '\n', size - used));
	return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct perfmap m = { 0 }, lines = { 0 };
	const size_t first = parse(&m, data, size / 2);

	EXPECT(!perfmap_settle(&m));
	parse(&m, data + first, size - first);
	EXPECT(!perfmap_settle(&m));
	parse(&lines, data, size);
	for (size_t i = 1; i < m.n; i++)
		EXPECT(m.items[i - 1].end <= m.items[i].start);
	for (size_t i = 0; i < lines.n && i < 200; i++) {
		check_at(&m, &lines, lines.items[i].start - 1);
		check_at(&m, &lines, lines.items[i].start);
		check_at(&m, &lines, lines.items[i].end - 1);
		check_at(&m, &lines, lines.items[i].end);
	}
	perfmap_deinit(&m);
	perfmap_deinit(&lines);
	return 0;
}
