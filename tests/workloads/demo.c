// SPDX-License-Identifier: Apache-2.0
/*
 * The server of `make demo`. It answers requests to the end of its days: each makes short-lived
 * blocks, some go through a cache that is bounded, and every seventh opens a session whose user
 * data nobody ever frees.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CACHE_SIZE   256
#define SESSION_USER 1024

struct session {
	unsigned long id;
	char *user;
};

struct server {
	unsigned long requests;
	char *cache[CACHE_SIZE];
};

/* Not inlined, as the parts of a real server would not be. */
#define PART static __attribute__((noinline))

PART struct session *session_create(unsigned long id)
{
	struct session *s = malloc(sizeof(*s));

	s->id = id;
	s->user = malloc(SESSION_USER);
	memset(s->user, 'u', SESSION_USER);
	return s;
}

PART void session_destroy(struct session *s)
{
	free(s); /* the leak: s->user is forgotten */
}

PART void cache_put(struct server *srv, unsigned long key, const char *value)
{
	char **slot = &srv->cache[key % CACHE_SIZE];

	free(*slot);
	*slot = strdup(value);
}

PART char *request_read(unsigned long n)
{
	char *line = malloc(128);

	memset(line, 'a' + (int)(n % 26), 127);
	line[127] = '\0';
	return line;
}

PART void request_handle(struct server *srv)
{
	unsigned long n = srv->requests++;
	char *line = request_read(n);

	if (n % 3 == 0)
		cache_put(srv, n, line);
	if (n % 7 == 0)
		session_destroy(session_create(n));
	free(line);
}

int main(void)
{
	const struct timespec pause = { .tv_nsec = 500000 };
	struct server srv = { 0 };

	for (;;) {
		request_handle(&srv);
		nanosleep(&pause, NULL);
	}
}
