/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A module is one executable file (or the vdso, or a JIT's anonymous code) that some traced
 * process has mapped. Its id names it in every recorded frame, so stacks survive dlclose, exec and
 * the end of the process. The file is kept: it can be read after the process has gone, and it is the
 * very file that was mapped even when the path now names another. No descriptor is held for that,
 * of which there may be few: a page of the file is mapped (and never touched), through which
 * /proc/self/map_files opens it again.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/vec.h"

#define BUILD_ID_MAX 20

/* Which file it is, by what stat() tells; all zero: the vdso. */
struct module_identity {
	uint64_t dev, ino, size;
	int64_t mtime_s, mtime_ns;
};

struct module {
	uint32_t id;
	char *path;  /* as the target sees it: "/usr/lib/libc.so.6", "[vdso]" */
	char *root;  /* the target's root as we reach it: "/proc/PID/root", or "" when it is ours */
	void *kept;  /* the page; NULL: `fd` serves */
	int fd;	     /* where no page can be mapped, or it could not be opened through one; else -1 */
	int copy;    /* of a file on a file system that may not answer: read instead of it; else -1 */
	struct module_identity identity;
	uint8_t build_id[BUILD_ID_MAX];
	unsigned int build_id_len; /* 0: none */
};

/* A descriptor to read the module's file from, the caller's to close; or a negative errno. */
int module_open(const struct module *m);
/* The same of the very file, for probes: it is read by the kernel only. */
int module_open_for_probes(const struct module *m);
