/* SPDX-License-Identifier: Apache-2.0 */
/* Files as a traced process names them, opened without trusting what is there. */
#pragma once

/*
 * Opens the regular file `path` (absolute) for reading inside `root`, "/proc/PID/root" or "" for
 * our own. Symbolic links are followed as the process would follow them and never lead out of the
 * root; a FIFO or device is refused without waiting on it. Returns a descriptor or a negative errno
 * (-ENOENT also for what is not a regular file).
 */
int rootfile_open(const char *root, const char *path);
/* The path below `root` of the file behind `fd` with all links resolved, owned by the caller. 0,
 * -ENOENT when it has none, or -ENOMEM. */
int rootfile_path(const char *root, int fd, char **ret);
