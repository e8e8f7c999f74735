// SPDX-License-Identifier: Apache-2.0
/* A function's bytes: whatever they are, the site lies in them. */
#include <stdlib.h>
#include "probe/site.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct probe_site s = probe_site_choose(data, size, size % 64);

	if (s.offset >= size && s.offset)
		abort();
	if (!s.offset && s.sp_delta)
		abort();
	if (s.offset && !s.emulated)
		abort();
	return 0;
}
