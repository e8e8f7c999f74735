// SPDX-License-Identifier: Apache-2.0
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "proc/maps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct map_vec maps;
	size_t sum = 0;
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	if (maps_parse(text, &maps)) {
		free(text);
		return 0;
	}
	vec_foreach(m, &maps) {
		sum += strlen(m->path);
		if (m->start >= m->end)
			abort();
	}
	if (sum > size)
		abort();
	maps_deinit(&maps);
	return 0;
}
