// SPDX-License-Identifier: Apache-2.0
/* C++: every operator new and delete, and exceptions out of them. */
#include <new>
#include <stdint.h>
#include "workload.h"

struct small {
	char bytes[17];
};

struct alignas(128) wide {
	char bytes[384];
};

SITE(s_new, use_new, "malloc");
SITE(s_array, use_array, "malloc");
SITE(s_nothrow, use_nothrow, "malloc");
SITE(s_aligned, use_aligned, "memalign/aligned_alloc|aligned_alloc");
SITE(s_throwing, use_throwing, "malloc");

static NOINLINE void use_new()
{
	for (int i = 0; i < 83; i++) {
		small *p = static_cast<small *>(got(&s_new, new small, sizeof(small)));

		if (i % 3 == 0) {
			gave(&s_new, sizeof(small));
			delete p;
		}
	}
}

static NOINLINE void use_array()
{
	for (int i = 0; i < 47; i++) {
		small *p = static_cast<small *>(got(&s_array, new small[7], 7 * sizeof(small)));

		if (i % 3 == 0) {
			gave(&s_array, 7 * sizeof(small));
			delete[] p;
		}
	}
}

static NOINLINE void use_nothrow()
{
	for (int i = 0; i < 19; i++) {
		char *p = static_cast<char *>(got(&s_nothrow, new (std::nothrow) char[23], 23));

		if (i % 3 == 0) {
			gave(&s_nothrow, 23);
			operator delete[](p, std::nothrow);
		}
	}
	expect(refused(operator new(opaque(SIZE_MAX / 2 + 2), std::nothrow)), "the impossible");
}

static NOINLINE void use_aligned()
{
	for (int i = 0; i < 13; i++) {
		wide *p = static_cast<wide *>(got(&s_aligned, new wide, sizeof(wide)));

		if (i % 3 == 0) {
			gave(&s_aligned, sizeof(wide));
			delete p;
		}
	}
}

static NOINLINE void use_throwing()
{
	int caught = 0;

	for (int i = 0; i < 11; i++) {
		try {
			keep(operator new(opaque(SIZE_MAX / 2 + 2)));
		} catch (const std::bad_alloc &) {
			caught++;
			got(&s_throwing, malloc(29), 29);
		}
	}
	expect(caught == 11, "operator new of the impossible");
	say("transient 1\n"); /* the exceptions live in memory, too */
}

static void work(int)
{
	use_new();
	use_array();
	use_nothrow();
	use_aligned();
	use_throwing();
}

int main(int argc, char **argv)
{
	return workload_run(argc, argv, work);
}
