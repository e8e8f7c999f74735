// SPDX-License-Identifier: Apache-2.0
/*
 * usage: lease DIR N
 *
 * Maps N files as code and holds a write lease on each, which it never gives up: who opens one
 * without O_NONBLOCK waits for /proc/sys/fs/lease-break-time (45 s).
 */
#include "hostile.h"

static void lease_file(const char *dir, int i)
{
	char path[4096];
	int file, reader;

	snprintf(path, sizeof(path), "%s/lease%d", dir, i);
	file = open_or_fail(path, O_RDWR | O_CREAT);
	expect(!ftruncate(file, PAGE), "ftruncate failed");
	close(file);
	/* a mapping made of a second open file: a write lease is for its only one */
	reader = open_or_fail(path, O_RDONLY);
	file = open_or_fail(path, O_RDWR);
	close(reader);
	map_code(file, 0, PAGE);
	expect(!fcntl(file, F_SETLEASE, F_WRLCK), "no lease");
}

int main(int argc, char **argv)
{
	expect(argc == 3, "usage: lease DIR N");
	signal(SIGIO, SIG_IGN);
	for (int i = 0; i < atoi(argv[2]); i++)
		lease_file(argv[1], i);
	live();
	return 0;
}
