// SPDX-License-Identifier: Apache-2.0
/* Reading many parts of a memory at once: of our own, and of one with holes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "proc/memory.h"

#define PAGES  64
#define PARTS  3000
#define SEED   1234

static unsigned int calls;

static int counted(const struct memory *m, uint64_t at, void *to, size_t size)
{
	const struct memory *process = m->ctx;

	calls++;
	return process->read(process, at, to, size);
}

static ssize_t counted_places(const struct memory *m, const struct iovec *places, size_t n, void *to)
{
	const struct memory *process = m->ctx;

	calls++;
	return process->read_places(process, places, n, to);
}

/* Pages of numbers, of which each ninth cannot be read. */
static uint8_t *make_pages(size_t *ret_page)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *pages = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(pages != MAP_FAILED);
	for (size_t i = 0; i < PAGES * page; i++)
		pages[i] = (uint8_t)(i * 31 + (i >> 8));
	for (size_t i = 4; i < PAGES; i += 9)
		assert_int_equal(mprotect(pages + i * page, page, PROT_NONE), 0);
	*ret_page = page;
	return pages;
}

static bool is_readable(const uint8_t *pages, size_t page, uint64_t at, size_t size)
{
	for (uint64_t i = at - (uintptr_t)pages; i < at - (uintptr_t)pages + size; i++)
		if (i / page % 9 == 4)
			return false;
	return true;
}

static void check_parts(const struct memory *m)
{
	struct memory_buffer buffer = { 0 };
	struct memory_part parts[PARTS];
	unsigned int unread = 0;
	size_t page;
	uint8_t *pages = make_pages(&page);

	for (int round = 0; round < 3; round++) {
		srand48(SEED + round);
		for (size_t i = 0; i < PARTS; i++)
			parts[i] = (struct memory_part){
				.at = (uintptr_t)pages + (uint64_t)(drand48() * (double)(PAGES * page - 2000)),
				.size = 1 + (size_t)(drand48() * (round ? 2000 : 50)),
				.owner = i,
			};
		assert_int_equal(memory_gather(m, parts, PARTS, &buffer), 0);
		for (size_t i = 0; i < PARTS; i++) {
			if (is_readable(pages, page, parts[i].at, parts[i].size))
				assert_memory_equal(parts[i].bytes, (void *)(uintptr_t)parts[i].at,
						    parts[i].size);
			else
				assert_null(parts[i].bytes);
			unread += !parts[i].bytes;
		}
	}
	assert_true(unread > PARTS / 10 && unread < PARTS);
	memory_buffer_deinit(&buffer);
	munmap(pages, PAGES * page);
}

static void gathers_with_few_calls(void **state)
{
	const struct memory process = memory_of(getpid());
	struct memory m = { .read = counted, .read_places = counted_places, .ctx = &process };

	calls = 0;
	check_parts(&m);
	/* each on its own where holes are among them, and not more than once */
	assert_in_range(calls, PARTS, 3 * PARTS + 300);
	m.read_places = NULL;
	check_parts(&m);
}

static void reads_neighbours_as_one(void **state)
{
	const struct memory process = memory_of(getpid());
	const struct memory m = { .read = counted, .read_places = counted_places, .ctx = &process };
	struct memory_buffer buffer = { 0 };
	static const uint8_t bytes[20000] = { [0] = 7, [19999] = 9 };
	struct memory_part parts[] = {
		{ (uintptr_t)bytes + 19000, 1000, NULL, 0 },
		{ (uintptr_t)bytes, 1, NULL, 1 },
		{ (uintptr_t)bytes, 1000, NULL, 2 },
		{ (uintptr_t)bytes + 500, 100, NULL, 3 },
	};

	calls = 0;
	assert_int_equal(memory_gather(&m, parts, 4, &buffer), 0);
	assert_int_equal(calls, 1);
	assert_int_equal(parts[3].owner, 0);
	assert_int_equal(parts[3].bytes[999], 9);
	assert_int_equal(parts[0].bytes[0], 7);
	assert_int_equal(memory_gather(&m, parts, 0, &buffer), 0);
	memory_buffer_deinit(&buffer);
}

static void tells_that_there_is_no_process(void **state)
{
	const struct memory m = memory_of(INT32_MAX);
	struct memory_part part = { (uintptr_t)&m, 8, NULL, 0 };
	struct memory_buffer buffer = { 0 };

	assert_int_equal(memory_gather(&m, &part, 1, &buffer), -ESRCH);
	memory_buffer_deinit(&buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gathers_with_few_calls),
		cmocka_unit_test(reads_neighbours_as_one),
		cmocka_unit_test(tells_that_there_is_no_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
