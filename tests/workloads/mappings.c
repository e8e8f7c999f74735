// SPDX-License-Identifier: Apache-2.0
/* mmap, munmap and mremap: mappings that are cut, moved, overwritten. Amounts are whole pages. */
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include "workload.h"

#define PAGE 4096UL

SITE(s_whole, use_whole, "mmap|mmap64");
SITE(s_rounded, use_rounded, "mmap|mmap64");
SITE(s_head, cut_head, "mmap|mmap64");
SITE(s_tail, cut_tail, "mmap|mmap64");
SITE(s_hole, cut_hole, "mmap|mmap64");
SITE(s_pieces, cut_to_pieces, "mmap|mmap64");
SITE(s_across, cut_across, "mmap|mmap64");
SITE(s_fixed, map_over, "mmap|mmap64");
SITE(s_fixed_new, map_over_new, "mmap|mmap64");
SITE(s_grow_old, grow, "mmap|mmap64");
SITE(s_grow, grow, "mremap");
SITE(s_shrink_old, shrink, "mmap|mmap64");
SITE(s_shrink, shrink, "mremap");
SITE(s_move_old, move_to, "mmap|mmap64");
SITE(s_move, move_to, "mremap");
SITE(s_stuck, stuck, "mmap|mmap64");

static inline void *map_at(void *at, size_t len, int flags)
{
	void *p = mmap(at, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	expect(p != MAP_FAILED, "mmap failed");
	return keep(p);
}

static inline char *map(struct site *s, size_t pages)
{
	return (char *)got(s, map_at(NULL, pages * PAGE, 0), pages * PAGE);
}

static inline void unmap(void *p, size_t pages)
{
	expect(!munmap(p, pages * PAGE), "munmap failed");
}

/* Room that does not count, because a thread's stack does not. */
static NOINLINE char *reserve(size_t pages)
{
	return (char *)map_at(NULL, pages * PAGE, MAP_STACK | MAP_NORESERVE);
}

/* Where nobody else maps anything, so that what follows stays free. */
static NOINLINE char *reserve_alone(size_t pages)
{
	static uintptr_t next = 0x200000000;
	uintptr_t at = __atomic_fetch_add(&next, 1 << 20, __ATOMIC_RELAXED);

	return (char *)map_at((void *)at, pages * PAGE, MAP_STACK | MAP_FIXED_NOREPLACE);
}

static NOINLINE void use_whole(void)
{
	for (int i = 0; i < 23; i++) {
		char *p = map(&s_whole, 3);

		if (i % 3 == 0) {
			gave(&s_whole, 3 * PAGE);
			unmap(p, 3);
		}
	}
	expect(munmap((void *)opaque(1), PAGE) && errno == EINVAL, "munmap of an odd address");
	expect(mmap(NULL, opaque(0), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED,
	       "mmap of nothing");
	expect(mmap(NULL, opaque(SIZE_MAX / 2), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		       MAP_FAILED,
	       "mmap of the impossible");
}

static NOINLINE void use_rounded(void)
{
	for (int i = 0; i < 7; i++) {
		char *p = (char *)got(&s_rounded, map_at(NULL, 5003, 0), 2 * PAGE);

		if (i % 3 == 0) {
			gave(&s_rounded, 2 * PAGE);
			expect(!munmap(p, 4099), "munmap failed");
		}
	}
}

static NOINLINE void cut_head(void)
{
	for (int i = 0; i < 5; i++) {
		unmap(map(&s_head, 7), 2);
		gave_part(&s_head, 2 * PAGE);
	}
}

static NOINLINE void cut_tail(void)
{
	for (int i = 0; i < 5; i++) {
		unmap(map(&s_tail, 7) + 4 * PAGE, 3);
		gave_part(&s_tail, 3 * PAGE);
	}
}

static NOINLINE void cut_hole(void)
{
	for (int i = 0; i < 5; i++) {
		unmap(map(&s_hole, 7) + 2 * PAGE, 3);
		gave_part(&s_hole, 3 * PAGE);
	}
}

static NOINLINE void cut_to_pieces(void)
{
	for (int i = 0; i < 3; i++) {
		char *p = map(&s_pieces, 5);

		for (int page = 1; page < 5; page += 2) {
			unmap(p + (size_t)page * PAGE, 1);
			gave_part(&s_pieces, PAGE);
		}
		gave(&s_pieces, 3 * PAGE); /* the last byte goes with this one */
		unmap(p, 5);
	}
}

/* One munmap over parts of two mappings and what lies between them. */
static NOINLINE void cut_across(void)
{
	char *room = reserve(11);

	got(&s_across, map_at(room, 4 * PAGE, MAP_FIXED), 4 * PAGE);
	got(&s_across, map_at(room + 6 * PAGE, 5 * PAGE, MAP_FIXED), 5 * PAGE);
	unmap(room + 3 * PAGE, 8);
	gave_part(&s_across, PAGE);
	gave(&s_across, 5 * PAGE);
}

static NOINLINE void map_over_new(void *at, size_t pages)
{
	got(&s_fixed_new, map_at(at, pages * PAGE, MAP_FIXED), pages * PAGE);
}

static NOINLINE void map_over(void)
{
	char *p = map(&s_fixed, 7);

	map_over_new(p + 2 * PAGE, 3);
	gave_part(&s_fixed, 3 * PAGE);
	p = map(&s_fixed, 3);
	gave(&s_fixed, 3 * PAGE);
	map_over_new(p, 3);
	keep(p);
}

static inline char *remap(struct site *s, void *p, size_t from, size_t to, int flags, void *at)
{
	p = mremap(p, from * PAGE, to * PAGE, flags, at);
	expect(p != MAP_FAILED, "mremap failed");
	return (char *)got(s, p, to * PAGE);
}

static NOINLINE void grow(void)
{
	char *room = reserve_alone(8);
	char *p = (char *)got(&s_grow_old, map_at(room, 2 * PAGE, MAP_FIXED), 2 * PAGE);

	unmap(room + 2 * PAGE, 6);
	gave(&s_grow_old, 2 * PAGE);
	remap(&s_grow, p, 2, 5, 0, NULL); /* in place */
	for (int i = 0; i < 3; i++) {
		p = map(&s_grow_old, 3);
		gave(&s_grow_old, 3 * PAGE);
		p = remap(&s_grow, p, 3, 1031, MREMAP_MAYMOVE, NULL);
		keep(p);
	}
}

static NOINLINE void shrink(void)
{
	for (int i = 0; i < 5; i++) {
		char *p = map(&s_shrink_old, 11);

		gave(&s_shrink_old, 11 * PAGE);
		p = remap(&s_shrink, p, 11, 3, 0, NULL);
		if (i % 2 == 0) {
			gave(&s_shrink, 3 * PAGE);
			unmap(p, 3);
		}
	}
}

/* To a fixed place, over a mapping that is there. */
static NOINLINE void move_to(void)
{
	char *at = map(&s_move_old, 5), *p = map(&s_move_old, 3);

	gave(&s_move_old, 3 * PAGE);
	gave_part(&s_move_old, 2 * PAGE);
	p = remap(&s_move, p, 3, 2, MREMAP_MAYMOVE | MREMAP_FIXED, at);
	keep(p);
}

/* An mremap that fails changes nothing. */
static NOINLINE void stuck(void)
{
	char *room = reserve(5);

	got(&s_stuck, map_at(room, 2 * PAGE, MAP_FIXED), 2 * PAGE);
	got(&s_stuck, map_at(room + 2 * PAGE, 3 * PAGE, MAP_FIXED), 3 * PAGE);
	expect(mremap(room, 2 * PAGE, 4 * PAGE, 0) == MAP_FAILED, "mremap into another mapping");
	expect(mremap(room + 1, PAGE, PAGE, 0) == MAP_FAILED, "mremap of an odd address");
}

static void work(int thread)
{
	use_whole();
	use_rounded();
	cut_head();
	cut_tail();
	cut_hole();
	cut_to_pieces();
	cut_across();
	map_over();
	grow();
	shrink();
	move_to();
	stuck();
}

int main(int argc, char **argv)
{
	return workload_run(argc, argv, work);
}
