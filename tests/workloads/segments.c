// SPDX-License-Identifier: Apache-2.0
/* SysV shared memory: attached, detached, and in parts unmapped before that. */
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include "workload.h"

#define SEGMENTS 53
#define PAGE	 4096L

SITE(s_attach, attach, "shmat");
SITE(s_hole, map_into_hole, "mmap");

/* Of a segment that nobody else has; what is asked for is no whole number of pages. */
static NOINLINE char *attach(long pages)
{
	int id = shmget(IPC_PRIVATE, (size_t)(pages * PAGE - 59), 0600 | IPC_CREAT);
	char *p;

	expect(id >= 0, "shmget failed");
	p = shmat(id, NULL, 0);
	expect(p != (void *)-1, "shmat failed");
	got(&s_attach, p, (size_t)(pages * PAGE));
	shmctl(id, IPC_RMID, NULL);
	return p;
}

static NOINLINE void map_into_hole(char *at)
{
	void *p = mmap(at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	expect(p == at, "mmap failed");
	got(&s_hole, p, PAGE);
}

static void work(int thread)
{
	for (int i = 0; i < SEGMENTS; i++) {
		long pages = 1 + i % 7;
		char *p = attach(pages);

		expect(shmat(-1, NULL, 0) == (void *)-1, "shmat of nothing");
		if (i % 5 == 0 && pages > 2) { /* the rest of it stays */
			gave_part(&s_attach, PAGE);
			munmap(p + PAGE, PAGE);
		} else if (i % 5 == 1 && pages > 2) { /* what has come into its middle stays */
			gave_part(&s_attach, PAGE);
			map_into_hole(p + PAGE);
			gave(&s_attach, (size_t)((pages - 1) * PAGE));
			expect(!shmdt(p), "shmdt failed");
		} else if (i % 3) {
			gave(&s_attach, (size_t)(pages * PAGE));
			expect(!shmdt(p), "shmdt failed");
		}
	}
}

int main(int argc, char **argv)
{
	return workload_run(argc, argv, work);
}
