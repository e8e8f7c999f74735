// SPDX-License-Identifier: Apache-2.0
#include "proc/foreign.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include "base/cleanup.h"
#include "proc/taskdir.h"

/* Of file systems that linux/magic.h does not name. */
#define MAGIC_CONFIGFS	0x62656570
#define MAGIC_MQUEUE	0x19800202
#define MAGIC_FUSECTL	0x65735543
#define MAGIC_RPC_PIPE	0x67596969
#define MAGIC_NFSD	0x6e667364
#define MAGIC_RESCTRL	0x7655821
#define MAGIC_ZFS	0x2fc12fc1
#define MAGIC_BCACHEFS	0xca451a4e
#define MAGIC_EROFS	0xe0f5e1e2
#define MAGIC_UBIFS	0x24051905
#define MAGIC_EXFAT	0x2011bab0

/* What is in these is made by being opened or read, or does something then. */
static const unsigned int kernels_own[] = {
	PROC_SUPER_MAGIC, SYSFS_MAGIC,	   DEBUGFS_MAGIC,    TRACEFS_MAGIC,    SECURITYFS_MAGIC,
	SELINUX_MAGIC,	  SMACK_MAGIC,	   CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, BPF_FS_MAGIC,
	EFIVARFS_MAGIC,	  PSTOREFS_MAGIC,  DEVPTS_SUPER_MAGIC, BINFMTFS_MAGIC, MAGIC_CONFIGFS,
	MAGIC_MQUEUE,	  MAGIC_FUSECTL,   MAGIC_RPC_PIPE,   MAGIC_NFSD,	MAGIC_RESCTRL,
	NSFS_MAGIC,	  AUTOFS_SUPER_MAGIC, SECRETMEM_MAGIC, XENFS_SUPER_MAGIC, OPENPROM_SUPER_MAGIC,
};

/* On a disk or in memory: these answer. */
static const unsigned int local[] = {
	EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC,   BTRFS_SUPER_MAGIC, TMPFS_MAGIC,	   RAMFS_MAGIC,
	OVERLAYFS_SUPER_MAGIC, SQUASHFS_MAGIC, F2FS_SUPER_MAGIC, MAGIC_ZFS,	   MAGIC_BCACHEFS,
	MAGIC_EROFS,	  ISOFS_SUPER_MAGIC, CRAMFS_MAGIC,	REISERFS_SUPER_MAGIC, MSDOS_SUPER_MAGIC,
	MAGIC_EXFAT,	  MAGIC_UBIFS,	     JFFS2_SUPER_MAGIC, UDF_SUPER_MAGIC,   HUGETLBFS_MAGIC,
};

static bool is_among(long type, const unsigned int *magics, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned int)type == magics[i])
			return true;
	return false;
}

/* Opens what `at`, an O_PATH descriptor, stands for. */
static int open_for_reading(int at)
{
	char link[sizeof("/proc/self/fd/") + 3 * sizeof(int)];
	struct statfs fs;
	struct stat st;
	int fd;

	if (fstat(at, &st) || fstatfs(at, &fs))
		return -errno;
	if (!S_ISREG(st.st_mode) || is_among(fs.f_type, kernels_own, ARRAY_SIZE(kernels_own)))
		return -ENOENT;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", at);
	fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

static int find_in_root(const char *root, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	_cleanup_close_ int dir = open(*root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	long at = dir < 0 ? dir : syscall(SYS_openat2, dir, path, &how, sizeof(how));

	return at < 0 ? -errno : (int)at;
}

int foreign_open_path(const char *root, const char *path)
{
	_cleanup_close_ int at = find_in_root(root, path);

	return at < 0 ? at : open_for_reading(at);
}

/* The very file: a link that the kernel made. */
static int open_link(const char *link)
{
	_cleanup_close_ int at = open(link, O_PATH | O_CLOEXEC);

	return at < 0 ? -errno : open_for_reading(at);
}

int foreign_open_program(pid_t pid)
{
	char link[64];

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)task_proc(pid));
	return open_link(link);
}

static bool is_mapped(int at, const struct map_entry *map)
{
	struct stat st;

	return !fstat(at, &st) && st.st_ino == map->inode && major(st.st_dev) == map->dev_major &&
	       minor(st.st_dev) == map->dev_minor;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Whether the open file is not the mapping's, at whose place something else has been mapped meanwhile: by
 * numbers where the file system tells stat() those that the kernel knows the file by (overlayfs and btrfs do
 * not), else by name. */
static bool is_another(int fd, const struct map_entry *map)
{
	char link[32], target[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st))
		return true;
	if (major(st.st_dev) == map->dev_major && minor(st.st_dev) == map->dev_minor)
		return st.st_ino != map->inode;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return true;
	target[n] = '\0';
	return strcmp(last_part(target), last_part(map->path)) != 0;
}

int foreign_open_mapping(pid_t pid, const struct map_entry *map)
{
	_cleanup_close_ int at = -1;
	const int task = (int)task_proc(pid);
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, task, map->start, map->end);
	fd = open_link(path);
	if (fd >= 0 && is_another(fd, map)) {
		close(fd);
		fd = -ENOENT;
	}
	if (fd != -ENOENT && fd != -EPERM && fd != -EACCES)
		return fd;
	snprintf(path, sizeof(path), "/proc/%d/root", task);
	at = find_in_root(path, map->path);
	if (at < 0)
		return at;
	return is_mapped(at, map) ? open_for_reading(at) : -ESTALE;
}

int foreign_identity(const char *link, uint64_t *ret_dev, uint64_t *ret_ino)
{
	struct statx st;

	if (statx(AT_FDCWD, link, AT_STATX_DONT_SYNC, STATX_INO, &st))
		return -errno;
	*ret_dev = makedev(st.stx_dev_major, st.stx_dev_minor);
	*ret_ino = st.stx_ino;
	return 0;
}

bool foreign_is_slow(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) || !is_among(fs.f_type, local, ARRAY_SIZE(local));
}

bool foreign_is_owned(const struct stat *st, uid_t owner)
{
	return !st->st_uid || st->st_uid == owner;
}

static int read_link(const char *path, char ret[PATH_MAX])
{
	const ssize_t n = readlink(path, ret, PATH_MAX);

	if (n <= 0 || n == PATH_MAX || *ret != '/')
		return -ENOENT;
	ret[n] = '\0';
	return 0;
}

int foreign_path_of(const char *root, int fd, char **ret)
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
