/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of what a host has of control groups, processes and container runtimes, in a folder of its own: in memory,
 * since some tests make thousands. */
#pragma once
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"

#define ID_A "3f4c8b1d5e6a7980c1d2e3f405162738495a6b7c8d9eafb0c1d2e3f405162738"
#define ID_B "b00000000000000000000000000000000000000000000000000000000000000b"
#define ID_C "c00000000000000000000000000000000000000000000000000000000000000c"

struct fixture {
	char root[64];
};

static inline struct fixture fixture_make(void)
{
	struct fixture f = { "/dev/shm/leaktrace-host.XXXXXX" };

	if (!mkdtemp(f.root))
		abort();
	return f;
}

static inline int fixture_unlink(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static inline void fixture_remove(struct fixture *f)
{
	nftw(f->root, fixture_unlink, 32, FTW_DEPTH | FTW_PHYS);
}

static inline void fixture_path(const struct fixture *f, const char *path, char ret[PATH_MAX])
{
	if (snprintf(ret, PATH_MAX, "%s%s", f->root, path) >= PATH_MAX)
		abort();
}

/* With the folders above it. */
static inline void fixture_folder(const struct fixture *f, const char *path)
{
	char full[PATH_MAX];

	fixture_path(f, path, full);
	for (char *slash = full + strlen(f->root) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		mkdir(full, 0755);
	}
	mkdir(full, 0755);
}

static inline void fixture_put_bytes(const struct fixture *f, const char *path, const void *bytes, size_t n)
{
	char folder[PATH_MAX - 64], full[PATH_MAX];
	FILE *out;

	snprintf(folder, sizeof(folder), "%s", path);
	*strrchr(folder, '/') = '\0';
	fixture_folder(f, folder);
	fixture_path(f, path, full);
	out = fopen(full, "we");
	if (!out || fwrite(bytes, 1, n, out) != n || fclose(out))
		abort();
}

static inline void fixture_put(const struct fixture *f, const char *path, const char *text)
{
	fixture_put_bytes(f, path, text, strlen(text));
}

/* A process with its /proc/PID/cgroup, begun at `start`. */
static inline void fixture_process(const struct fixture *f, int pid, int ppid, int start, const char *cgroup)
{
	char path[64], stat[256];

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	fixture_put(f, path, cgroup);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	snprintf(stat, sizeof(stat), "%d (a) b) S %d 1 1 0 -1 4194560 89 0 0 0 0 0 0 0 20 0 1 0 %d 2322432 332\n", pid,
		 ppid, start);
	fixture_put(f, path, stat);
}

/* -- hosts -------------------------------------------------------------------------------------- */

#define MOUNT(dir, rest) "30 20 0:25 / " dir " rw,nosuid shared:4 - " rest "\n"

/* As systemd has it today. */
static inline void fixture_v2(const struct fixture *f)
{
	fixture_put(f, "/proc/self/cgroup", "0::/user.slice\n");
	fixture_put(f, "/proc/self/mountinfo",
		    MOUNT("/", "ext4 /dev/vda1 rw") MOUNT("/sys/fs/cgroup", "cgroup2 cgroup2 rw,nsdelegate"));
}

static const char fixture_v1_mounts[] =
	MOUNT("/", "ext4 /dev/vda1 rw") MOUNT("/sys/fs/cgroup", "tmpfs tmpfs rw,mode=755")
	MOUNT("/sys/fs/cgroup/cpu,cpuacct", "cgroup cgroup rw,cpu,cpuacct")
	MOUNT("/sys/fs/cgroup/memory", "cgroup cgroup rw,memory")
	MOUNT("/sys/fs/cgroup/systemd", "cgroup cgroup rw,xattr,name=systemd");

static inline void fixture_v1(const struct fixture *f)
{
	fixture_put(f, "/proc/self/cgroup", "3:cpu,cpuacct:/\n2:memory:/\n1:name=systemd:/\n");
	fixture_put(f, "/proc/self/mountinfo", fixture_v1_mounts);
}

static inline void fixture_hybrid(const struct fixture *f)
{
	char mounts[2048];

	snprintf(mounts, sizeof(mounts), "%s%s", fixture_v1_mounts,
		 MOUNT("/sys/fs/cgroup/unified", "cgroup2 cgroup2 rw"));
	fixture_put(f, "/proc/self/cgroup", "3:cpu,cpuacct:/\n2:memory:/\n1:name=systemd:/\n0::/\n");
	fixture_put(f, "/proc/self/mountinfo", mounts);
}
