// SPDX-License-Identifier: Apache-2.0
/* The rules of opening, each tried with what they are there for. Needs to be root for some of it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "proc/foreign.h"
#include "proc/opener.h"

struct fixture {
	char dir[64];
	char root[80]; /* of a process, so to say: a directory in `dir` */
};

static void write_file(const char *path, const char *text)
{
	_cleanup_fclose_ FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char path[256];

	assert_non_null(f);
	strcpy(f->dir, "/tmp/test_foreign.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->root, sizeof(f->root), "%s/root", f->dir);
	assert_int_equal(mkdir(f->root, 0755), 0);
	snprintf(path, sizeof(path), "%s/outside", f->dir);
	write_file(path, "outside");
	snprintf(path, sizeof(path), "%s/inside", f->root);
	write_file(path, "inside");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

/* A link NAME in the root. */
static void link_to(const struct fixture *f, const char *name, const char *target)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", f->root, name);
	assert_int_equal(symlink(target, path), 0);
}

static void check_text(int fd, const char *text)
{
	char buf[32] = "";

	assert_true(fd >= 0);
	assert_true(pread(fd, buf, sizeof(buf) - 1, 0) >= 0);
	assert_string_equal(buf, text);
	close(fd);
}

static void test_links_stay_in_the_root(void **state)
{
	const struct fixture *f = *state;

	link_to(f, "absolute", "/inside");
	link_to(f, "up", "../../../../inside");
	link_to(f, "out", "../outside");
	check_text(foreign_open_path(f->root, "/absolute"), "inside");
	check_text(foreign_open_path(f->root, "/up"), "inside");
	assert_int_equal(foreign_open_path(f->root, "/out"), -ENOENT);
}

static void test_no_magic_links(void **state)
{
	const struct fixture *f = *state;
	_cleanup_close_ int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	char path[64];

	assert_true(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(foreign_open_path("", path), -ELOOP);
	link_to(f, "magic", path);
	assert_true(foreign_open_path(f->root, "/magic") < 0);
}

/* If it were opened it would wait for a writer, or take what is in it. */
static void test_only_regular_files(void **state)
{
	const struct fixture *f = *state;
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	_cleanup_close_ int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char path[256];

	snprintf(path, sizeof(path), "%s/fifo", f->root);
	assert_int_equal(mkfifo(path, 0666), 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/socket", f->root);
	assert_int_equal(bind(s, (struct sockaddr *)&at, sizeof(at)), 0);
	snprintf(path, sizeof(path), "%s/device", f->root);
	assert_int_equal(mknod(path, S_IFCHR | 0666, makedev(5, 2)), 0); /* /dev/ptmx */
	assert_int_equal(foreign_open_path(f->root, "/fifo"), -ENOENT);
	assert_int_equal(foreign_open_path(f->root, "/socket"), -ENOENT);
	assert_int_equal(foreign_open_path(f->root, "/device"), -ENOENT);
	assert_int_equal(foreign_open_path(f->root, "/"), -ENOENT);
	assert_int_equal(foreign_open_path("", "/dev/ptmx"), -ENOENT);
}

static void test_not_the_kernels_own(void **state)
{
	assert_int_equal(foreign_open_path("", "/proc/version"), -ENOENT);
	assert_int_equal(foreign_open_path("", "/proc/kmsg"), -ENOENT);
	assert_int_equal(foreign_open_path("", "/sys/kernel/notes"), -ENOENT);
}

/* The kernel would have us wait for 45 seconds (fs.lease-break-time). */
static void test_no_waiting_for_a_lease(void **state)
{
	const struct fixture *f = *state;
	_cleanup_close_ int fd = -1;
	char path[256];

	signal(SIGIO, SIG_IGN);
	snprintf(path, sizeof(path), "%s/leased", f->root);
	write_file(path, "leased");
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
	assert_int_equal(foreign_open_path(f->root, "/leased"), -EAGAIN);
	assert_int_equal(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
	check_text(foreign_open_path(f->root, "/leased"), "leased");
}

/* A mapping of this process of the file; the caller unmaps it. */
static struct map_entry map_file(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *at;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	return (struct map_entry){
		.start = (uint64_t)(uintptr_t)at, .end = (uint64_t)(uintptr_t)at + 4096,
		.inode = st.st_ino, .dev_major = major(st.st_dev), .dev_minor = minor(st.st_dev),
		.path = path,
	};
}

static void unmap(const struct map_entry *map)
{
	assert_int_equal(munmap((void *)(uintptr_t)map->start, map->end - map->start), 0);
}

static void test_the_file_that_is_mapped(void **state)
{
	const struct fixture *f = *state;
	char path[256], other[256];
	struct map_entry map;

	snprintf(path, sizeof(path), "%s/inside", f->root);
	snprintf(other, sizeof(other), "%s/other", f->root);
	write_file(other, "other");
	map = map_file(path);
	check_text(foreign_open_mapping(getpid(), &map), "inside");
	assert_int_equal(rename(other, path), 0); /* as an upgrade does */
	check_text(foreign_open_mapping(getpid(), &map), "inside");
	unmap(&map);
	assert_int_equal(foreign_open_mapping(getpid(), &map), -ESTALE);
	map = map_file(path);
	unmap(&map);
	check_text(foreign_open_mapping(getpid(), &map), "other");
}

static void test_owners(void **state)
{
	const struct stat roots = { .st_uid = 0 }, users = { .st_uid = 1000 };

	assert_true(foreign_is_owned(&roots, 1000));
	assert_true(foreign_is_owned(&users, 1000));
	assert_false(foreign_is_owned(&users, 1001));
	assert_false(foreign_is_owned(&users, 0));
}

static void test_identity(void **state)
{
	struct stat st;
	uint64_t dev, ino;

	assert_int_equal(stat("/proc/self/exe", &st), 0);
	assert_int_equal(foreign_identity("/proc/self/exe", &dev, &ino), 0);
	assert_int_equal(dev, st.st_dev);
	assert_int_equal(ino, st.st_ino);
	assert_int_equal(foreign_identity("/proc/self/nothing", &dev, &ino), -ENOENT);
}

static void test_opener(void **state)
{
	const struct fixture *f = *state;
	struct opened_file file;
	struct map_entry map;
	struct opener o;
	char path[256];

	snprintf(path, sizeof(path), "%s/inside", f->root);
	map = map_file(path);
	opener_init(&o);
	assert_int_equal(opener_mapping(&o, getpid(), &map, &file), 0);
	assert_int_equal(file.copy, -1);
	check_text(file.fd, "inside");
	unmap(&map);
	map.path = "/nowhere";
	assert_int_equal(opener_mapping(&o, getpid(), &map, &file), -ENOENT);
	assert_int_equal(opener_program(&o, getpid(), &file), 0);
	close(file.fd);
	opener_deinit(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_links_stay_in_the_root, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_magic_links, setup, teardown),
		cmocka_unit_test_setup_teardown(test_only_regular_files, setup, teardown),
		cmocka_unit_test(test_not_the_kernels_own),
		cmocka_unit_test_setup_teardown(test_no_waiting_for_a_lease, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_file_that_is_mapped, setup, teardown),
		cmocka_unit_test(test_owners),
		cmocka_unit_test(test_identity),
		cmocka_unit_test_setup_teardown(test_opener, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
