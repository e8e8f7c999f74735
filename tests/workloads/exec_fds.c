// SPDX-License-Identifier: Apache-2.0
/*
 * A process that becomes another program: descriptors with O_CLOEXEC go, the others stay, with their
 * connections and children. Several threads: one that is not the first becomes it.
 */
#include <linux/close_range.h>
#include <sys/socket.h>
#include "held.h"

#define SECOND "second"

HELD(held_open, "fd", opened, "open|open64");
HELD(held_pipe, "fd", piped, "pipe");
HELD(held_dup, "fd", copied, "dup");
HELD(held_cloexec, "fd", opened_cloexec, "open|open64");
HELD(held_pipe_cloexec, "fd", piped_cloexec, "pipe2");
HELD(held_marked, "fd", marked, "dup");
HELD(held_range, "fd", marked_in_range, "fcntl|fcntl64");
HELD(held_pair, "fd", paired, "socketpair");
HELD(held_pair_open, "connection/open", paired, "socketpair");
HELD(held_pair_cloexec, "fd", paired_cloexec, "socketpair");
HELD(held_pair_gone, "connection/open", paired_cloexec, "socketpair");
HELD(held_second, "fd", in_second, "open|open64");
HELD_NET(held_child, "process/zombie", forked, "fork");
HELD_NET(held_running, "process/running", forked, "fork");

static NOINLINE int opened(void)
{
	int fd = open("/dev/null", O_RDONLY);

	took_fd(&held_open, fd);
	return fd;
}

static NOINLINE void piped(void)
{
	int fd[2];

	expect(!pipe(fd), "pipe failed");
	took_fd(&held_pipe, fd[0]);
	took_fd(&held_pipe, fd[1]);
}

static NOINLINE void copied(void)
{
	took_fd(&held_dup, dup(0));
}

static NOINLINE void opened_cloexec(void)
{
	took_fd(&held_cloexec, open("/dev/null", O_RDONLY | O_CLOEXEC));
}

static NOINLINE void piped_cloexec(void)
{
	int fd[2];

	expect(!pipe2(fd, O_CLOEXEC), "pipe2 failed");
	took_fd(&held_pipe_cloexec, fd[0]);
	took_fd(&held_pipe_cloexec, fd[1]);
}

/* The mark comes later; one loses it again and stays. */
static NOINLINE void marked(bool stays)
{
	int fd = dup(0);

	took_fd(&held_marked, fd);
	expect(!fcntl(fd, F_SETFD, FD_CLOEXEC), "F_SETFD failed");
	if (stays)
		expect(!fcntl(fd, F_SETFD, 0), "F_SETFD failed");
}

static NOINLINE int marked_in_range(void)
{
	int fd = fcntl(0, F_DUPFD, 1000);

	took_fd(&held_range, fd);
	return fd;
}

static NOINLINE void paired(void)
{
	int fd[2];

	expect(!socketpair(AF_UNIX, SOCK_STREAM, 0, fd), "socketpair failed");
	for (int i = 0; i < 2; i++) {
		took_socket(&held_pair, fd[i]);
		connected(&held_pair_open, fd[i]);
	}
}

static NOINLINE void paired_cloexec(void)
{
	int fd[2];

	expect(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), "socketpair failed");
	for (int i = 0; i < 2; i++) {
		took_socket(&held_pair_cloexec, fd[i]);
		connected(&held_pair_gone, fd[i]);
	}
}

static NOINLINE void forked(void)
{
	pid_t pid = fork();

	expect(pid >= 0, "fork failed");
	if (!pid)
		_exit(0);
	held_got(&held_running);
	held_gave(&held_running);
	held_got(&held_child);
	await_zombie(pid);
}

/* Returns one that stays. */
static int in_first(void)
{
	int fd = -1, low = FDS_MAX, high = 0;

	for (int i = 0; i < 7; i++) {
		fd = opened();
		opened_cloexec();
	}
	for (int i = 0; i < 5; i++) {
		int n = marked_in_range();

		low = n < low ? n : low;
		high = n > high ? n : high;
		piped();
		copied();
	}
	for (int i = 0; i < 3; i++) {
		piped_cloexec();
		marked(false);
		paired();
		paired_cloexec();
		forked();
	}
	marked(true);
	if (close_range((unsigned int)low, (unsigned int)high, CLOSE_RANGE_CLOEXEC))
		for (int n = low; n <= high; n++)
			fcntl(n, F_SETFD, FD_CLOEXEC);
	return fd;
}

static bool will_go(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	return flags >= 0 && flags & FD_CLOEXEC;
}

static struct {
	char *name;
	bool wait;
} program;

static void *become_second(void *unused)
{
	char kept[16];

	snprintf(kept, sizeof(kept), "%d", in_first());
	for (int fd = 0; fd < FDS_MAX; fd++) {
		if (!will_go(fd))
			continue;
		if (descriptors[fd].held)
			losing_fd(fd);
		else
			fds_before_lost++;
	}
	say_held();
	if (fds_before_lost)
		say("unmatched %ld\n", fds_before_lost);
	execl("/proc/self/exe", program.name, program.wait ? "wait" : "run", SECOND, kept,
	      (char *)NULL);
	fail("execl failed");
	return NULL;
}

static NOINLINE void in_second(void)
{
	for (int i = 0; i < 11; i++)
		took_fd(&held_second, open("/dev/null", O_RDONLY));
	for (int i = 0, fd = 3; i < 4; fd++) {
		if (descriptors[fd].held == &held_second) {
			close(losing_fd(fd));
			i++;
		}
	}
}

/* It closes one that the first has opened. */
static void go_on(int kept)
{
	struct workload w = { .wait = program.wait };

	if (w.wait) { /* the tracer needs a moment to find its way in the new program */
		say("execed %d\n", getpid());
		await_line();
	}
	in_second();
	close(kept);
	held_gave(&held_open);
	say_held();
	say("system fd %ld\n", fds_held());
	workload_done(&w);
}

int main(int argc, char **argv)
{
	struct workload w = { .threads = 1 };
	pthread_t t;

	program.name = argv[0];
	program.wait = argc > 1 && !strcmp(argv[1], "wait");
	if (argc == 4 && !strcmp(argv[2], SECOND)) {
		go_on(atoi(argv[3]));
		return 0;
	}
	workload_parse(&w, argc, argv);
	w.parts.prepare = fds_prepare;
	workload_ready(&w);
	if (w.threads == 1)
		become_second(NULL);
	expect(!pthread_create(&t, NULL, become_second, NULL), "pthread_create failed");
	pthread_join(t, NULL);
	return 1;
}
