// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as the file of a module whose addresses are looked up: symbol tables, debug information
 * (through libdw), line tables, .gnu_debugdata, and the references to further files, none of which
 * are there. The last 64 bytes are addresses to try.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "elf/image.h"
#include "sym/symbolizer.h"
#include "sections.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

#define EXPECT(condition)         \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

#define GIVEN  8  /* addresses in the input */
#define SPREAD 48 /* addresses in each stretch of code */
#define STRIDE 23

static void check_symbols(const struct symbol *symbols, int n)
{
	EXPECT(n >= 0 && n <= SYMBOLS_MAX);
	for (int i = 0; i < n; i++) {
		EXPECT(symbols[i].inlined == (i < n - 1));
		EXPECT(!symbols[i].function || strlen(symbols[i].function) < 1 << 20);
		EXPECT(!symbols[i].file || strlen(symbols[i].file) < 1 << 20);
	}
}

static void look_up(struct symbolizer *s, const struct module *m, uint64_t addr)
{
	struct symbol first[SYMBOLS_MAX], again[SYMBOLS_MAX];
	const int n = symbolizer_module(s, m, addr, first);

	check_symbols(first, n);
	EXPECT(symbolizer_module(s, m, addr, again) == n);
	for (int i = 0; i < n; i++)
		EXPECT(first[i].function == again[i].function && first[i].file == again[i].file &&
		       first[i].line == again[i].line);
}

static void look_up_all(const struct module *m, const uint8_t *data, size_t size)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };
	struct symbolizer *s;
	uint64_t addr;

	EXPECT(!symbolizer_create(&s));
	for (size_t i = 1; i <= GIVEN && i * 8 <= size; i++) {
		memcpy(&addr, data + size - i * 8, 8);
		look_up(s, m, addr);
	}
	if (!elf_image_open_mem(data, size, &img))
		for (size_t i = 0; i < img.n_segments && i < 4; i++)
			for (size_t k = 0; k < SPREAD; k++)
				look_up(s, m, img.segments[i].vaddr + k * STRIDE);
	symbolizer_destroy(s);
}

/* Mostly what is found when a file is looked at for debug information. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	_cleanup_(elf_image_deinit) struct elf_image img = { 0 };

	if (seed % 8 && !elf_image_open_mem(data, size, &img) && section_mutate(&img, seed / 8))
		return size;
	return LLVMFuzzerMutate(data, size, max_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char path[] = "/bin/program", root[] = "/proc/self/nowhere";
	struct module m = { .id = 1, .path = path, .root = root };
	_cleanup_close_ int fd = memfd_create("fuzz_symbols", MFD_CLOEXEC);

	EXPECT(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	m.fd = fd;
	m.copy = -1;
	look_up_all(&m, data, size);
	return 0;
}
