/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A module is one executable file (or the vdso, or a JIT's anonymous code) that some traced
 * process has mapped. Its id names it in every recorded frame, so stacks survive dlclose, exec and
 * the end of the process. The file is held open: it can be read after the process has gone, and it
 * is the very file that is mapped even when the path now names another.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "base/vec.h"

#define BUILD_ID_MAX 20

struct module {
	uint32_t id;
	char *path; /* as the target sees it: "/usr/lib/libc.so.6", "[vdso]" */
	char *root; /* the target's root as we reach it: "/proc/PID/root", or "" when it is ours */
	int fd;	    /* open for reading; a memfd for the vdso */
	uint8_t build_id[BUILD_ID_MAX];
	unsigned int build_id_len; /* 0: none */
};
