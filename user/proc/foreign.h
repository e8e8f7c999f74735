/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one way to open a file that a traced process has a say in: what it has mapped, its program, and files
 * that these name. The rules, whoever asks:
 *
 *  - A path is resolved as the process would, inside its root; links never lead out of it, nor through
 *    /proc/PID/fd and its like.
 *  - Nothing is opened before it is known to be a regular file: opening a device, a FIFO or a file of
 *    procfs or sysfs may already do something. (O_PATH, fstat, then /proc/self/fd/N.)
 *  - Not a file of the kernel's own file systems, whose contents are made by being read.
 *  - Without waiting: not for whoever holds a lease (fcntl(2), F_SETLEASE).
 *
 * What cannot be excluded is that a file system (FUSE, a network's) does not answer. So leaktrace itself
 * calls these by way of the opener (opener.h), a helper that can be given up.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include "proc/maps.h"

/*
 * All return a descriptor to read from, or a negative errno: -ENOENT also for what is no regular file,
 * -EAGAIN when somebody holds a lease on it.
 */

/* The file behind a mapping of the process; by its path only where /proc/PID/map_files does not tell, and
 * then only when it still is the very file. */
int foreign_open_mapping(pid_t pid, const struct map_entry *map);
/* The program that the process runs. */
int foreign_open_program(pid_t pid);
/* The file `path` (absolute) inside `root`: "/proc/PID/root", or "" for our own. */
int foreign_open_path(const char *root, const char *path);

/* Device and inode of what a link of the kernel's, as /proc/PID/exe, leads to, without asking a file system
 * that may not answer. 0 or a negative errno. */
int foreign_identity(const char *link, uint64_t *ret_dev, uint64_t *ret_ino);
/* Whether reading from the file may take forever: it is not on one of the disks' own file systems. */
bool foreign_is_slow(int fd);
/* Whether the file belongs to root or to `owner`: others than they have no business to say what the code of
 * a program is called. */
bool foreign_is_owned(const struct stat *st, uid_t owner);
/* The path below `root` of the file behind `fd` with all links resolved, owned by the caller. 0,
 * -ENOENT when it has none, or -ENOMEM. */
int foreign_path_of(const char *root, int fd, char **ret);
