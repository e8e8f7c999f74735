// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as an answer of the helper that reads symbols: it reads what targets choose, so it may
 * be theirs.
 */
#include <stdlib.h>
#include "../../user/sym/names.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct helper_message answer = { .bytes = data, .n = size, .fds = { -1, -1 } };
	struct left_out left_out = { 0 };
	struct names n = { .left_out = &left_out };
	struct symbol found[SYMBOLS_MAX];
	const int r = read_answer(&n, &answer, found);

	if (r > SYMBOLS_MAX || left_out.n > LEFT_OUT_MAX)
		abort();
	for (int i = 0; i < r; i++)
		if ((found[i].function && strlen(found[i].function) > size) ||
		    (found[i].file && strlen(found[i].file) > size))
			abort();
	strpool_deinit(&n.strings);
	left_out_deinit(&left_out);
	return 0;
}
