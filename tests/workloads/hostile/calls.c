// SPDX-License-Identifier: Apache-2.0
/*
 * usage: calls FILE...
 *
 * Maps the second page of each FILE as code and calls what is there (tests/lib/elf_bombs.py), a
 * function that calls the one it is given: so each of them is in stacks of blocks and descriptors
 * that are held, and is asked for names.
 */
#include "hostile.h"

#define CALLS_A_TURN 100
#define HELD_MAX     5000 /* descriptors are not endless */

typedef void (*code_fn)(void (*callback)(void));

static code_fn *codes;
static int n_codes, n_held;

static NOINLINE void acquire(void)
{
	hold_block();
	if (n_held++ < HELD_MAX)
		expect(dup(STDIN_FILENO) >= 0, "dup");
}

int main(int argc, char **argv)
{
	int at = 0;

	codes = (code_fn *)calloc((size_t)argc, sizeof(*codes));
	for (int i = 1; i < argc; i++) {
		int fd = open_or_fail(argv[i], O_RDONLY);
		void *code = map_code(fd, PAGE, PAGE);

		memcpy(&codes[n_codes++], &code, sizeof(code));
		close(fd);
	}
	say("ready %d\n", getpid());
	while (!is_told_to_end(TURN_MS))
		for (int i = 0; i < CALLS_A_TURN && i < n_codes; i++, at++)
			codes[at % n_codes](acquire);
	say("done\n");
	return 0;
}
