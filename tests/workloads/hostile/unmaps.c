// SPDX-License-Identifier: Apache-2.0
/*
 * usage: unmaps FILE
 *
 * Maps FILE, which it has made and removed, as code and unmaps it again all the time: who reads
 * /proc/PID/maps finds "FILE (deleted)" there, and no mapping any more when it opens it. What lies
 * at that path is somebody else's choice.
 */
#include "hostile.h"

#define MAPPINGS 64

static void spin(int turns)
{
	for (int i = 0; i < turns; i++)
		__asm__ volatile("" : : : "memory");
}

static void *churn(void *arg)
{
	int fd = *(int *)arg;
	void *at[MAPPINGS];

	for (;;) {
		for (int i = 0; i < MAPPINGS; i++)
			at[i] = map_code(fd, 0, PAGE);
		spin(100000);
		for (int i = 0; i < MAPPINGS; i++)
			munmap(at[i], PAGE);
		spin(20000);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t;
	int fd;

	expect(argc == 2, "usage: unmaps FILE");
	fd = open_or_fail(argv[1], O_RDWR | O_CREAT);
	expect(!ftruncate(fd, 2 * PAGE) && !unlink(argv[1]), "cannot make the file");
	expect(!pthread_create(&t, NULL, churn, &fd), "pthread_create");
	live();
	return 0;
}
