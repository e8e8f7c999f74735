// SPDX-License-Identifier: Apache-2.0
/*
 * usage: escapes DIR
 *
 * Whatever of it has a name has one that would command a terminal, and that is not UTF-8: its
 * threads, its functions, the file and the functions of its debug information, sockets and files.
 */
#include <netinet/in.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "hostile.h"

#define EVIL	"\033]0;owned\a\033[35;46m\xff\xc2\x9b"
#define THREADS 3

NOINLINE void *evil_function(size_t n) __asm__("\"evil\033]0;owned\a\033[35;46m\xff\xc2\x9b\"");
#line 7 "evil\033]0;owned\a\033[35;46m\377\302\233.c"
NOINLINE void *evil_function(size_t n)
{
	return keep(malloc(n));
}

static void *evil_thread(void *arg)
{
	prctl(PR_SET_NAME, "\033[35;46m\a\xff\n\"\\", 0, 0, 0);
	for (;;) {
		evil_function(33);
		usleep(TURN_MS * 1000);
	}
	return arg;
}

static void listen_evil(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	const socklen_t size =
		offsetof(struct sockaddr_un, sun_path) + 1 + sizeof(EVIL "\n\"\\") - 1;
	int s = socket(AF_UNIX, SOCK_STREAM, 0), c;

	memcpy(name.sun_path + 1, EVIL "\n\"\\", sizeof(EVIL "\n\"\\"));
	expect(!bind(s, (struct sockaddr *)&name, size) && !listen(s, 8), "a socket");
	for (int i = 0; i < 4; i++) {
		c = socket(AF_UNIX, SOCK_STREAM, 0);
		expect(!connect(c, (struct sockaddr *)&name, size), "connect");
	}
}

static NOINLINE void open_evil(const char *dir)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/" EVIL "\n\"\\%d", dir, getpid());
	open_or_fail(path, O_CREAT | O_RDWR);
	unlink(path);
}

int main(int argc, char **argv)
{
	pthread_t t;

	expect(argc == 2, "usage: escapes DIR");
	prctl(PR_SET_NAME, "\033]0;owned\a\033[35m", 0, 0, 0);
	listen_evil();
	say("ready %d\n", getpid());
	/* while it is traced as well: then they have stacks */
	for (int i = 0; !is_told_to_end(TURN_MS); i++) {
		evil_function(100);
		if (i % 10 == 0)
			open_evil(argv[1]);
		if (i % 10 == 0 && i < 10 * THREADS)
			pthread_create(&t, NULL, evil_thread, NULL);
	}
	return 0;
}
