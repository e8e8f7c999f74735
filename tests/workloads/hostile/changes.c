// SPDX-License-Identifier: Apache-2.0
/*
 * usage: changes FILE truncate|rewrite
 *
 * Maps FILE, which is its own, as code. truncate: as soon as somebody opens it, it is a page long
 * and "truncated" is said. rewrite: its bytes change all the time, at random places.
 */
#include <sys/inotify.h>
#include "hostile.h"

#define KEPT  20 /* bytes at the start that stay, or nobody would read on */
#define CHUNK 64

struct file {
	int fd, watch;
	off_t size;
};

static void *truncate_when_opened(void *arg)
{
	const struct file *f = (const struct file *)arg;
	char event[4096];

	expect(read(f->watch, event, sizeof(event)) > 0, "inotify");
	expect(!ftruncate(f->fd, PAGE), "ftruncate");
	say("truncated\n");
	return NULL;
}

static void *rewrite(void *arg)
{
	const struct file *f = (const struct file *)arg;
	unsigned int seed = 1;
	char bytes[CHUNK];
	size_t at;

	for (;;) {
		for (size_t i = 0; i < CHUNK; i++)
			bytes[i] = (char)rand_r(&seed);
		at = ((size_t)rand_r(&seed) << 16 ^ (size_t)rand_r(&seed)) %
		     (size_t)(f->size - KEPT - CHUNK);
		expect(pwrite(f->fd, bytes, CHUNK, (off_t)at + KEPT) == CHUNK, "pwrite");
	}
	return NULL;
}

int main(int argc, char **argv)
{
	bool truncates = argc == 3 && !strcmp(argv[2], "truncate");
	struct file f = { .watch = inotify_init1(IN_CLOEXEC) };
	struct stat st;
	pthread_t t;

	expect(argc == 3, "usage: changes FILE truncate|rewrite");
	f.fd = open_or_fail(argv[1], O_RDWR);
	expect(!fstat(f.fd, &st), "fstat");
	f.size = st.st_size;
	map_code(f.fd, 0, (size_t)f.size);
	expect(inotify_add_watch(f.watch, argv[1], IN_OPEN) >= 0, "no inotify");
	expect(!pthread_create(&t, NULL, truncates ? truncate_when_opened : rewrite, &f),
	       "pthread_create");
	live();
	return 0;
}
