// SPDX-License-Identifier: Apache-2.0
/* Any text as /proc/kallsyms, in two readings, against the nearest line before an address. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sym/kernel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXPECT(condition)         \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static size_t parse(struct kallsyms *k, const uint8_t *data, size_t size)
{
	ssize_t used = kallsyms_parse(k, (const char *)data, size);

	EXPECT(used >= 0 && (size_t)used <= size);
	EXPECT(!used || data[used - 1] == '\n');
	EXPECT(!memchr(data + used, '\n', size - (size_t)used));
	return (size_t)used;
}

/* The start of the nearest of the lines, without any order but that of the text. */
static uint64_t nearest(const struct kallsyms *lines, uint64_t at)
{
	uint64_t start = 0;

	vec_foreach(e, lines)
		if (e->start <= at && e->start > start)
			start = e->start;
	return start;
}

static void check_at(const struct kallsyms *k, const struct kallsyms *lines, uint64_t address)
{
	struct kernel_place place = kallsyms_at(k, address);
	uint64_t start = nearest(lines, address - 1);

	EXPECT(!place.function == !(start && address - start <= 1U << 20));
	EXPECT(place.module[0] && (!place.function || strlen(place.function)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kallsyms k = { 0 }, lines = { 0 };
	size_t first = parse(&k, data, size / 2);

	parse(&k, data + first, size - first);
	EXPECT(!kallsyms_settle(&k));
	parse(&lines, data, size);
	for (size_t i = 1; i < k.n; i++)
		EXPECT(k.items[i - 1].start < k.items[i].start);
	for (size_t i = 0; i < lines.n && i < 100; i++) {
		check_at(&k, &lines, lines.items[i].start);
		check_at(&k, &lines, lines.items[i].start + 1);
		check_at(&k, &lines, lines.items[i].start + (1 << 20) + 1);
	}
	kallsyms_deinit(&k);
	kallsyms_deinit(&lines);
	return 0;
}
