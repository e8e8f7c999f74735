// SPDX-License-Identifier: Apache-2.0
/* A path is whatever somebody has called a directory; what is told of it is a part of it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "proc/cgroup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cgroup c;
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	if (!cgroup_parse(text, &c)) {
		if (c.path && (c.path[0] != '/' || strchr(c.path, '\n') || !strstr(text, c.path)))
			abort();
		if (c.container && (!*c.container || !c.path || strlen(c.container) > strlen(c.path)))
			abort();
		cgroup_deinit(&c);
	}
	free(text);
	return 0;
}
