// SPDX-License-Identifier: Apache-2.0
#include "app/terminal.h"
#include <fcntl.h>
#include <unistd.h>

bool terminal_open(struct terminal *t)
{
	*t = TERMINAL_NONE;
	t->fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (t->fd >= 0 && tcgetpgrp(t->fd) != getpgrp())
		terminal_close(t);
	return t->fd >= 0;
}

/* From one group to another, if it is the former that has it. SIGTTOU is blocked in all of our threads. */
static bool terminal_pass(const struct terminal *t, pid_t from, pid_t to)
{
	return t->fd >= 0 && t->group && tcgetpgrp(t->fd) == from && !tcsetpgrp(t->fd, to);
}

bool terminal_give(const struct terminal *t)
{
	return terminal_pass(t, getpgrp(), t->group);
}

bool terminal_take(const struct terminal *t)
{
	return terminal_pass(t, t->group, getpgrp());
}

bool terminal_has(const struct terminal *t)
{
	return t->fd >= 0 && t->group && tcgetpgrp(t->fd) == t->group;
}

void terminal_close(struct terminal *t)
{
	if (t->fd >= 0)
		close(t->fd);
	*t = TERMINAL_NONE;
}
