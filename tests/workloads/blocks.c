// SPDX-License-Identifier: Apache-2.0
/* Every function of glibc that hands out blocks, with its corner cases. */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include "workload.h"

SITE(s_malloc, use_malloc, "malloc");
SITE(s_calloc, use_calloc, "calloc");
SITE(s_realloc, use_realloc, "realloc");
SITE(s_realloc_old, use_realloc, "malloc");
SITE(s_reallocarray, use_reallocarray, "reallocarray");
SITE(s_posix_memalign, use_posix_memalign, "posix_memalign");
SITE(s_memalign, use_memalign, "memalign/aligned_alloc|memalign");
SITE(s_aligned_alloc, use_aligned_alloc, "memalign/aligned_alloc|aligned_alloc");
SITE(s_valloc, use_valloc, "valloc");
SITE(s_pvalloc, use_pvalloc, "pvalloc");
SITE(s_large, use_large, "malloc");
SITE(s_large_moved, use_large, "realloc");

#define HUGE_SIZE opaque(SIZE_MAX / 2 + 2) /* more than PTRDIFF_MAX: refused */

static NOINLINE void use_malloc(void)
{
	for (int i = 0; i < 101; i++) {
		void *p = got(&s_malloc, malloc(13), 13);

		if (i % 3 == 0) {
			gave(&s_malloc, 13);
			free(p);
		}
	}
	got(&s_malloc, malloc(opaque(0)), 0);
	expect(refused(malloc(HUGE_SIZE)), "malloc of the impossible");
	free(NULL);
}

static NOINLINE void use_calloc(void)
{
	for (int i = 0; i < 53; i++) {
		void *p = got(&s_calloc, calloc(7, 11), 77);

		if (i % 2 == 0) {
			gave(&s_calloc, 77);
			free(p);
		}
	}
	expect(refused(calloc(opaque(SIZE_MAX / 4), 8)), "calloc of an overflow");
}

static void *resize(struct site *from, size_t old, void *p, size_t size)
{
	gave(from, old);
	return got(&s_realloc, realloc(p, size), size);
}

static NOINLINE void use_realloc(void)
{
	for (int i = 0; i < 29; i++) {
		void *p = got(&s_realloc_old, malloc(40), 40);

		p = resize(&s_realloc_old, 40, p, 4099); /* grows, moves */
		p = resize(&s_realloc, 4099, p, 997);	 /* shrinks in place */
		p = resize(&s_realloc, 997, p, 1009);	 /* grows in place */
		expect(refused(realloc(keep(p), HUGE_SIZE)), "realloc of the impossible");
		if (i % 5 == 0) {
			gave(&s_realloc, 1009);
			expect(refused(realloc(p, opaque(0))), "realloc to 0");
		}
		got(&s_realloc, realloc(keep(NULL), 19), 19);
	}
}

static NOINLINE void use_reallocarray(void)
{
	for (int i = 0; i < 31; i++) {
		void *p = got(&s_reallocarray, reallocarray(keep(NULL), 3, 7), 21);

		gave(&s_reallocarray, 21);
		p = got(&s_reallocarray, reallocarray(p, 101, 17), 1717);
		expect(refused(reallocarray(keep(p), opaque(SIZE_MAX / 4), 8)),
		       "reallocarray of an overflow");
		if (i % 7 == 0) {
			gave(&s_reallocarray, 1717);
			expect(refused(reallocarray(p, opaque(0), 8)), "reallocarray to 0");
		}
	}
}

static NOINLINE void use_posix_memalign(void)
{
	void *p = NULL;

	for (int i = 0; i < 37; i++) {
		expect(!posix_memalign(&p, 256, 61), "posix_memalign");
		got(&s_posix_memalign, p, 61);
		expect(posix_memalign(&p, opaque(3), 61) == EINVAL, "alignment of 3");
		expect(posix_memalign(&p, 64, HUGE_SIZE) == ENOMEM, "the impossible");
		if (i % 4 == 0) {
			gave(&s_posix_memalign, 61);
			free(p);
		}
	}
}

static NOINLINE void use_memalign(void)
{
	for (int i = 0; i < 41; i++) {
		void *p = got(&s_memalign, memalign(128, 67), 67);

		if (i % 4 == 0) {
			gave(&s_memalign, 67);
			free(p);
		}
	}
}

static NOINLINE void use_aligned_alloc(void)
{
	for (int i = 0; i < 43; i++) {
		void *p = got(&s_aligned_alloc, aligned_alloc(64, 192), 192);

		if (i % 4 == 0) {
			gave(&s_aligned_alloc, 192);
			free(p);
		}
	}
}

static NOINLINE void use_valloc(void)
{
	for (int i = 0; i < 11; i++) {
		void *p = got(&s_valloc, valloc(71), 71);

		if (i % 4 == 0) {
			gave(&s_valloc, 71);
			free(p);
		}
	}
}

static NOINLINE void use_pvalloc(void)
{
	for (int i = 0; i < 7; i++) {
		void *p = got(&s_pvalloc, pvalloc(73), 73);

		if (i % 4 == 0) {
			gave(&s_pvalloc, 73);
			free(p);
		}
	}
}

/* Blocks that malloc takes from mmap, realloc moves and free unmaps: no mappings of the program's. */
static NOINLINE void use_large(void)
{
	for (int i = 0; i < 5; i++) {
		void *p = got(&s_large, malloc(35 << 20), 35 << 20);

		if (i % 2 == 0) {
			gave(&s_large, 35 << 20);
			free(p);
		} else { /* by mremap */
			gave(&s_large, 35 << 20);
			got(&s_large_moved, realloc(p, 67 << 20), 67 << 20);
		}
	}
}

static void work(int thread)
{
	use_malloc();
	use_calloc();
	use_realloc();
	use_reallocarray();
	use_posix_memalign();
	use_memalign();
	use_aligned_alloc();
	use_valloc();
	use_pvalloc();
	use_large();
}

int main(int argc, char **argv)
{
	return workload_run(argc, argv, work);
}
