// SPDX-License-Identifier: Apache-2.0
#include "proc/procfs.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include "base/cleanup.h"
#include "base/strbuf.h"

int procfs_read(pid_t pid, const char *name, char **ret, size_t *ret_size)
{
	struct strbuf b = { 0 };
	char path[64], buf[16384];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		strbuf_add(&b, buf, (size_t)n);
	if (n < 0) {
		strbuf_deinit(&b);
		return -errno;
	}
	if (ret_size)
		*ret_size = b.n;
	*ret = strbuf_steal(&b);
	return *ret ? 0 : -ENOMEM;
}

int procfs_readlink(pid_t pid, const char *name, char **ret)
{
	char path[64], target[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	*ret = strndup(target, (size_t)n);
	return *ret ? 0 : -ENOMEM;
}

int procfs_status(pid_t pid, const char *field, uint64_t *ret)
{
	_cleanup_free_ char *text = NULL;
	size_t len = strlen(field);
	int r = procfs_read(pid, "status", &text, NULL);

	if (r)
		return r;
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, field, len) && line[len] == ':') {
			*ret = strtoull(line + len + 1, NULL, 10);
			return 0;
		}
	}
	return -ENOENT;
}

uint64_t procfs_inner_id(const char *status)
{
	const char *line = strstr(status, "\nNSpid:"), *last;

	if (!line)
		return 0;
	line++;
	last = line + strcspn(line, "\n");
	while (last > line && last[-1] >= '0' && last[-1] <= '9')
		last--;
	return strtoull(last, NULL, 10);
}

/* Numbers in /proc/PID/stat, counted from the state on, which is 1. */
#define STAT_UTIME 12
#define STAT_STIME 13
#define STAT_START 20

static int stat_number(const char *text, unsigned int field, uint64_t *ret)
{
	const char *at = strrchr(text, ')'); /* the name itself may hold anything */

	for (unsigned int i = 0; at && i < field; i++)
		at = strchr(at + 1, ' ');
	return at && sscanf(at, "%" SCNu64, ret) == 1 ? 0 : -EIO;
}

/* In ticks, of 10 ms mostly. */
static int cpu_ns_of_stat(pid_t pid, uint64_t *ret)
{
	_cleanup_free_ char *text = NULL;
	uint64_t utime = 0, stime = 0;
	int r = procfs_read(pid, "stat", &text, NULL);

	if (!r)
		r = stat_number(text, STAT_UTIME, &utime);
	if (!r)
		r = stat_number(text, STAT_STIME, &stime);
	if (!r)
		*ret = (utime + stime) * (1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK));
	return r;
}

int procfs_start_ticks(pid_t pid, uint64_t *ret)
{
	_cleanup_free_ char *text = NULL;
	int r = procfs_read(pid, "stat", &text, NULL);

	return r ? r : stat_number(text, STAT_START, ret);
}

int procfs_cpu_ns(pid_t pid, uint64_t *ret)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		return cpu_ns_of_stat(pid, ret);
	*ret = (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
	return 0;
}
