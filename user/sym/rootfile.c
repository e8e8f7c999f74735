// SPDX-License-Identifier: Apache-2.0
#include "sym/rootfile.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "base/cleanup.h"

#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

static int open_in_root(const char *root, const char *path)
{
	struct open_how how = {
		.flags = OPEN_FLAGS,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	_cleanup_close_ int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return dir < 0 ? dir : (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

int rootfile_open(const char *root, const char *path)
{
	_cleanup_close_ int fd = *root ? open_in_root(root, path) : open(path, OPEN_FLAGS);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	return take_fd(fd);
}

static int read_link(const char *path, char ret[PATH_MAX])
{
	const ssize_t n = readlink(path, ret, PATH_MAX);

	if (n <= 0 || n == PATH_MAX || *ret != '/')
		return -ENOENT;
	ret[n] = '\0';
	return 0;
}

int rootfile_path(const char *root, int fd, char **ret)
{
	char link[sizeof("/proc/self/fd/") + 3 * sizeof(int)], file[PATH_MAX], prefix[PATH_MAX];
	size_t n = 0;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (read_link(link, file))
		return -ENOENT;
	/* a root in a mount namespace of its own is just "/" */
	if (*root && !read_link(root, prefix) && prefix[1])
		n = strlen(prefix);
	if (n && (strncmp(file, prefix, n) || file[n] != '/'))
		return -ENOENT;
	*ret = strdup(file + n);
	return *ret ? 0 : -ENOMEM;
}
