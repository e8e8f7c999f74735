// SPDX-License-Identifier: Apache-2.0
#include "app/outfile.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <unistd.h>
#include "base/clock.h"

#define LOOK_MS	    100
#define PATIENCE_NS 500000000ULL /* with a reader that reads nothing, once we are to end */

static int cannot_write(const struct outfile *f, int r, struct err *e)
{
	return err_set(e, r, "cannot write %s: %s", f->name, strerror(-r));
}

/* -- a file beside ---------------------------------------------------------------------------- */

static void undo_part(uintptr_t path, uint64_t unused)
{
	unlink((const char *)path);
}

/* The name of a new file beside `path`; NULL: out of memory. */
static char *name_beside(const char *path)
{
	_cleanup_free_ char *copy = strdup(path);
	unsigned long long x = clock_now();
	char *name;

	if (getrandom(&x, sizeof(x), GRND_NONBLOCK) < 0)
		x ^= (unsigned long long)getpid() << 32;
	if (!copy || asprintf(&name, "%s/.leaktrace-%016llx", dirname(copy), x) < 0)
		return NULL;
	return name;
}

/* Mode and owner are those of what it is to replace, as far as they may be given. */
static void part_take_over(int fd, const struct stat *old)
{
	mode_t mode = old->st_mode & 07777;

	if (!old->st_mode)
		return;
	if (fchown(fd, old->st_uid, old->st_gid))
		mode &= 0777; /* set-id bits are for their owner only */
	fchmod(fd, mode);
}

/* Opens the file beside; its name is then `f->part`. A descriptor or a negative errno. */
static int part_open(struct outfile *f)
{
	struct undo_list *undo = interrupt_undo(f->interrupt);
	int fd = -1, r;

	f->part = name_beside(f->path);
	if (!f->part)
		return -ENOMEM;
	undo_begin(undo);
	r = undo_add(undo, undo_part, (uintptr_t)f->part, 0);
	if (!r) {
		fd = open(f->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, f->old.st_mode ? 0600 : 0666);
		r = fd < 0 ? -errno : fd;
	}
	if (r < 0)
		undo_drop(undo, undo_part, (uintptr_t)f->part, 0);
	undo_end(undo);
	if (r < 0) {
		free(f->part);
		f->part = NULL;
		return r;
	}
	part_take_over(fd, &f->old);
	return fd;
}

/* What cannot be replaced after all, a mount above all, is written over. */
static int write_over(struct outfile *f)
{
	_cleanup_close_ int from = open(f->part, O_RDONLY | O_CLOEXEC);
	int to = open(f->path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOCTTY);
	ssize_t n = from < 0 || to < 0 ? -1 : 1;

	while (n > 0)
		n = sendfile(to, from, NULL, 1 << 20);
	n = n < 0 ? -errno : 0;
	close(f->fd);
	f->fd = to; /* where later reports go */
	return (int)n;
}

/* Puts it in the place of the file, or takes it away. 0 or a negative errno. */
static int part_end(struct outfile *f, bool replace)
{
	struct undo_list *undo = interrupt_undo(f->interrupt);
	int r = 0;

	undo_begin(undo);
	if (replace && rename(f->part, f->path))
		r = write_over(f);
	unlink(f->part); /* if it still has that name */
	undo_drop(undo, undo_part, (uintptr_t)f->part, 0);
	undo_end(undo);
	free(f->part);
	f->part = NULL;
	return r;
}

/* -- opening ---------------------------------------------------------------------------------- */

static int open_stdout(struct outfile *f, struct err *e)
{
	int flags = fcntl(STDOUT_FILENO, F_GETFL);

	if (flags < 0 || flags & O_PATH || (flags & O_ACCMODE) == O_RDONLY)
		return err_set(e, -EBADF, "standard output is closed: there is nowhere to write to; "
			       "name a file with -o FILE");
	f->fd = STDOUT_FILENO;
	f->shared = true;
	return 0;
}

/* /dev/stdout, and what a shell has opened for us: the descriptor itself goes on where it stands. */
static bool is_open_already(struct outfile *f)
{
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
		struct stat st;

		if (fstat(fd, &st) || st.st_dev != f->old.st_dev || st.st_ino != f->old.st_ino)
			continue;
		f->fd = fd;
		f->shared = true;
		return true;
	}
	return false;
}

static int open_in_place(struct outfile *f, const char *path)
{
	f->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	f->empty_it = S_ISREG(f->old.st_mode);
	return f->fd < 0 ? -errno : 0;
}

