// SPDX-License-Identifier: Apache-2.0
/*
 * What the kernel writes about sockets and tasks. The first byte says how the rest is read: as
 * messages or as lines of a protocol, or as /proc/PID/stat.
 */
#include <stdlib.h>
#include <string.h>
#include "proc/sockparse.h"
#include "proc/taskdir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXPECT(condition)         \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static void check_table(struct socket_table *t, size_t size)
{
	size_t paths = 0;

	vec_foreach(s, t) {
		EXPECT(s->inode);
		EXPECT(socket_table_get(t, s->inode) == s);
		EXPECT(s->protocol < SOCKET_PROTOCOL_MAX);
		paths += s->path ? strlen(s->path) : 0;
	}
	EXPECT(t->by_inode.n == t->n);
	EXPECT(t->n <= size && paths <= size);
	socket_table_deinit(t);
}

static void read_stat(const char *text, size_t size)
{
	struct task_stat t;

	if (task_stat_parse(text, size, &t))
		return;
	EXPECT(t.pid > 0 && t.ppid >= 0 && t.state);
	EXPECT(strlen(t.name) < sizeof(t.name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const unsigned int way = size ? *data % (2 * SOCKET_PROTOCOL_MAX + 1) : 0;
	struct socket_table t = { 0 };
	char *text;
	int r;

	if (!size)
		return 0;
	text = malloc(size); /* of exactly its size: what is read past it is seen */
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (way < SOCKET_PROTOCOL_MAX) {
		r = sockparse_netlink(&t, way, 1, data + 1, size - 1);
		EXPECT(r <= 1);
	} else if (way < 2 * SOCKET_PROTOCOL_MAX) {
		EXPECT(!sockparse_text(&t, way - SOCKET_PROTOCOL_MAX, text));
	} else {
		read_stat(text, size - 1);
	}
	check_table(&t, size);
	free(text);
	return 0;
}
