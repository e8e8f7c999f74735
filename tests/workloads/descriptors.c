// SPDX-License-Identifier: Apache-2.0
/* Every way to get a descriptor and to lose one. What this system refuses is left out. */
#include <linux/bpf.h>
#include <linux/close_range.h>
#include <linux/perf_event.h>
#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include "held.h"

#define MAKES_MAX 3 /* descriptors by one call */

/* One way to get descriptors: how many there are then in `fd`; 0: the system refuses. */
typedef int make_fn(int *fd);

#define MAKER(name)                                                                                \
	static make_fn *name##_maker __attribute__((section("makers"), used)) = name;
extern make_fn *__start_makers[], *__stop_makers[];

#define OPENS(name, via, ...)                                                                      \
	HELD(held_##name, "fd", name, via);                                                        \
	static NOINLINE int name(int *fd)                                                          \
	{                                                                                          \
		fd[0] = (int)(__VA_ARGS__);                                                        \
		return took_fd(&held_##name, fd[0]);                                               \
	}                                                                                          \
	MAKER(name)

#define OPENS_PAIR(name, via, ...)                                                                 \
	HELD(held_##name, "fd", name, via);                                                        \
	static NOINLINE int name(int *fd)                                                          \
	{                                                                                          \
		if (__VA_ARGS__)                                                                   \
			return 0;                                                                  \
		took_fd(&held_##name, fd[0]);                                                      \
		took_fd(&held_##name, fd[1]);                                                      \
		return 2;                                                                          \
	}                                                                                          \
	MAKER(name)

#define NULL_FILE "/dev/null"
#define SYSCALL(x) "syscall|" x

/* Numbers far from those that the kernel chooses, for each thread its own. */
#define RANGE	    64
#define RANGE_START 8192
static __thread int range;

/* -- files -------------------------------------------------------------------------------------- */
struct how {
	uint64_t flags, mode, resolve;
};
static const struct how how_readonly = { O_RDONLY, 0, 0 };
static char scratch[] = "/tmp/leaktrace-descriptors-XXXXXX";
static char scratch_file[sizeof(scratch) + 8];

OPENS(by_open, "open|open64", open(NULL_FILE, O_RDONLY))
OPENS(by_open_cloexec, "open|open64", open(NULL_FILE, O_RDONLY | O_CLOEXEC))
OPENS(by_openat, "openat|openat64", openat(AT_FDCWD, NULL_FILE, O_RDONLY))
OPENS(by_tmpfile, "open|open64", open(scratch, O_TMPFILE | O_RDWR, 0600))
OPENS(by_creat, "creat|creat64", creat(scratch_file, 0600))
OPENS(by_sys_open, SYSCALL("open"), syscall(SYS_open, NULL_FILE, O_RDONLY))
OPENS(by_sys_openat, SYSCALL("openat"), syscall(SYS_openat, AT_FDCWD, NULL_FILE, O_RDONLY))
OPENS(by_sys_creat, SYSCALL("creat"), syscall(SYS_creat, scratch_file, 0600))
OPENS(by_sys_openat2, SYSCALL("openat2"),
      syscall(SYS_openat2, AT_FDCWD, NULL_FILE, &how_readonly, sizeof(how_readonly)))
OPENS(by_posix_openpt, "posix_openpt|open", /* which it jumps to */
      posix_openpt(O_RDWR | O_NOCTTY))
OPENS(by_memfd, "memfd_create", memfd_create("memory", 0))
OPENS(by_memfd_secret, SYSCALL("memfd_secret"), syscall(447, 0))

static struct {
	struct file_handle handle;
	unsigned char room[MAX_HANDLE_SZ];
} handle;
static int handle_mount;

OPENS(by_handle, "open_by_handle_at", open_by_handle_at(handle_mount, &handle.handle, O_RDONLY))

/* mkstemp jumps into its own parts: its name may be lost. */
HELD(held_by_mkstemp, "fd", by_mkstemp, "mkstemp|mkstemp64|open");
static NOINLINE int by_mkstemp(int *fd)
{
	char path[] = "/tmp/leaktrace-descriptors-XXXXXX";

	fd[0] = mkstemp(path);
	if (!took_fd(&held_by_mkstemp, fd[0]))
		return 0;
	unlink(path);
	return 1;
}
MAKER(by_mkstemp)

HELD(held_by_shm, "fd", by_shm_open, "shm_open");
static NOINLINE int by_shm_open(int *fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/leaktrace-%d-%ld", getpid(), syscall(SYS_gettid));
	fd[0] = shm_open(path, O_RDWR | O_CREAT, 0600);
	if (!took_fd(&held_by_shm, fd[0]))
		return 0;
	shm_unlink(path);
	return 1;
}
MAKER(by_shm_open)

HELD(held_by_mq, "fd", by_mq_open, "mq_open");
static NOINLINE int by_mq_open(int *fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/leaktrace-%d-%ld", getpid(), syscall(SYS_gettid));
	fd[0] = mq_open(path, O_RDWR | O_CREAT, 0600, NULL);
	if (!took_fd(&held_by_mq, fd[0]))
		return 0;
	mq_unlink(path);
	return 1;
}
MAKER(by_mq_open)

/* -- sockets, pipes ----------------------------------------------------------------------------- */
OPENS(by_socket, "socket", socket(AF_INET, SOCK_STREAM, 0))
OPENS(by_socket_unix, "socket", socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0))
OPENS(by_socket_netlink, "socket", socket(AF_NETLINK, SOCK_RAW, 0))
OPENS(by_sys_socket, SYSCALL("socket"), syscall(SYS_socket, AF_INET6, SOCK_DGRAM, 0))
OPENS_PAIR(by_socketpair, "socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
OPENS_PAIR(by_sys_socketpair, SYSCALL("socketpair"),
	   syscall(SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, fd))
OPENS_PAIR(by_pipe, "pipe", pipe(fd))
OPENS_PAIR(by_pipe2, "pipe2", pipe2(fd, O_NONBLOCK | O_CLOEXEC))
OPENS_PAIR(by_sys_pipe, SYSCALL("pipe"), syscall(SYS_pipe, fd))

/* Every thread has a listener of its own, and its clients never wait. */
static __thread int listener = -1;
static __thread struct sockaddr_un {
	unsigned short family;
	char path[14];
} address;

HELD(held_listener, "fd", make_listener, "socket");
static NOINLINE void make_listener(void)
{
	socklen_t n = sizeof(address);

	address.family = AF_UNIX;
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	took_fd(&held_listener, listener);
	/* the kernel chooses an abstract name */
	expect(!bind(listener, (void *)&address, sizeof(address.family)), "bind failed");
	expect(!getsockname(listener, (void *)&address, &n), "getsockname failed");
	expect(n <= sizeof(address), "a long name");
	expect(!listen(listener, 16), "listen failed");
	expect(n == sizeof(address.family) + 6, "an abstract name has another length");
}

HELD(held_client, "fd", make_client, "socket");
static NOINLINE void make_client(int *fd)
{
	*fd = socket(AF_UNIX, SOCK_STREAM, 0);
	took_fd(&held_client, *fd);
	expect(!connect(*fd, (void *)&address, sizeof(address.family) + 6), "connect failed");
}

#define ACCEPTS(name, via, ...)                                                                    \
	HELD(held_##name, "fd", name, via);                                                        \
	static NOINLINE int name(int *fd)                                                          \
	{                                                                                          \
		make_client(&fd[0]);                                                               \
		fd[1] = (int)(__VA_ARGS__);                                                        \
		expect(took_fd(&held_##name, fd[1]), #name " failed");                             \
		return 2;                                                                          \
	}                                                                                          \
	MAKER(name)

ACCEPTS(by_accept, "accept", accept(listener, NULL, NULL))
ACCEPTS(by_accept4, "accept4", accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC))
ACCEPTS(by_sys_accept, SYSCALL("accept"), syscall(SYS_accept, listener, NULL, NULL))
ACCEPTS(by_sys_accept4, SYSCALL("accept4"), syscall(SYS_accept4, listener, NULL, NULL, 0))

/* -- descriptors in messages -------------------------------------------------------------------- */
static __thread int post[2] = { -1, -1 };

HELD(held_post, "fd", make_post, "socketpair");
static NOINLINE void make_post(void)
{
	expect(!socketpair(AF_UNIX, SOCK_DGRAM, 0, post), "socketpair failed");
	took_fd(&held_post, post[0]);
	took_fd(&held_post, post[1]);
}

struct envelope {
	char byte;
	struct iovec iov;
	struct mmsghdr message;
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(MAKES_MAX * sizeof(int))];
	} control;
};

static void envelope_init(struct envelope *e, int n)
{
	memset(e, 0, sizeof(*e));
	e->iov = (struct iovec){ &e->byte, 1 };
	e->message.msg_hdr.msg_iov = &e->iov;
	e->message.msg_hdr.msg_iovlen = 1;
	e->message.msg_hdr.msg_control = &e->control;
	e->message.msg_hdr.msg_controllen = CMSG_LEN((size_t)n * sizeof(int));
}

/* Sends stdin's descriptor that many times. */
static void send_fds(int n)
{
	const int fds[MAKES_MAX] = { 0, 0, 0 };
	struct envelope e;

	envelope_init(&e, n);
	e.control.header.cmsg_level = SOL_SOCKET;
	e.control.header.cmsg_type = SCM_RIGHTS;
	e.control.header.cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	memcpy(CMSG_DATA(&e.control.header), fds, (size_t)n * sizeof(int));
	expect(sendmsg(post[0], &e.message.msg_hdr, 0) == 1, "sendmsg failed");
}

/* SENT are on their way, there is room for ROOM of them, so many are taken. */
#define RECEIVES(name, via, sent, space, received, ...)                                            \
	HELD(held_##name, "fd", name, via);                                                        \
	static NOINLINE int name(int *fd)                                                          \
	{                                                                                          \
		struct envelope e;                                                                 \
                                                                                                   \
		send_fds(sent);                                                                    \
		envelope_init(&e, space);                                                          \
		expect((__VA_ARGS__) == 1, #name " failed");                                       \
		memcpy(fd, CMSG_DATA(&e.control.header), (received) * sizeof(int));                \
		for (int i = 0; i < (received); i++)                                               \
			took_fd(&held_##name, fd[i]);                                              \
		return received;                                                                   \
	}                                                                                          \
	MAKER(name)

RECEIVES(by_recvmsg, "recvmsg", 1, 1, 1, recvmsg(post[1], &e.message.msg_hdr, 0))
RECEIVES(by_recvmsg_three, "recvmsg", 3, 3, 3,
	 recvmsg(post[1], &e.message.msg_hdr, MSG_CMSG_CLOEXEC))
RECEIVES(by_recvmsg_cut, "recvmsg", 3, 2, 2, recvmsg(post[1], &e.message.msg_hdr, 0))
RECEIVES(by_recvmmsg, "recvmmsg", 2, 2, 2, recvmmsg(post[1], &e.message, 1, 0, NULL))
RECEIVES(by_sys_recvmsg, SYSCALL("recvmsg"), 2, 3, 2,
	 syscall(SYS_recvmsg, post[1], &e.message.msg_hdr, 0))

/* -- copies ------------------------------------------------------------------------------------- */
OPENS(by_dup, "dup", dup(0))
OPENS(by_sys_dup, SYSCALL("dup"), syscall(SYS_dup, 0))
OPENS(by_dupfd, "fcntl|fcntl64", fcntl(0, F_DUPFD, 3))
OPENS(by_dupfd_cloexec, "fcntl|fcntl64", fcntl(0, F_DUPFD_CLOEXEC, RANGE_START / 2))

/* To a number that is free; dup2 to itself gets none. */
#define DUPLICATES(name, via, at, ...)                                                             \
	HELD(held_##name, "fd", name, via);                                                        \
	static NOINLINE int name(int *fd)                                                          \
	{                                                                                          \
		int to = range + (at), i;                                                          \
                                                                                                   \
		for (i = 0; i < 8 && descriptors[to].held; i++)                                    \
			to++;                                                                      \
		expect(i < 8, "no number is free");                                                \
		fd[0] = (int)(__VA_ARGS__);                                                        \
		expect(dup2(to, to) == to, "dup2 to itself failed");                               \
		return took_fd(&held_##name, fd[0]);                                               \
	}                                                                                          \
	MAKER(name)

DUPLICATES(by_dup2, "dup2", 0, dup2(0, to))
DUPLICATES(by_dup3, "dup3", 8, dup3(0, to, O_CLOEXEC))
DUPLICATES(by_sys_dup2, SYSCALL("dup2"), 16, syscall(SYS_dup2, 0, to))
DUPLICATES(by_sys_dup3, SYSCALL("dup3"), 24, syscall(SYS_dup3, 0, to, 0))

/* -- what the kernel makes ---------------------------------------------------------------------- */
static struct perf_event_attr perf = {
	.type = PERF_TYPE_SOFTWARE,
	.size = sizeof(perf),
	.config = PERF_COUNT_SW_DUMMY,
};
static union bpf_attr map = {
	.map_type = BPF_MAP_TYPE_ARRAY,
	.key_size = 4,
	.value_size = 4,
	.max_entries = 1,
};

OPENS(by_eventfd, "eventfd", eventfd(0, EFD_CLOEXEC))
OPENS(by_sys_eventfd, SYSCALL("eventfd"), syscall(SYS_eventfd, 0))
OPENS(by_sys_eventfd2, SYSCALL("eventfd2"), syscall(SYS_eventfd2, 0, 0))
OPENS(by_epoll_create, "epoll_create", epoll_create(1))
OPENS(by_epoll_create1, "epoll_create1", epoll_create1(0))
OPENS(by_timerfd, "timerfd_create", timerfd_create(CLOCK_MONOTONIC, 0))
OPENS(by_inotify_init, "inotify_init", inotify_init())
OPENS(by_inotify_init1, "inotify_init1", inotify_init1(IN_CLOEXEC))
OPENS(by_fanotify, "fanotify_init", fanotify_init(FAN_CLASS_NOTIF, O_RDONLY))
OPENS(by_userfaultfd, SYSCALL("userfaultfd"), syscall(SYS_userfaultfd, O_CLOEXEC))
OPENS(by_perf, SYSCALL("perf_event_open"), syscall(SYS_perf_event_open, &perf, 0, -1, -1, 0UL))
OPENS(by_bpf, SYSCALL("bpf"), syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof(map)))
OPENS(by_pidfd_open, SYSCALL("pidfd_open"), syscall(SYS_pidfd_open, getpid(), 0))
OPENS(by_fsopen, SYSCALL("fsopen"), syscall(SYS_fsopen, "tmpfs", 0))

HELD(held_by_signalfd, "fd", by_signalfd, "signalfd");
static NOINLINE int by_signalfd(int *fd)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	fd[0] = signalfd(-1, &set, SFD_CLOEXEC);
	expect(took_fd(&held_by_signalfd, fd[0]), "signalfd failed");
	sigaddset(&set, SIGURG);
	expect(signalfd(fd[0], &set, 0) == fd[0], "signalfd of one that is there failed");
	return 1;
}
MAKER(by_signalfd)

HELD(held_by_sys_signalfd, "fd", by_sys_signalfd, SYSCALL("signalfd"));
static NOINLINE int by_sys_signalfd(int *fd)
{
	uint64_t set = 1UL << (SIGUSR2 - 1);

	fd[0] = (int)syscall(SYS_signalfd, -1, &set, sizeof(set));
	return took_fd(&held_by_sys_signalfd, fd[0]);
}
MAKER(by_sys_signalfd)

HELD(held_by_io_uring, "fd", by_io_uring, SYSCALL("io_uring_setup"));
static NOINLINE int by_io_uring(int *fd)
{
	char parameters[120] = { 0 };

	fd[0] = (int)syscall(SYS_io_uring_setup, 1, parameters);
	return took_fd(&held_by_io_uring, fd[0]);
}
MAKER(by_io_uring)

HELD(held_by_pidfd_getfd, "fd", by_pidfd_getfd, SYSCALL("pidfd_getfd"));
static NOINLINE int by_pidfd_getfd(int *fd)
{
	if (!by_pidfd_open(&fd[0]))
		return 0;
	fd[1] = (int)syscall(SYS_pidfd_getfd, fd[0], 0, 0);
	return 1 + took_fd(&held_by_pidfd_getfd, fd[1]);
}
MAKER(by_pidfd_getfd)

/* -- streams ------------------------------------------------------------------------------------ */
HELD(held_by_fopen, "fd", by_fopen, "fopen|fopen64");
static NOINLINE FILE *by_fopen(void)
{
	FILE *f = fopen(NULL_FILE, "re");

	expect(f && took_fd(&held_by_fopen, fileno(f)), "fopen failed");
	return f;
}

/* glibc opens the file, copies it to the number that the stream has, and closes it. */
HELD(held_by_freopen, "fd", by_freopen, "freopen|freopen64");
static NOINLINE FILE *by_freopen(void)
{
	FILE *f = by_fopen();

	losing_fd(fileno(f));
	f = freopen(NULL_FILE, "r", f);
	expect(f && took_fd(&held_by_freopen, fileno(f)), "freopen failed");
	held_got(&held_by_freopen);
	held_gave(&held_by_freopen);
	return f;
}

HELD(held_by_opendir, "fd", by_opendir, "opendir");
static NOINLINE DIR *by_opendir(void)
{
	DIR *d = opendir("/tmp");

	expect(d && took_fd(&held_by_opendir, dirfd(d)), "opendir failed");
	return d;
}

/* Two, of which the child's is closed again at once. */
HELD(held_by_popen, "fd", by_popen, "popen");
static NOINLINE FILE *by_popen(void)
{
	FILE *f = popen("exit 0", "r");

	expect(f && took_fd(&held_by_popen, fileno(f)), "popen failed");
	held_got(&held_by_popen);
	held_gave(&held_by_popen);
	return f;
}

static void streams(void)
{
	for (int i = 0; i < 7; i++) {
		FILE *f = i & 1 ? by_freopen() : by_fopen();
		DIR *d = by_opendir();

		if (i < 4) {
			losing_fd(fileno(f));
			fclose(f);
		}
		if (i < 2) {
			losing_fd(dirfd(d));
			closedir(d);
		}
	}
	for (int i = 0; i < 5; i++) {
		FILE *f = by_popen();

		if (i < 2) {
			losing_fd(fileno(f));
			pclose(f);
		}
	}
}

/* -- losing them -------------------------------------------------------------------------------- */
static void lose_by_close(int fd)
{
	close(losing_fd(fd));
}

static void lose_by_sys_close(int fd)
{
	syscall(SYS_close, losing_fd(fd));
}

static void lose_by_close_range(int fd)
{
	losing_fd(fd);
	if (close_range((unsigned int)fd, (unsigned int)fd, 0))
		close(fd);
}

static void lose_by_fclose(int fd)
{
	FILE *f = fdopen(fd, "r");

	losing_fd(fd);
	if (f)
		fclose(f);
	else
		close(fd);
}

HELD(held_over_dup2, "fd", over_dup2, "dup2");
static NOINLINE void over_dup2(int fd)
{
	losing_fd(fd);
	took_fd(&held_over_dup2, dup2(0, fd));
}

HELD(held_over_dup3, "fd", over_dup3, "dup3");
static NOINLINE void over_dup3(int fd)
{
	losing_fd(fd);
	took_fd(&held_over_dup3, dup3(0, fd, O_CLOEXEC));
}

/* What fails loses nothing and gets nothing. */
static void lose_by_nothing(int fd)
{
	expect(close(-1) < 0 && dup2(-1, fd) < 0 && dup3(fd, fd, 0) < 0, "it did not fail");
	expect(open("/nowhere/at/all", O_RDONLY) < 0 && fcntl(fd, F_DUPFD, -1) < 0, "it opened");
	expect(close_range(2, 1, 0) < 0, "an empty range was closed");
}

HELD(held_into_range, "fd", into_range, "fcntl|fcntl64");
static NOINLINE int into_range(void)
{
	int fd = fcntl(0, F_DUPFD, range + 32);

	took_fd(&held_into_range, fd);
	return fd;
}

/* Several at once, with gaps between them. */
static void ranges(void)
{
	unsigned int first = (unsigned int)range + 33, last = first + 16;

	for (int i = 0; i < 23; i++)
		expect(into_range() == range + 32 + i, "a number is taken");
	lose_by_close(range + 36);
	lose_by_close(range + 37);
	for (unsigned int fd = first; fd <= last; fd++)
		if (descriptors[fd].held)
			losing_fd((int)fd);
	if (close_range(first, last, 0))
		for (unsigned int fd = first; fd <= last; fd++)
			close((int)fd);
}

/* -- all of it ---------------------------------------------------------------------------------- */
static void work(int thread)
{
	static void (*const lose[])(int fd) = { lose_by_close,	lose_by_nothing, lose_by_sys_close,
						lose_by_nothing, over_dup2,	 lose_by_close_range,
						lose_by_nothing, over_dup3,	 lose_by_fclose };
	static const int times[] = { 2, 3, 5 };
	const size_t n_lose = sizeof(lose) / sizeof(lose[0]);
	size_t next = (size_t)thread;
	int fd[MAKES_MAX], n, kind = 0;

	range = RANGE_START + thread * RANGE;
	expect(range + RANGE <= FDS_MAX, "too many threads");
	make_listener();
	make_post();
	ranges();
	streams();
	for (make_fn **make = __start_makers; make < __stop_makers; make++) {
		for (int i = times[kind++ % 3]; i; i--) {
			n = (*make)(fd);
			for (int k = i == 1; k < n; k++) /* one is kept */
				lose[next++ % n_lose](fd[k]);
		}
	}
}

static void prepare(void)
{
	handle.handle.handle_bytes = MAX_HANDLE_SZ;
	expect(mkdtemp(scratch) != NULL, "mkdtemp failed");
	snprintf(scratch_file, sizeof(scratch_file), "%s/file", scratch);
	close(open(scratch_file, O_CREAT | O_WRONLY, 0600));
	handle_mount = open(scratch, O_RDONLY | O_DIRECTORY);
	if (name_to_handle_at(AT_FDCWD, scratch_file, &handle.handle, &(int){ 0 }, 0))
		handle_mount = -1;
	fds_prepare();
}

static void finish(void)
{
	unlink(scratch_file);
	rmdir(scratch);
	fds_finish();
}

int main(int argc, char **argv)
{
	struct workload_parts parts = { prepare, work, finish };

	return workload_run_parts(argc, argv, parts);
}
