// SPDX-License-Identifier: Apache-2.0
#include "report/writer.h"
#include <string.h>
#include "base/cleanup.h"

static const struct report_writer *const writers[] = {
	&report_writer_text,
	&report_writer_json,
	NULL,
};

const struct report_writer *report_writer_by_name(const char *name)
{
	for (size_t i = 0; writers[i]; i++)
		if (!strcmp(writers[i]->name, name))
			return writers[i];
	return NULL;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && !strcmp(s + n - m, end);
}

const struct report_writer *report_writer_by_path(const char *path)
{
	for (size_t i = 0; writers[i]; i++)
		for (size_t k = 0; writers[i]->extensions[k]; k++)
			if (ends_with(path, writers[i]->extensions[k]))
				return writers[i];
	return NULL;
}

const struct report_writer *const *report_writers(void)
{
	return writers;
}