/* A link keeps leading to the file. One with several names is to keep them all. */
static bool may_be_replaced(struct outfile *f, const char *path)
{
	if (!S_ISREG(f->old.st_mode) || f->old.st_nlink > 1 || !strncmp(path, "/proc/", 6) ||
	    !strncmp(path, "/dev/", 5))
		return false;
	f->path = realpath(path, NULL);
	return f->path;
}

/* Whether a file can be made beside it. */
static int try_beside(struct outfile *f)
{
	int fd = part_open(f);

	if (fd < 0)
		return fd;
	close(fd);
	return part_end(f, false);
}

static int open_old(struct outfile *f, const char *path)
{
	int r;

	if (is_open_already(f))
		return 0;
	if (!may_be_replaced(f, path))
		return open_in_place(f, path);
	if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS))
		return -errno;
	r = try_beside(f);
	if (!r)
		return 0;
	free(f->path);
	f->path = NULL;
	return r == -ENOMEM ? r : open_in_place(f, path);
}

static int open_new(struct outfile *f, const char *path)
{
	struct stat st;

	if (!lstat(path, &st)) { /* a link that leads nowhere yet */
		f->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
		return f->fd < 0 ? -errno : 0;
	}
	f->path = strdup(path);
	return f->path ? try_beside(f) : -ENOMEM;
}

int outfile_open(const char *path, struct interrupt *interrupt, struct outfile *ret, struct err *e)
{
	struct outfile f = { .name = path ? path : "standard output", .interrupt = interrupt, .fd = -1 };
	int r;

	if (!path)
		r = open_stdout(&f, e);
	else if (!stat(path, &f.old))
		r = open_old(&f, path);
	else
		r = errno == ENOENT ? open_new(&f, path) : -errno;
	if (r) {
		if (path)
			cannot_write(&f, r, e);
		outfile_close(&f, NULL);
		return r;
	}
	*ret = f;
	return 0;
}

int outfile_terminal(const struct outfile *f)
{
	return f->fd >= 0 && isatty(f->fd) ? f->fd : -1;
}

/* -- writing ---------------------------------------------------------------------------------- */

/* Whether there is room for a little. Nobody may ever make it: then leaktrace is to end all the same. */
static int await_room(const struct outfile *f)
{
	struct pollfd p = { .fd = f->fd, .events = POLLOUT };
	uint64_t since_ns = 0;

	for (;;) {
		int r = poll(&p, 1, LOOK_MS);

		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
		if (!interrupt_signal(f->interrupt))
			continue;
		if (since_ns && clock_now() - since_ns >= PATIENCE_NS)
			return -EINTR;
		since_ns = since_ns ? since_ns : clock_now();
	}
}

static ssize_t put(void *cookie, const char *s, size_t n)
{
	struct outfile *f = cookie;
	size_t left = n;

	while (left) {
		size_t some = left < PIPE_BUF ? left : PIPE_BUF; /* for so much there is room */
		int r = await_room(f);
		ssize_t done = r ? -1 : write(f->fd, s, some);

		if (done < 0 && !r && (errno == EINTR || errno == EAGAIN))
			continue;
		if (done < 0) {
			f->error = f->error ? f->error : r ? r : -errno;
			errno = -f->error;
			return 0;
		}
		s += done;
		left -= (size_t)done;
	}
	return (ssize_t)n;
}

int outfile_begin(struct outfile *f, FILE **ret, struct err *e)
{
	const cookie_io_functions_t io = { .write = put };
	int r = 0;

	if (f->path) {
		r = part_open(f);
		if (r < 0)
			return cannot_write(f, r, e);
		f->fd = r;
	} else if (f->empty_it && ftruncate(f->fd, 0)) {
		return cannot_write(f, -errno, e);
	}
	f->empty_it = false;
	f->error = 0;
	f->stream = fopencookie(f, "w", io);
	if (!f->stream)
		return cannot_write(f, -ENOMEM, e);
	*ret = f->stream;
	return 0;
}

int outfile_end(struct outfile *f, int r, struct err *e)
{
	if (fclose(f->stream) && !r)
		r = -EIO;
	f->stream = NULL;
	r = f->error ? f->error : r;
	if (f->part) {
		int replaced = part_end(f, !r);

		r = r ? r : replaced;
		free(f->path);
		f->path = NULL;
	}
	if (r == -EINTR)
		return err_set(e, r, "interrupted: nobody reads %s", f->name);
	return r ? err_set(e, r, "writing %s failed: %s", f->name, strerror(-r)) : 0;
}

int outfile_close(struct outfile *f, struct err *e)
{
	int r = f->fd >= 0 && !f->shared && close(f->fd) ? -errno : 0;

	free(f->path);
	if (r)
		cannot_write(f, r, e);
	*f = OUTFILE_NONE;
	return r;
}
